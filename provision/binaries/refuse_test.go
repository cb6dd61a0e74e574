package binaries

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// one is a single artifact, and where a directory source has it.
var (
	one     = Artifact{Component: "kubelet", Group: Kubernetes, Version: "1.37.1", Arch: "amd64"}
	oneRel  = "v1.37.1/bin/linux/amd64/kubelet"
	scratch = []byte("the kubelet")
)

// Whatever is wrong with a directory source: no lock, nothing in the cache, and
// an error that says what and where.
func TestBadDirectoryInstallsNothing(t *testing.T) {
	other := []byte("another kubelet")
	elf := func(machine uint16) []byte {
		b := append([]byte("\x7fELF\x02\x01\x01"), make([]byte, 50)...)
		binary.LittleEndian.PutUint16(b[18:], machine)
		return b
	}
	pinnedAs := func(b []byte) Lock {
		p := Pin{Version: "1.37.1", SHA256: sum256(b), Size: int64(len(b))}
		p.Range.Filename, p.Range.Start.Line = "dir/hardway.lock.hcl", 12
		return Lock{Binaries: map[Key]Pin{{"kubelet", "amd64"}: p}}
	}
	for _, c := range []struct {
		name     string
		file     []byte // nil: missing
		sum, ext string
		lock     Lock
		want     string
	}{
		{"flipped byte", []byte("the kubelEt"), sum512(scratch), ".sha512", Lock{}, "has the sha512 " + sum512([]byte("the kubelEt"))},
		{"flipped byte, sha256", []byte("the kubelEt"), sum256(scratch), ".sha256", Lock{}, "says " + sum256(scratch)},
		{"truncated", scratch[:5], sum256(scratch), ".sha256", Lock{}, "nothing was installed"},
		{"empty with its sum", []byte{}, sum256(nil), ".sha256", Lock{}, "is empty"},
		{"something appended", append(bytes.Clone(scratch), 0), sum256(scratch), ".sha256", Lock{}, "nothing was installed"},
		{"missing file", nil, sum256(scratch), ".sha256", Lock{}, "does the source have this version and architecture?"},
		{"missing sum", scratch, "", "", Lock{}, "has no published sum to verify it with"},
		{"sum of another file", scratch, sum256(scratch) + "  kubectl\n", ".sha256", Lock{}, "it has a sum for kubectl, but none for kubelet"},
		{"two sums", scratch, sum256(scratch) + "  kubelet\n" + sum256(other) + "  kubelet\n", ".sha256", Lock{}, "two sums"},
		{"empty sum", scratch, "\n", ".sha256", Lock{}, "holds no sha256 or sha512 sum"},
		{"short sum", scratch, sum256(scratch)[:63], ".sha256", Lock{}, "holds no sha256 or sha512 sum"},
		{"sha1", scratch, strings.Repeat("a", 40) + "  kubelet", ".sha256", Lock{}, "holds no sha256 or sha512 sum"},
		{"HTML for a sum", scratch, "<html>" + sum256(scratch) + "</html>", ".sha256", Lock{}, "holds no sha256 or sha512 sum"},
		{"right sum, wrong pin", scratch, sum256(scratch), ".sha256", pinnedAs(other), "but dir/hardway.lock.hcl:12 says " + sum256(other)},
		{"right pin, wrong sum", scratch, sum256(other), ".sha256", pinnedAs(scratch), "kubelet.sha256 says " + sum256(other)},
		{"other bytes with their sum", other, sum512(other), ".sha512", pinnedAs(scratch), "accept them with `hardway init --upgrade`"},
		{"for another machine", elf(183), sum256(elf(183)), ".sha256", Lock{}, "is a program for EM_AARCH64, not for EM_X86_64 (amd64)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			put(t, filepath.Join(dir, "x"), nil)
			if c.file != nil {
				put(t, filepath.Join(dir, oneRel), c.file)
			}
			if c.ext != "" {
				put(t, filepath.Join(dir, oneRel+c.ext), []byte(c.sum))
			}
			o := options(t, dir)
			o.Wanted, o.Lock = []Artifact{one}, c.lock
			refused(t, o, c.want, "kubelet 1.37.1 (amd64)")
		})
	}
}

