package main

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
)

var t0 = time.Unix(0, 0)

// trees makes two layers: a program with a link to it, and a file.
func trees(t *testing.T) (program, other string) {
	t.Helper()
	program, other = filepath.Join(t.TempDir(), "program"), filepath.Join(t.TempDir(), "other")
	for _, directory := range []string{program + "/bin", other} {
		if err := os.MkdirAll(directory, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(program+"/bin/tool", []byte("#!"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("tool", program+"/bin/alias"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(other+"/file", []byte("content"), 0o640); err != nil {
		t.Fatal(err)
	}
	return program, other
}

func pack(t *testing.T, lines string) map[string][]byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "images.tar")
	if err := run(path, strings.NewReader(lines)); err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	return entries(t, file)
}

func entries(t *testing.T, stream io.Reader) map[string][]byte {
	t.Helper()
	found := map[string][]byte{}
	for reader := tar.NewReader(stream); ; {
		header, err := reader.Next()
		if err == io.EOF {
			return found
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, twice := found[header.Name]; twice {
			t.Errorf("%s is there twice", header.Name)
		}
		content, _ := io.ReadAll(reader)
		if header.Typeflag == tar.TypeSymlink {
			content = []byte("-> " + header.Linkname)
		}
		found[header.Name] = content
	}
}

type descriptor struct {
	MediaType, Digest string
	Annotations       map[string]string
}

func blob(t *testing.T, archive map[string][]byte, of descriptor, into any) {
	t.Helper()
	content := archive["blobs/"+strings.Replace(of.Digest, ":", "/", 1)]
	if err := json.Unmarshal(content, into); err != nil {
		t.Fatalf("%s: %v", of.Digest, err)
	}
}

func TestImagesThatShareALayer(t *testing.T) {
	program, other := trees(t)
	archive := pack(t, "# images\nregistry/one:v1 /bin/tool "+program+"\ntwo:v2 - "+other+" "+program+"\n")

	var index struct{ Manifests []descriptor }
	if err := json.Unmarshal(archive["index.json"], &index); err != nil {
		t.Fatal(err)
	}
	layers := [][]descriptor{}
	for position, name := range []string{"registry/one:v1", "two:v2"} {
		of := index.Manifests[position]
		if of.Annotations["io.containerd.image.name"] != name {
			t.Errorf("got %v, want %s", of.Annotations, name)
		}
		var manifest struct {
			Config descriptor
			Layers []descriptor
		}
		blob(t, archive, of, &manifest)
		layers = append(layers, manifest.Layers)
		var config struct {
			Config struct{ Entrypoint []string }
			Rootfs struct {
				DiffIDs []string `json:"diff_ids"`
			}
		}
		blob(t, archive, manifest.Config, &config)
		if got, want := len(config.Rootfs.DiffIDs), len(manifest.Layers); got != want {
			t.Errorf("%s: %d diff_ids of %d layers", name, got, want)
		}
		if got := strings.Join(config.Config.Entrypoint, " "); (got == "/bin/tool") != (position == 0) {
			t.Errorf("%s: entrypoint %q", name, got)
		}
	}
	if layers[0][0].Digest != layers[1][1].Digest {
		t.Errorf("the shared layer is two: %v", layers)
	}
	if got := len(archive); got != 2+2+2+2 { // layout, index; manifests; configurations; layers
		t.Errorf("%d files", got)
	}
	plain, err := zstd.NewReader(bytes.NewReader(
		archive["blobs/"+strings.Replace(layers[0][0].Digest, ":", "/", 1)]))
	if err != nil {
		t.Fatal(err)
	}
	files := entries(t, plain)
	if string(files["bin/tool"]) != "#!" || string(files["bin/alias"]) != "-> tool" {
		t.Errorf("got %q", files)
	}
}

func TestSameInputSameArchive(t *testing.T) {
	program, _ := trees(t)
	first := pack(t, "one:v1 - "+program)
	later := filepath.Join(program, "bin/tool")
	if err := os.Chtimes(later, t0, t0); err != nil {
		t.Fatal(err)
	}
	second := pack(t, "one:v1 - "+program)
	if string(first["index.json"]) != string(second["index.json"]) {
		t.Error("the index differs")
	}
}

func TestLinesThatAreNoImages(t *testing.T) {
	for _, line := range []string{"name", "name -", "name /bin/tool"} {
		if _, err := readImages(strings.NewReader(line)); err == nil {
			t.Errorf("%q was taken", line)
		}
	}
	missing := filepath.Join(t.TempDir(), "missing")
	if err := run(filepath.Join(t.TempDir(), "a.tar"), strings.NewReader("one:v1 - "+missing)); err == nil {
		t.Error("a missing directory was taken")
	}
}
