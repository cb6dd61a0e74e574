package image

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"path"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// unpack reads an archive into a map of names to contents.
func unpack(t *testing.T, archive []byte) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	for r := tar.NewReader(bytes.NewReader(archive)); ; {
		header, err := r.Next()
		if err == io.EOF {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		files[header.Name] = content
	}
}

func TestArchiveIsAnImage(t *testing.T) {
	image := Image{
		Reference: "hardway.local/x:1", Architecture: "amd64", Program: []byte("ELF"), Path: "/x", User: "1:2", ExposedPort: "80/tcp",
	}
	archive, err := image.Archive()
	if err != nil {
		t.Fatal(err)
	}
	files := unpack(t, archive)
	for name, content := range files {
		if dir, file := path.Split(name); dir == "blobs/sha256/" {
			if sum := sha256.Sum256(content); hex.EncodeToString(sum[:]) != file {
				t.Errorf("%s is not named by its digest", name)
			}
		}
	}
	type descriptor struct {
		Digest      string
		Size        int
		Annotations map[string]string
	}
	read := func(name string, v any) {
		t.Helper()
		if err := json.Unmarshal(files[name], v); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	blobOf := func(d descriptor) string {
		t.Helper()
		name := "blobs/sha256/" + strings.TrimPrefix(d.Digest, "sha256:")
		if len(files[name]) != d.Size {
			t.Errorf("%s has %d bytes, its descriptor says %d", name, len(files[name]), d.Size)
		}
		return name
	}
	var index struct{ Manifests []descriptor }
	read("index.json", &index)
	if got := index.Manifests[0].Annotations["io.containerd.image.name"]; got != image.Reference {
		t.Errorf("the index names %q", got)
	}
	var manifest struct {
		Config descriptor
		Layers []descriptor
	}
	read(blobOf(index.Manifests[0]), &manifest)
	layerName := blobOf(manifest.Layers[0])
	var config struct {
		Architecture string
		Config       struct {
			Entrypoint   []string
			User         string
			ExposedPorts map[string]any
		}
		Rootfs struct {
			DiffIDs []string `json:"diff_ids"`
		}
	}
	read(blobOf(manifest.Config), &config)
	if diff := cmp.Diff([]string{"/x"}, config.Config.Entrypoint); diff != "" || config.Config.User != "1:2" || config.Architecture != "amd64" {
		t.Errorf("configuration %+v\n%s", config, diff)
	}
	if diff := cmp.Diff([]string{manifest.Layers[0].Digest}, config.Rootfs.DiffIDs); diff != "" {
		t.Errorf("layers of the configuration (-manifest +config):\n%s", diff)
	}
	if diff := cmp.Diff(map[string][]byte{"x": []byte("ELF")}, unpack(t, files[layerName])); diff != "" {
		t.Errorf("layer (-want +got):\n%s", diff)
	}
	var docker []struct {
		RepoTags []string
		Layers   []string
	}
	read("manifest.json", &docker)
	if diff := cmp.Diff([]string{layerName}, docker[0].Layers); diff != "" || docker[0].RepoTags[0] != image.Reference {
		t.Errorf("docker manifest %+v\n%s", docker, diff)
	}
	again, err := image.Archive()
	if err != nil || !bytes.Equal(archive, again) {
		t.Errorf("a second archive of the same program differs (error %v)", err)
	}
}

func TestRecipeChangesWithTheToolchain(t *testing.T) {
	seen := map[string]string{}
	for _, kind := range Kinds() {
		for _, toolchain := range []string{"go1.26.8", "go1.26.9"} {
			recipe, err := kind.Recipe(toolchain, "amd64")
			if err != nil {
				t.Fatal(err)
			}
			if other, taken := seen[recipe]; taken {
				t.Errorf("%s with %s has the recipe of %s", kind.Name, toolchain, other)
			}
			seen[recipe] = kind.Name + " with " + toolchain
		}
	}
}
