// Package image makes the lab's two container images without a registry and without a container engine: a static
// program in one layer, in one archive that is both an OCI layout (`ctr images import`) and a docker archive (`docker
// load`). Same programs, same bytes. It must never know where archives are kept.
package image

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"path"
	"slices"
	"time"
)

// Image is one image of one layer holding one program.
type Image struct {
	Reference    string // "hardway.local/pause:1"
	Architecture string // GOARCH
	Program      []byte // a static linux binary
	Path         string // where it lies in the image, "/pause"; also the entry point
	User         string // "uid:gid", "" for root
	ExposedPort  string // "8080/tcp", "" for none
}

// blob is a piece of content, named by its digest.
type blob struct {
	mediaType string
	content   []byte
}

// digest is the blob's hex sha256.
func (b blob) digest() string {
	sum := sha256.Sum256(b.content)
	return hex.EncodeToString(sum[:])
}

// descriptor is the OCI reference to the blob.
func (b blob) descriptor() map[string]any {
	return map[string]any{"mediaType": b.mediaType, "digest": "sha256:" + b.digest(), "size": len(b.content)}
}

// Archive is the whole image as a tar.
func (i Image) Archive() ([]byte, error) {
	layerTar, err := writeTar([]member{{name: path.Base(i.Path), mode: 0o755, content: i.Program}})
	if err != nil {
		return nil, fmt.Errorf("writing the layer of %s: %w", i.Reference, err)
	}
	layer := blob{"application/vnd.oci.image.layer.v1.tar", layerTar}
	config, err := jsonBlob("application/vnd.oci.image.config.v1+json", i.config(layer))
	if err != nil {
		return nil, err
	}
	manifest, err := jsonBlob("application/vnd.oci.image.manifest.v1+json", map[string]any{
		"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
		"config": config.descriptor(), "layers": []any{layer.descriptor()},
	})
	if err != nil {
		return nil, err
	}
	top := manifest.descriptor()
	top["platform"] = map[string]any{"architecture": i.Architecture, "os": "linux"}
	top["annotations"] = map[string]any{"io.containerd.image.name": i.Reference, "org.opencontainers.image.ref.name": i.Reference}
	index, err := jsonBlob("", map[string]any{
		"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": []any{top},
	})
	if err != nil {
		return nil, err
	}
	docker, err := jsonBlob("", []any{map[string]any{
		"Config": blobPath(config), "RepoTags": []string{i.Reference}, "Layers": []string{blobPath(layer)},
	}})
	if err != nil {
		return nil, err
	}
	members := []member{
		{name: "oci-layout", mode: 0o644, content: []byte(`{"imageLayoutVersion":"1.0.0"}`)},
		{name: "index.json", mode: 0o644, content: index.content},
		{name: "manifest.json", mode: 0o644, content: docker.content},
	}
	for _, b := range []blob{config, layer, manifest} {
		members = append(members, member{name: blobPath(b), mode: 0o644, content: b.content})
	}
	slices.SortFunc(members, func(a, b member) int { return bytes.Compare([]byte(a.name), []byte(b.name)) })
	return writeTar(members)
}

// config is the OCI image configuration.
func (i Image) config(layer blob) map[string]any {
	run := map[string]any{"Entrypoint": []string{i.Path}, "WorkingDir": "/"}
	if i.User != "" {
		run["User"] = i.User
	}
	if i.ExposedPort != "" {
		run["ExposedPorts"] = map[string]any{i.ExposedPort: struct{}{}}
	}
	return map[string]any{
		"architecture": i.Architecture, "os": "linux", "config": run,
		"rootfs": map[string]any{"type": "layers", "diff_ids": []string{"sha256:" + layer.digest()}},
	}
}

// blobPath is where an OCI layout keeps a blob.
func blobPath(b blob) string { return "blobs/sha256/" + b.digest() }

// jsonBlob marshals v; maps are written in key order, so the bytes are stable.
func jsonBlob(mediaType string, v any) (blob, error) {
	content, err := json.Marshal(v)
	if err != nil {
		return blob{}, fmt.Errorf("encoding %s: %w", mediaType, err)
	}
	return blob{mediaType, content}, nil
}

// member is one file of a tar.
type member struct {
	name    string
	mode    int64
	content []byte
}

// writeTar writes the members in the given order, owned by root and dated at the epoch.
func writeTar(members []member) ([]byte, error) {
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for _, m := range members {
		header := &tar.Header{
			Typeflag: tar.TypeReg, Name: m.name, Mode: m.mode, Size: int64(len(m.content)),
			ModTime: time.Unix(0, 0).UTC(), Format: tar.FormatUSTAR,
		}
		if err := w.WriteHeader(header); err != nil {
			return nil, fmt.Errorf("writing the header of %s: %w", m.name, err)
		}
		if _, err := io.Copy(w, bytes.NewReader(m.content)); err != nil {
			return nil, fmt.Errorf("writing %s: %w", m.name, err)
		}
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("closing the archive: %w", err)
	}
	return buf.Bytes(), nil
}