// refused holds that an error says all of want, and that nothing stays.
func refused(t *testing.T, o Options, want ...string) {
	t.Helper()
	r, err := Obtain(ctx, o)
	if err == nil {
		t.Fatalf("accepted: %+v", r.Items)
	}
	for _, w := range want {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("%q is not in: %v", w, err)
		}
	}
	if len(r.Lock.Binaries) != 0 {
		t.Error("there is a new lock")
	}
	if whole, tmp := files(t, o.Cache); len(whole)+len(tmp) != 0 {
		t.Errorf("the cache holds %v %v", whole, tmp)
	}
}

func TestAcceptedSums(t *testing.T) {
	for _, text := range []string{
		sum256(scratch), strings.ToUpper(sum256(scratch)) + "\n", sum512(scratch) + "\r\n",
		sum256(scratch) + "  kubelet\n", sum256(scratch) + " *kubelet", sum256(scratch) + "  ./bin/kubelet\n",
		sum256([]byte("x")) + "  other\n" + sum256(scratch) + "  kubelet\n",
		"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\n" + sum256(scratch) + "  kubelet\n-----BEGIN PGP SIGNATURE-----\nabc\n",
	} {
		algorithm, digest, err := parseSum([]byte(text), "kubelet")
		if err != nil || algorithm == "sha256" && digest != sum256(scratch) || algorithm == "sha512" && digest != sum512(scratch) {
			t.Errorf("%q: %s %s, %v", text, algorithm, digest, err)
		}
	}
}

func TestUpgradeAcceptsOtherBytes(t *testing.T) {
	o := options(t, t.TempDir())
	o.Wanted, o.Upgrade = []Artifact{one}, true
	o.Lock = Lock{Binaries: map[Key]Pin{{"kubelet", "amd64"}: {Version: "1.37.1", SHA256: sum256([]byte("old")), Size: 3}}}
	put(t, filepath.Join(o.Source, oneRel), scratch)
	put(t, filepath.Join(o.Source, oneRel+".sha256"), []byte(sum256(scratch)))
	if r := obtain(t, o); r.Items[0].Action != Repinned || r.Items[0].Pin.SHA256 != sum256(scratch) {
		t.Errorf("%+v", r.Items)
	}
}

func TestSourceThatIsNone(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	put(t, file, nil)
	for source, want := range map[string]string{
		"":                                "no source is given",
		"/nowhere/at/all":                 "does not exist",
		file:                              "is not a directory",
		"ftp://example.com":               "neither a directory nor an https base",
		"https://":                        "neither a directory nor an https base",
		"https://u:secret@e.com/?x=1":     "neither a directory nor an https base",
		"https://example.com/%zz":         "is not a URL",
		"https://example.com/a#somewhere": "neither a directory nor an https base",
	} {
		o := options(t, source)
		o.Wanted = []Artifact{one}
		if _, err := Obtain(ctx, o); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: got %v, want %q", source, err, want)
		}
	}
}

func TestLinkOutOfASourceIsRefused(t *testing.T) {
	o := options(t, t.TempDir())
	o.Wanted = []Artifact{one}
	outside := filepath.Join(t.TempDir(), "kubelet")
	put(t, outside, scratch)
	put(t, filepath.Join(o.Source, oneRel+".sha256"), []byte(sum256(scratch)))
	if err := os.Symlink(outside, filepath.Join(o.Source, oneRel)); err != nil {
		t.Fatal(err)
	}
	refused(t, o, "escapes")
}

