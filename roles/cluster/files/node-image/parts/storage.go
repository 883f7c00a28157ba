//go:build never

// Package parts keeps the storage provisioner in go.mod. It is no `tool` there, since those are built
// together, and its github.com/Sirupsen/logrus and the others' github.com/sirupsen/logrus cannot be.
package parts

import _ "github.com/rancher/local-path-provisioner"
