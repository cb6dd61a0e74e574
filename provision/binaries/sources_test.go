package binaries

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

// program is an ELF header for an architecture with a text behind it.
func program(a Artifact) []byte {
	head := make([]byte, 64)
	copy(head, "\x7fELF\x02\x01\x01")
	head[18] = byte(machines()[a.Arch])
	return append(head, content(a)...)
}

// serverArchives is a directory with the release archives of Kubernetes, and the
// other groups as in mirror.
func serverArchives(t testing.TB, sums string) string {
	t.Helper()
	dir := mirror(t)
	if err := os.RemoveAll(filepath.Join(dir, "v1.37.1")); err != nil {
		t.Fatal(err)
	}
	list := ""
	for _, arch := range []string{"amd64", "arm64"} {
		members := []any{"kubernetes/LICENSES", []byte("text")}
		for _, c := range catalogue() {
			if c.group == Kubernetes {
				a := Artifact{Component: c.name, Group: Kubernetes, Version: "1.37.1", Arch: arch}
				members = append(members, "kubernetes/server/bin/"+c.name, program(a), "kubernetes/server/bin/"+c.name+".tar", []byte("an image"))
			}
		}
		archive := tgz(t, members...)
		file := "kubernetes-server-linux-" + arch + ".tar.gz"
		put(t, filepath.Join(dir, "v1.37.1", file), archive)
		if sums == "" {
			put(t, filepath.Join(dir, "v1.37.1", file+".sha512"), []byte(sum512(archive)+"\n"))
		}
		list += sum512(archive) + "  " + file + "\n"
	}
	if sums != "" {
		put(t, filepath.Join(dir, "v1.37.1", sums), []byte(list))
	}
	return dir
}

// Both architectures of one cluster come out of their archives, each once.
func TestServerArchive(t *testing.T) {
	for _, sums := range []string{"", "SHA512SUMS"} {
		o := options(t, serverArchives(t, sums))
		o.Archive = true
		transfers := atomic.Int64{}
		o.Progress = func(p Progress) {
			if p.Finished && strings.HasSuffix(p.Source, ".tar.gz") {
				transfers.Add(1)
			}
		}
		r := obtain(t, o)
		for _, a := range o.Wanted {
			pin, ok := r.Lock.Binary(a.Component, a.Arch)
			want := content(a)
			if a.Group == Kubernetes {
				want = program(a)
			}
			if !ok || pin.SHA256 != sum256(want) {
				t.Errorf("%s: pinned %+v", a, pin)
			}
			if a.Group == Kubernetes && !strings.HasSuffix(pin.Source, "kubernetes-server-linux-"+a.Arch+".tar.gz!kubernetes/server/bin/"+a.Component) {
				t.Errorf("%s: source %s", a, pin.Source)
			}
		}
		if transfers.Load() != 2 {
			t.Errorf("%d archives were read, want one an architecture", transfers.Load())
		}
		o.Lock, o.Source = r.Lock, "/nowhere"
		if _, err := Obtain(ctx, o); err == nil {
			t.Error("a source that does not exist was taken")
		}
		o.Source = t.TempDir() // empty: everything is cached
		if got := actions(obtain(t, o)); got[Kept] != len(o.Wanted) {
			t.Errorf("offline: %v", got)
		}
	}
}

// A program for another machine is never pinned, whatever the archive is called.
func TestServerArchiveOfAnotherMachine(t *testing.T) {
	dir := serverArchives(t, "")
	at := filepath.Join(dir, "v1.37.1", "kubernetes-server-linux-")
	for _, end := range []string{".tar.gz", ".tar.gz.sha512"} {
		b, err := os.ReadFile(at + "amd64" + end)
		if err != nil {
			t.Fatal(err)
		}
		put(t, at+"arm64"+end, b)
	}
	o := options(t, dir)
	o.Archive = true
	r, err := Obtain(ctx, o) // what was right of the other archive may be in the cache by then
	if err == nil || !strings.Contains(err.Error(), "it is a program for EM_X86_64, not for EM_AARCH64 (arm64)") || len(r.Lock.Binaries) != 0 {
		t.Errorf("%v, %d programs pinned", err, len(r.Lock.Binaries))
	}
}

func TestMirrors(t *testing.T) {
	whole, half := mirror(t), mirror(t)
	if err := os.RemoveAll(filepath.Join(half, "etcd")); err != nil {
		t.Fatal(err)
	}
	down := httptest.NewServer(http.NotFoundHandler())
	down.Close()
	broken := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusForbidden) }))
	defer broken.Close()

	o := options(t, down.URL)
	o.Mirrors = []string{broken.URL, half, whole}
	r := obtain(t, o)
	if got := actions(r); got[Pinned] != len(o.Wanted) {
		t.Errorf("%v", got)
	}
	for _, a := range o.Wanted {
		from := half
		if a.Group == Etcd {
			from = whole
		}
		if pin, _ := r.Lock.Binary(a.Component, a.Arch); !strings.HasPrefix(pin.Source, from) {
			t.Errorf("%s came from %s, want %s", a, pin.Source, from)
		}
	}

	none := options(t, half)
	none.Mirrors = []string{broken.URL}
	fails(t, none, "etcd 3.7.3 (amd64)", "none of", "403 Forbidden") // both reasons

	// Wrong bytes are no reason to ask somebody else.
	bad := mirror(t)
	put(t, filepath.Join(bad, "v1.37.1/bin/linux/amd64/kubelet"), []byte("forged"))
	forged := options(t, bad)
	forged.Mirrors = []string{whole}
	fails(t, forged, "kubelet 1.37.1 (amd64)", "nothing was installed")
}

func fails(t *testing.T, o Options, want ...string) {
	t.Helper()
	_, err := Obtain(ctx, o)
	for _, text := range want {
		if err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("got %v, want %q", err, text)
		}
	}
}

// TestProxy: downloads go through the proxy of the configuration, and those of
// loopback do not.
func TestProxy(t *testing.T) {
	t.Setenv("NO_PROXY", "")
	t.Setenv("no_proxy", "")
	var asked *atomic.Value
	forbidding := func() string { // another for each part: a request of the one before may come late
		mine := new(atomic.Value)
		proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			mine.Store(r.Method + " " + r.Host)
			http.Error(w, "not allowed", http.StatusForbidden)
		}))
		t.Cleanup(proxy.Close)
		asked = mine
		return proxy.URL
	}
	o := options(t, "https://binaries.invalid")
	o.Proxy = forbidding()
	if _, err := Obtain(ctx, o); err == nil {
		t.Fatal("the proxy let it through")
	}
	if got := asked.Load(); got != "CONNECT binaries.invalid:443" {
		t.Errorf("the proxy was asked for %v", got)
	}
	server := httptest.NewServer(http.FileServer(http.Dir(mirror(t))))
	defer server.Close()
	o = options(t, server.URL)
	o.Proxy = forbidding()
	obtain(t, o)
	if got := asked.Load(); got != nil {
		t.Errorf("for loopback the proxy was asked for %v", got)
	}
}