// An archive is verified before it is opened; these have the right sum.
func TestBadArchives(t *testing.T) {
	const name, link = "etcd-v3.7.3-linux-amd64/etcd", byte('2')
	good := []byte("etcd")
	rest := []any{"etcd-v3.7.3-linux-amd64/etcdctl", []byte("ctl"), "etcd-v3.7.3-linux-amd64/etcdutl", []byte("utl")}
	archive := func(members ...any) []byte { return tgz(t, append(members, rest...)...) }
	cut := archive(name, good)
	flipped := bytes.Clone(cut)
	flipped[len(flipped)-6] ^= 1 // in gzip's own checksum
	var notTar bytes.Buffer
	z := gzip.NewWriter(&notTar)
	z.Write(bytes.Repeat([]byte("no tar "), 1000))
	z.Close()
	for _, c := range []struct {
		name    string
		archive []byte
		want    string
	}{
		{"no gzip", []byte("no gzip at all"), "invalid header"},
		{"no tar", notTar.Bytes(), "invalid tar header"},
		{"cut off", cut[:len(cut)-20], "unexpected EOF"},
		{"wrong inner checksum", flipped, "invalid checksum"},
		{"member missing", archive(), name + " is not in the archive"},
		{"member under another name", archive("etcd", good), name + " is not in the archive"},
		{"member is a symlink", archive(name, link), "is not a regular file"},
		{"member is a hard link", archive(name, byte('1')), "is not a regular file"},
		{"member is a device", archive(name, byte('3')), "is not a regular file"},
		{"member is a FIFO", archive(name, byte('6')), "is not a regular file"},
		{"member twice", archive(name, good, name, []byte("evil")), "is there twice"},
		{"member empty", archive(name, []byte{}), "is empty"},
		{"traversal", archive("../../etc/cron.d/x", good, name, good), "leads out of the archive"},
		{"traversal inside", archive("a/../../x", good, name, good), "leads out of the archive"},
		{"absolute", archive("/etc/passwd", good, name, good), "leads out of the archive"},
		{"backslashes", archive(`..\..\x`, good, name, good), "leads out of the archive"},
	} {
		t.Run(c.name, func(t *testing.T) {
			base := filepath.Join(t.TempDir(), "releases", "download")
			file := filepath.Join(base, "v3.7.3", "etcd-v3.7.3-linux-amd64.tar.gz")
			put(t, file, c.archive)
			put(t, filepath.Join(base, "v3.7.3", "SHA256SUMS"), []byte(sum256(c.archive)+"  "+filepath.Base(file)+"\n"))
			o := options(t, base)
			o.Wanted = nil
			for _, component := range []string{"etcd", "etcdctl", "etcdutl"} {
				o.Wanted = append(o.Wanted, Artifact{Component: component, Group: Etcd, Version: "3.7.3", Arch: "amd64"})
			}
			refused(t, o, c.want, file)
		})
	}
}

func TestArchiveBomb(t *testing.T) {
	l := &limitedReader{r: zeros{}, left: 1 << 20}
	if n, err := io.Copy(io.Discard, l); err == nil || n != 1<<20 {
		t.Errorf("%d bytes, %v", n, err)
	}
	// More entries than any release has.
	members := make([]any, 0, 2*(maxEntries+1))
	for i := range maxEntries + 1 {
		members = append(members, fmt.Sprint("f", i), []byte{})
	}
	err := extract(bytes.NewReader(tgz(t, members...)), map[string]bool{"x": true}, nil)
	if err == nil || !strings.Contains(err.Error(), "more than 10000 entries") {
		t.Errorf("got %v", err)
	}
	// A file above the limit, claimed or real.
	if err := copyAll(ctx, io.Discard, io.LimitReader(zeros{}, 11), 10, func(int64) {}); err == nil {
		t.Error("11 bytes passed a limit of 10")
	}
	if err := copyAll(ctx, io.Discard, io.LimitReader(zeros{}, 10), 10, func(int64) {}); err != nil {
		t.Error(err)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func serve(t *testing.T, h http.HandlerFunc) Options {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	o := options(t, server.URL)
	o.Wanted = []Artifact{one}
	return o
}

func TestServerThatRecovers(t *testing.T) {
	var requests atomic.Int32
	o := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch n := requests.Add(1); {
		case strings.HasSuffix(r.URL.Path, ".sha512"):
			http.NotFound(w, r)
		case n%3 == 1: // busy
			w.WriteHeader(http.StatusServiceUnavailable)
		case strings.HasSuffix(r.URL.Path, ".sha256"):
			fmt.Fprint(w, sum256(scratch))
		case n < 6: // breaks off
			w.Header().Set("Content-Length", "1000")
			w.Write(scratch)
		default:
			w.Write(scratch)
		}
	})
	if r := obtain(t, o); r.Items[0].Pin.SHA256 != sum256(scratch) {
		t.Errorf("%+v", r.Items)
	}
	if _, tmp := files(t, o.Cache); len(tmp) != 0 {
		t.Errorf("left: %v", tmp)
	}
}

