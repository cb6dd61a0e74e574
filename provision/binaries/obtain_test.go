package binaries

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"hardway/provision/addr"
)

var (
	ctx      = context.Background()
	versions = Versions{Kubernetes: "1.37.1", Etcd: "3.7.3", Containerd: "2.4.2", Runc: "1.5.2", CNIPlugins: "1.9.1"}
	both     = map[addr.Role][]string{addr.Master: {"amd64"}, addr.Node: {"amd64", "arm64"}}
	noRange  = cmpopts.IgnoreTypes(Pin{}.Range)
)

func wanted(t testing.TB) []Artifact {
	t.Helper()
	w, err := Wanted(versions, both)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func sum256(b []byte) string { return fmt.Sprintf("%x", sha256.Sum256(b)) }
func sum512(b []byte) string { return fmt.Sprintf("%x", sha512.Sum512(b)) }

func put(t testing.TB, name string, content []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, content, 0o644); err != nil {
		t.Fatal(err)
	}
}

func content(a Artifact) []byte { return []byte("the program " + a.String() + "\n") }

// mirror fills a directory in the layout of dl.k8s.io.
func mirror(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	for _, a := range wanted(t) {
		name := filepath.Join(dir, filepath.FromSlash(locate(a, "x").rel))
		put(t, name, content(a))
		put(t, name+".sha512", []byte(sum512(content(a))))
		put(t, name+".sha256", []byte(sum256(content(a))+"  "+a.Component+"\n"))
	}
	return dir
}

func options(t testing.TB, source string) Options {
	t.Helper()
	return Options{Wanted: wanted(t), Source: source, Cache: NewCache(filepath.Join(t.TempDir(), "cache")), Now: time.Now, retryWait: time.Millisecond}
}

