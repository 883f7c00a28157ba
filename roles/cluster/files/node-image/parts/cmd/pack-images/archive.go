package main

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"runtime"

	"github.com/klauspost/compress/zstd"
)

const (
	mediaIndex    = "application/vnd.oci.image.index.v1+json"
	mediaManifest = "application/vnd.oci.image.manifest.v1+json"
	mediaConfig   = "application/vnd.oci.image.config.v1+json"
	mediaLayer    = "application/vnd.oci.image.layer.v1.tar+zstd"
	searchPath    = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
)

type object = map[string]any

// archive is an OCI image layout, written as a tar file while images are added.
type archive struct {
	tar       *tar.Writer
	written   map[string]bool // digests
	layers    map[string]layer
	manifests []object
}

type layer struct {
	descriptor object
	diffID     string // the digest before compression
}

func newArchive(out io.Writer) *archive {
	return &archive{tar: tar.NewWriter(out), written: map[string]bool{}, layers: map[string]layer{}}
}

func (a *archive) add(image image) error {
	descriptors, diffIDs := []object{}, []string{}
	for _, directory := range image.layers {
		found, err := a.layer(directory)
		if err != nil {
			return err
		}
		descriptors = append(descriptors, found.descriptor)
		diffIDs = append(diffIDs, found.diffID)
	}
	// The name makes images of the same layers different images: containerd, and so a pod's status,
	// has one entry for all names of one configuration.
	labels := object{"org.opencontainers.image.title": image.name}
	settings := object{"Env": []string{searchPath}, "WorkingDir": "/", "Labels": labels}
	if image.entrypoint != nil {
		settings["Entrypoint"] = image.entrypoint
	}
	config, err := a.addJSON(mediaConfig, object{
		"architecture": runtime.GOARCH,
		"os":           runtime.GOOS,
		"config":       settings,
		"rootfs":       object{"type": "layers", "diff_ids": diffIDs},
	})
	if err != nil {
		return err
	}
	manifest, err := a.addJSON(mediaManifest, object{
		"schemaVersion": 2, "mediaType": mediaManifest, "config": config, "layers": descriptors,
	})
	if err != nil {
		return err
	}
	manifest["annotations"] = object{"io.containerd.image.name": image.name}
	manifest["platform"] = object{"architecture": runtime.GOARCH, "os": runtime.GOOS}
	a.manifests = append(a.manifests, manifest)
	return nil
}

func (a *archive) finish() error {
	layout := object{"imageLayoutVersion": "1.0.0"}
	if err := a.addFile("oci-layout", encode(layout)); err != nil {
		return err
	}
	index := object{"schemaVersion": 2, "mediaType": mediaIndex, "manifests": a.manifests}
	if err := a.addFile("index.json", encode(index)); err != nil {
		return err
	}
	return a.tar.Close()
}

func (a *archive) layer(directory string) (layer, error) {
	if found, packed := a.layers[directory]; packed {
		return found, nil
	}
	compressed, plain := &bytes.Buffer{}, sha256.New()
	compressor, err := zstd.NewWriter(compressed, zstd.WithEncoderLevel(zstd.SpeedBetterCompression))
	if err != nil {
		return layer{}, err
	}
	if err := writeTree(io.MultiWriter(compressor, plain), directory); err != nil {
		return layer{}, err
	}
	if err := compressor.Close(); err != nil {
		return layer{}, err
	}
	descriptor, err := a.addBlob(mediaLayer, compressed.Bytes())
	found := layer{descriptor, "sha256:" + hex.EncodeToString(plain.Sum(nil))}
	a.layers[directory] = found
	return found, err
}

func (a *archive) addJSON(mediaType string, content object) (object, error) {
	return a.addBlob(mediaType, encode(content))
}

func (a *archive) addBlob(mediaType string, content []byte) (object, error) {
	digest := fmt.Sprintf("%x", sha256.Sum256(content))
	descriptor := object{"mediaType": mediaType, "digest": "sha256:" + digest, "size": len(content)}
	if a.written[digest] {
		return descriptor, nil
	}
	a.written[digest] = true
	return descriptor, a.addFile("blobs/sha256/"+digest, content)
}

func (a *archive) addFile(name string, content []byte) error {
	header := &tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: int64(len(content))}
	if err := a.tar.WriteHeader(header); err != nil {
		return err
	}
	_, err := a.tar.Write(content)
	return err
}

func encode(content object) []byte {
	encoded, err := json.Marshal(content) // keys are sorted
	if err != nil {
		panic(err) // strings and numbers
	}
	return encoded
}