func TestServerThatDoesNot(t *testing.T) {
	sum := func(w http.ResponseWriter, r *http.Request, file http.HandlerFunc) {
		if strings.HasSuffix(r.URL.Path, ".sha512") {
			fmt.Fprint(w, sum512(scratch))
			return
		}
		file(w, r)
	}
	for name, c := range map[string]struct {
		handler http.HandlerFunc
		want    string
	}{
		"nothing there": {http.NotFound, "has no published sum"},
		"forbidden":     {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(403) }, "the server answered 403 Forbidden"},
		"always busy":   {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) }, "the server answered 503"},
		"file missing":  {func(w http.ResponseWriter, r *http.Request) { sum(w, r, http.NotFound) }, "does the source have this version"},
		"always cut": {func(w http.ResponseWriter, r *http.Request) {
			sum(w, r, func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Length", "99"); w.Write(scratch) })
		}, "unexpected EOF"},
		"too large": {func(w http.ResponseWriter, r *http.Request) {
			sum(w, r, func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Length", "9999999999") })
		}, "more than 1024 are refused"},
		"other bytes": {func(w http.ResponseWriter, r *http.Request) {
			sum(w, r, func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("evil")) })
		}, "nothing was installed"},
		"redirect circle": {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, r.URL.Path, http.StatusFound) }, "too many redirections"},
	} {
		t.Run(name, func(t *testing.T) { refused(t, serve(t, c.handler), c.want, "kubelet") })
	}
}

func TestPlainHTTPNeedsAPin(t *testing.T) {
	for _, host := range []string{"http://mirror.example.com", "http://10.0.0.1"} {
		o := options(t, host)
		o.Wanted = []Artifact{one}
		refused(t, o, "not pinned in hardway.lock.hcl yet", "plain http")
	}
	p, err := newPlace("http://u:secret@mirror.example.com/base/", newWeb(time.Millisecond, ""))
	if err != nil || p.checkedOnly() == "" || p.name("a/b") != "http://mirror.example.com/base/a/b" {
		t.Errorf("%v, %v", p, err)
	}
	for _, base := range []string{"https://example.com", "http://127.0.0.1:8000", "http://[::1]:8000", "http://localhost"} {
		if p, err := newPlace(base, nil); err != nil || p.checkedOnly() != "" {
			t.Errorf("%s: %v", base, err)
		}
	}
}

func TestRedirectionToPlainHTTPIsRefused(t *testing.T) {
	plain := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "evil") }))
	defer plain.Close()
	secure := httptest.NewTLSServer(http.RedirectHandler(plain.URL, http.StatusFound))
	defer secure.Close()
	w := newWeb(time.Millisecond, "")
	w.client.HTTPClient.Transport = secure.Client().Transport
	p, err := newPlace(secure.URL, w)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := p.open(ctx, "kubelet"); err == nil || !strings.Contains(err.Error(), "refused to be redirected from https") {
		t.Errorf("got %v", err)
	}
}