func obtain(t testing.TB, o Options) Result {
	t.Helper()
	r, err := Obtain(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// actions counts what was done.
func actions(r Result) map[Action]int {
	out := map[Action]int{}
	for _, i := range r.Items {
		out[i.Action]++
	}
	return out
}

// files lists all that lies in a cache.
func files(t testing.TB, c *Cache) (whole, temporary []string) {
	t.Helper()
	w, err := filepath.Glob(filepath.Join(c.dir, "sha256", "*"))
	if err != nil {
		t.Fatal(err)
	}
	tmp, err := filepath.Glob(filepath.Join(c.dir, "tmp", "*"))
	if err != nil {
		t.Fatal(err)
	}
	return w, tmp
}

func TestWanted(t *testing.T) {
	var got []string
	for _, a := range wanted(t) {
		got = append(got, fmt.Sprint(a.String(), a.Roles))
	}
	want := []string{
		"kube-apiserver 1.37.1 (amd64)[master]", "kube-controller-manager 1.37.1 (amd64)[master]", "kube-scheduler 1.37.1 (amd64)[master]",
		"kubectl 1.37.1 (amd64)[master]", "kubelet 1.37.1 (amd64)[master node]", "kubelet 1.37.1 (arm64)[node]",
		"kube-proxy 1.37.1 (amd64)[master node]", "kube-proxy 1.37.1 (arm64)[node]",
		"etcd 3.7.3 (amd64)[master]", "etcdctl 3.7.3 (amd64)[master]", "etcdutl 3.7.3 (amd64)[master]",
		"containerd 2.4.2 (amd64)[master node]", "containerd 2.4.2 (arm64)[node]",
		"containerd-shim-runc-v2 2.4.2 (amd64)[master node]", "containerd-shim-runc-v2 2.4.2 (arm64)[node]",
		"ctr 2.4.2 (amd64)[master node]", "ctr 2.4.2 (arm64)[node]", "runc 1.5.2 (amd64)[master node]", "runc 1.5.2 (arm64)[node]",
		"bridge 1.9.1 (amd64)[master node]", "bridge 1.9.1 (arm64)[node]", "host-local 1.9.1 (amd64)[master node]", "host-local 1.9.1 (arm64)[node]",
		"loopback 1.9.1 (amd64)[master node]", "loopback 1.9.1 (arm64)[node]", "portmap 1.9.1 (amd64)[master node]", "portmap 1.9.1 (arm64)[node]",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	for _, bad := range []struct {
		v     Versions
		arch  string
		wants string
	}{
		{versions, "vax", `architecture "vax"`},
		{Versions{Kubernetes: "1.37.1"}, "amd64", `"" is not a version of etcd`},
		{Versions{Kubernetes: "../../etc"}, "amd64", "is not a version of kubernetes"},
		{Versions{Kubernetes: "1..2"}, "amd64", "is not a version"},
	} {
		if _, err := Wanted(bad.v, map[addr.Role][]string{addr.Master: {bad.arch}}); err == nil || !strings.Contains(err.Error(), bad.wants) {
			t.Errorf("%v: %v", bad.v, err)
		}
	}
}

func TestFromADirectory(t *testing.T) {
	dir := mirror(t)
	o := options(t, dir)
	first := obtain(t, o)
	if d := cmp.Diff(map[Action]int{Pinned: 27}, actions(first)); d != "" {
		t.Error(d)
	}
	for _, a := range o.Wanted {
		pin, ok := first.Lock.Binary(a.Component, a.Arch)
		want := Pin{Version: a.Version, SHA256: sum256(content(a)), Size: int64(len(content(a))), Source: filepath.Join(dir, filepath.FromSlash(locate(a, "").rel))}
		if d := cmp.Diff(want, pin, noRange); !ok || d != "" {
			t.Errorf("%s: %s", a, d)
		}
	}
	if whole, tmp := files(t, o.Cache); len(whole) != 27 || len(tmp) != 0 {
		t.Errorf("%d files and %v in the cache", len(whole), tmp)
	}

	// The second time nothing is read from the source; it may even be gone.
	if err := os.RemoveAll(filepath.Join(dir, "v1.37.1")); err != nil {
		t.Fatal(err)
	}
	o.Lock = first.Lock
	second := obtain(t, o)
	if d := cmp.Diff(map[Action]int{Kept: 27}, actions(second)); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(first.Lock, second.Lock); d != "" {
		t.Error(d)
	}
}

func TestVersionChangeRepinsOnlyWhatChanged(t *testing.T) {
	dir := mirror(t)
	o := options(t, dir)
	o.Lock = obtain(t, o).Lock
	other := Versions{Kubernetes: "1.37.1", Etcd: "3.7.3", Containerd: "2.4.2", Runc: "1.6.0", CNIPlugins: "1.9.1"}
	var err error
	if o.Wanted, err = Wanted(other, both); err != nil {
		t.Fatal(err)
	}
	if missing := o.Lock.Missing(o.Wanted); len(missing) != 2 || missing[0].Component != "runc" {
		t.Errorf("missing %v", missing)
	}
	for _, arch := range []string{"amd64", "arm64"} {
		name := filepath.Join(dir, "runc/v1.6.0/bin/linux", arch, "runc")
		put(t, name, []byte("new runc "+arch))
		put(t, name+".sha256", []byte(sum256([]byte("new runc "+arch))))
	}
	r := obtain(t, o)
	if d := cmp.Diff(map[Action]int{Kept: 25, Repinned: 2}, actions(r)); d != "" {
		t.Error(d)
	}
	if p, _ := r.Lock.Binary("runc", "amd64"); p.Version != "1.6.0" || p.SHA256 != sum256([]byte("new runc amd64")) {
		t.Errorf("%+v", p)
	}
}

func TestWhatIsNotWantedIsUnpinned(t *testing.T) {
	o := options(t, mirror(t))
	o.Lock = obtain(t, o).Lock
	var err error
	if o.Wanted, err = Wanted(versions, map[addr.Role][]string{addr.Master: {"amd64"}}); err != nil {
		t.Fatal(err)
	}
	if r := obtain(t, o); len(r.Lock.Binaries) != 17 {
		t.Errorf("%d pins", len(r.Lock.Binaries))
	}
}

// tgz packs members; a nil content is a symlink to /etc/passwd.
func tgz(t testing.TB, members ...any) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	for i := 0; i < len(members); i += 2 {
		h := &tar.Header{Name: members[i].(string), Mode: 0o755, Typeflag: tar.TypeReg}
		data, ok := members[i+1].([]byte)
		if !ok {
			h.Typeflag, h.Linkname = members[i+1].(byte), "/etc/passwd"
		}
		h.Size = int64(len(data))
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(data); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.Close(), z.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// releases serves the groups' release archives as GitHub does, on one server.
func releases(t testing.TB) http.Handler {
	t.Helper()
	served := map[string][]byte{}
	archives := map[string][]any{}
	for _, a := range wanted(t) {
		r, ok := upstream()[a.Group]
		if !ok {
			served["/"+locate(a, "").rel] = content(a)
			served["/"+locate(a, "").rel+".sha256"] = []byte(sum256(content(a)))
			continue
		}
		u, err := url.Parse(r.base)
		if err != nil {
			t.Fatal(err)
		}
		file := path.Join(u.Path, "v"+a.Version, r.file(a.Version, a.Arch))
		if r.member == nil {
			served[file] = content(a)
			sums := path.Join(path.Dir(file), r.sums(""))
			served[sums] = append(served[sums], "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\n"+sum256(content(a))+" *"+path.Base(file)+"\n"...)
			continue
		}
		member := r.member(a.Version, a.Arch, a.Component)
		if a.Group == CNIPlugins {
			member = "./" + member
		}
		archives[file] = append(archives[file], member, content(a), "README-"+a.Component, []byte("x"))
	}
	for file, members := range archives {
		served[file] = tgz(t, members...)
		sums := file + ".sha256"
		switch {
		case strings.Contains(file, "etcd"):
			sums = path.Join(path.Dir(file), "SHA256SUMS")
		case strings.Contains(file, "containerd-"):
			sums = file + ".sha256sum"
		}
		served[sums] = append(served[sums], sum256(served[file])+"  "+path.Base(file)+"\n"...)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		data, ok := served[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		w.Write(data)
	})
}

func TestFromReleaseArchives(t *testing.T) {
	var requests atomic.Int32
	handler := releases(t)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		handler.ServeHTTP(w, r)
	}))
	defer server.Close()
	o := options(t, server.URL)
	o.Sources = map[Group]string{}
	for group, r := range upstream() {
		o.Sources[group] = server.URL + strings.TrimPrefix(r.base, "https://github.com")
	}
	var finished atomic.Int32
	o.Progress = func(p Progress) {
		if p.Finished && p.Done == p.Total && p.Done > 0 && p.Name != "" && p.Source != "" {
			finished.Add(1)
		}
	}
	first := obtain(t, o)
	if d := cmp.Diff(map[Action]int{Pinned: 27}, actions(first)); d != "" {
		t.Error(d)
	}
	for _, a := range o.Wanted {
		if pin, _ := first.Lock.Binary(a.Component, a.Arch); pin.SHA256 != sum256(content(a)) {
			t.Errorf("%s: %+v", a, pin)
		}
	}
	if p, _ := first.Lock.Binary("etcdctl", "amd64"); !strings.HasSuffix(p.Source, "/etcd-io/etcd/releases/download/v3.7.3/etcd-v3.7.3-linux-amd64.tar.gz!etcd-v3.7.3-linux-amd64/etcdctl") {
		t.Errorf("source %s", p.Source)
	}
	if whole, tmp := files(t, o.Cache); len(whole) != 27 || len(tmp) != 0 {
		t.Errorf("%d files and %v in the cache", len(whole), tmp)
	}
	// 8 of Kubernetes, 1 etcd, 2 each of containerd, runc, plugins: each once.
	if finished.Load() != 15 {
		t.Errorf("%d transfers finished", finished.Load())
	}
	before := requests.Load()
	o.Lock = first.Lock
	if obtain(t, o); requests.Load() != before {
		t.Errorf("a second init made %d requests", requests.Load()-before)
	}
}

func TestDefaultSourceUsesUpstreamReleases(t *testing.T) {
	downloads, err := resolve(wanted(t), DefaultSource, map[Group]string{Runc: "https://mirror.example.com"}, false, newWeb(time.Millisecond, ""))
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, d := range downloads {
		got[d.place.name(d.rel)] = d.place.name(d.sums[len(d.sums)-1])
	}
	for file, sums := range map[string]string{
		"https://dl.k8s.io/v1.37.1/bin/linux/arm64/kubelet":                                                          "https://dl.k8s.io/v1.37.1/bin/linux/arm64/kubelet.sha256",
		"https://github.com/etcd-io/etcd/releases/download/v3.7.3/etcd-v3.7.3-linux-amd64.tar.gz":                    "https://github.com/etcd-io/etcd/releases/download/v3.7.3/SHA256SUMS",
		"https://github.com/containerd/containerd/releases/download/v2.4.2/containerd-2.4.2-linux-amd64.tar.gz":      "https://github.com/containerd/containerd/releases/download/v2.4.2/containerd-2.4.2-linux-amd64.tar.gz.sha256sum",
		"https://github.com/containernetworking/plugins/releases/download/v1.9.1/cni-plugins-linux-amd64-v1.9.1.tgz": "https://github.com/containernetworking/plugins/releases/download/v1.9.1/cni-plugins-linux-amd64-v1.9.1.tgz.sha256",
		"https://mirror.example.com/runc/v1.5.2/bin/linux/amd64/runc":                                                "https://mirror.example.com/runc/v1.5.2/bin/linux/amd64/runc.sha256",
	} {
		if got[file] != sums {
			t.Errorf("%s: sums %q, want %q", file, got[file], sums)
		}
	}
	if len(downloads) != 15 {
		t.Errorf("%d downloads", len(downloads))
	}
}

func TestImages(t *testing.T) {
	dir := mirror(t)
	archive := filepath.Join(dir, "images", "pause.tar")
	put(t, archive, []byte("an image"))
	put(t, archive+".sha256", []byte(sum256([]byte("an image"))))
	o := options(t, dir)
	o.Wanted = nil
	o.Images = []Image{{Ref: "example.com/pause:1", Path: archive}}
	r := obtain(t, o)
	pin, _ := r.Lock.Image("example.com/pause:1")
	if d := cmp.Diff(ImagePin{SHA256: sum256([]byte("an image")), Size: 8, Source: archive}, pin, noRange); d != "" || r.Items[0].Action != Pinned {
		t.Error(d, r.Items)
	}
	o.Lock = r.Lock
	if got := obtain(t, o).Items[0].Action; got != Kept {
		t.Errorf("the second time it was %s", got)
	}
	put(t, archive, []byte("another image"))
	mismatch := new(MismatchError)
	if _, err := Obtain(ctx, o); !errors.As(err, &mismatch) || mismatch.Pinned {
		t.Errorf("other bytes than the sum says: %v", err)
	}
	put(t, archive+".sha256", []byte(sum256([]byte("another image"))))
	if _, err := Obtain(ctx, o); !errors.As(err, &mismatch) || !mismatch.Pinned || !strings.Contains(err.Error(), "--upgrade") {
		t.Errorf("other bytes than pinned: %v", err)
	}
	o.Upgrade = true
	if got := obtain(t, o).Items[0].Action; got != Repinned {
		t.Errorf("with Upgrade it was %s", got)
	}
	o.Upgrade = false
	if err := os.RemoveAll(filepath.Dir(archive)); err != nil {
		t.Fatal(err)
	}
	if got := obtain(t, o).Items[0].Action; got != Kept {
		t.Errorf("without the archive it was %s", got)
	}
	o.Images[0].Ref = "example.com/other:1"
	if _, err := Obtain(ctx, o); err == nil || !strings.Contains(err.Error(), archive+" does not exist") {
		t.Errorf("got %v", err)
	}
}
