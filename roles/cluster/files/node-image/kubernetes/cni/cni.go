// Package cni has the CNI configuration of a node.
package cni

import (
	"encoding/json"
	"net/netip"
)

type object = map[string]any

// Configuration gives the CNI configuration of a node whose pods are in the given part of the pod
// subnet, both of them IPv4.
//
// Addresses carry the mask of the whole pod subnet, though they are taken from the node's part: so
// what goes to a pod on any node keeps its source address, and all else leaves with the node's.
func Configuration(podSubnet, pods netip.Prefix, mtu int) []byte {
	gateway := pods.Addr().Next()
	configuration := object{
		"cniVersion": "1.0.0",
		"name":       "pods",
		"plugins": []any{
			object{
				"type":   "ptp",
				"ipMasq": true,
				"mtu":    mtu,
				"ipam": object{
					"type":    "host-local",
					"dataDir": "/run/cni-addresses",
					"routes":  []any{object{"dst": "0.0.0.0/0"}},
					"ranges": []any{[]any{object{
						"subnet":     podSubnet.String(),
						"gateway":    gateway.String(),
						"rangeStart": gateway.Next().String(),
						"rangeEnd":   beforeLast(pods).String(),
					}}},
				},
			},
			object{"type": "portmap", "capabilities": object{"portMappings": true}},
		},
	}
	content, err := json.MarshalIndent(configuration, "", "  ")
	if err != nil {
		panic(err) // strings and numbers
	}
	return append(content, '\n')
}

// beforeLast gives the last address of an IPv4 network that is not its broadcast address.
func beforeLast(prefix netip.Prefix) netip.Addr {
	last := prefix.Addr().As4()
	for bit := prefix.Bits(); bit < 32; bit++ {
		last[bit/8] |= 1 << (7 - bit%8)
	}
	return netip.AddrFrom4(last).Prev()
}