func TestTransferThatStandsStill(t *testing.T) {
	release := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Write(scratch)
		w.(http.Flusher).Flush()
		<-release
	}))
	defer server.Close()
	defer close(release)
	w := newWeb(time.Millisecond, "")
	w.stall = 50 * time.Millisecond
	p, err := newPlace(server.URL, w)
	if err != nil {
		t.Fatal(err)
	}
	r, _, err := p.open(ctx, "kubelet")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := io.ReadAll(r); err == nil || !strings.Contains(err.Error(), "stood still") || !errors.As(err, new(*brokenError)) {
		t.Errorf("got %v", err)
	}
}

func TestCancellation(t *testing.T) {
	started, release := make(chan struct{}), make(chan struct{})
	o := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, ".sha") {
			fmt.Fprint(w, sum512(scratch))
			return
		}
		w.Write(scratch)
		w.(http.Flusher).Flush()
		close(started)
		<-release
	})
	defer close(release)
	cancelled, cancel := context.WithCancel(ctx)
	go func() { <-started; cancel() }()
	if _, err := Obtain(cancelled, o); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if whole, tmp := files(t, o.Cache); len(whole)+len(tmp) != 0 {
		t.Errorf("left: %v %v", whole, tmp)
	}
}

func TestDamagedCache(t *testing.T) {
	o := options(t, t.TempDir())
	o.Wanted = []Artifact{one}
	put(t, filepath.Join(o.Source, oneRel), scratch)
	put(t, filepath.Join(o.Source, oneRel+".sha256"), []byte(sum256(scratch)))
	o.Lock = obtain(t, o).Lock
	pin, _ := o.Lock.Binary("kubelet", "amd64")

	read := func() ([]byte, error) {
		r, size, err := o.Cache.Open(pin.SHA256)
		if err != nil {
			return nil, err
		}
		defer r.Close()
		b, err := io.ReadAll(r)
		if int64(len(b)) != size {
			t.Errorf("%d bytes, said to be %d", len(b), size)
		}
		return b, err
	}
	for range 2 { // the second time without hashing
		if b, err := read(); err != nil || !bytes.Equal(b, scratch) {
			t.Fatalf("%q, %v", b, err)
		}
	}
	for name, damaged := range map[string][]byte{"flipped": []byte("the kubelEt"), "cut": scratch[:3], "empty": {}} {
		put(t, o.Cache.Path(pin.SHA256), damaged)
		// The same time stamp, as after a fault of the disk, in another process.
		o.Cache = NewCache(o.Cache.dir)
		corrupt := new(CorruptError)
		if _, err := read(); !errors.As(err, &corrupt) || !strings.Contains(err.Error(), "hardway init") {
			t.Fatalf("%s: %v", name, err)
		}
		if r := obtain(t, o); r.Items[0].Action != Fetched {
			t.Errorf("%s: %+v", name, r.Items)
		}
		if b, err := read(); err != nil || !bytes.Equal(b, scratch) {
			t.Errorf("%s: not repaired: %q, %v", name, b, err)
		}
	}
	if err := os.Remove(o.Cache.Path(pin.SHA256)); err != nil {
		t.Fatal(err)
	}
	if _, err := read(); !errors.As(err, new(*NotCachedError)) || !strings.Contains(err.Error(), "hardway init") {
		t.Errorf("gone: %v", err)
	}
	if _, _, err := o.Cache.Open("../../etc/passwd"); err == nil || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a path for a digest: %v", err)
	}
}

func TestSweepRemovesOnlyOldRemains(t *testing.T) {
	c := NewCache(t.TempDir())
	old, young := filepath.Join(c.dir, "tmp", "fetch-1"), filepath.Join(c.dir, "tmp", "fetch-2")
	put(t, old, nil)
	put(t, young, nil)
	now := time.Now()
	if err := os.Chtimes(old, now.Add(-48*time.Hour), now.Add(-48*time.Hour)); err != nil {
		t.Fatal(err)
	}
	c.sweep(now)
	if _, tmp := files(t, c); len(tmp) != 1 || tmp[0] != young {
		t.Errorf("left: %v", tmp)
	}
}
