package binaries

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// cutting serves a mirror and breaks the connection off whenever it has sent a part
// of a program, as often as it is asked. It counts the bytes that it sent.
type cutting struct {
	dir   string
	tag   func(request int) string // the entity tag of an answer
	parts bool                     // answers ranges
	at    int                      // bytes after which it breaks off
	sent  atomic.Int64
	asked atomic.Int64
	again atomic.Int64 // requests with a Range
}

func (c *cutting) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b, err := os.ReadFile(filepath.Join(c.dir, filepath.FromSlash(r.URL.Path)))
	if err != nil {
		http.NotFound(w, r)
		return
	}
	if strings.Contains(r.URL.Path, ".sha") {
		_, _ = w.Write(b)
		return
	}
	n := int(c.asked.Add(1))
	tag := c.tag(n)
	if tag != "" {
		w.Header().Set("ETag", tag)
	}
	start := 0
	if text, ok := strings.CutPrefix(r.Header.Get("Range"), "bytes="); ok {
		c.again.Add(1)
		if c.parts && r.Header.Get("If-Range") == tag {
			start, _ = strconv.Atoi(strings.TrimSuffix(text, "-"))
			if start >= len(b) {
				w.WriteHeader(http.StatusRequestedRangeNotSatisfiable)
				return
			}
			w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", start, len(b)-1, len(b)))
		}
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(b)-start))
	if start > 0 {
		w.WriteHeader(http.StatusPartialContent)
	}
	end := min(start+c.at, len(b))
	m, _ := w.Write(b[start:end])
	c.sent.Add(int64(m))
	if end < len(b) {
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler) // the connection breaks
	}
}

// large is one program of that many bytes, and how to get it.
func large(t *testing.T, size int) (dir string, want []byte, o Options) {
	t.Helper()
	want = make([]byte, size)
	r := rand.NewChaCha8([32]byte{1})
	_, _ = r.Read(want)
	a := Artifact{Component: "kubelet", Group: Kubernetes, Version: "1.37.1", Arch: "amd64"}
	dir = t.TempDir()
	name := filepath.Join(dir, filepath.FromSlash(locate(a, "x").rel))
	put(t, name, want)
	put(t, name+".sha512", []byte(sum512(want)))
	o = options(t, "")
	o.Wanted = []Artifact{a}
	return dir, want, o
}

const always = `"v1"`

func TestResume(t *testing.T) {
	const size = 8 << 20
	for name, c := range map[string]struct {
		serve  *cutting
		most   int64 // bytes that may be sent
		resume bool
		fails  string
	}{
		"from where it broke off": {serve: &cutting{tag: func(int) string { return always }, parts: true, at: size/5 + 13}, most: size, resume: true},
		"a server without parts":  {serve: &cutting{tag: func(int) string { return always }, at: size / 2}, most: 3 * size / 2, resume: true, fails: "unexpected EOF"},
		"another file by now": {serve: &cutting{tag: func(n int) string { return fmt.Sprintf(`"v%d"`, n) }, parts: true, at: size/2 + 1}, most: 4 * size, resume: true,
			fails: "unexpected EOF"},
		"no entity tag":   {serve: &cutting{tag: func(int) string { return "" }, parts: true, at: size / 2}, most: 3 * size / 2, fails: "unexpected EOF"},
		"a weak tag only": {serve: &cutting{tag: func(int) string { return `W/"v1"` }, parts: true, at: size / 2}, most: 3 * size / 2, fails: "unexpected EOF"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, want, o := large(t, size)
			s := c.serve
			s.dir = dir
			server := httptest.NewServer(s)
			defer server.Close()
			o.Source = server.URL
			r, err := Obtain(ctx, o)
			if c.fails != "" {
				if err == nil || !strings.Contains(err.Error(), c.fails) {
					t.Errorf("got %v, want %q", err, c.fails)
				}
			} else {
				pin, _ := r.Lock.Binary("kubelet", "amd64")
				if err != nil || pin.SHA256 != sum256(want) {
					t.Fatalf("%v, pinned %s", err, pin.SHA256)
				}
				got, err := os.ReadFile(o.Cache.Path(pin.SHA256))
				if err != nil || !bytes.Equal(got, want) {
					t.Errorf("what is cached is not what is published: %v", err)
				}
			}
			if s.sent.Load() > c.most {
				t.Errorf("%d bytes were sent for %d", s.sent.Load(), size)
			}
			if got := s.again.Load() > 0; got != c.resume {
				t.Errorf("a part was asked for: %v", got)
			}
			if _, rest := files(t, o.Cache); len(rest) > 0 {
				t.Errorf("%v was left behind", rest)
			}
		})
	}
}

// A file that changes under a transfer is found by its sum, whatever the server
// says of it.
func TestResumeOfAnotherFileIsRefused(t *testing.T) {
	dir, want, o := large(t, 4<<20)
	other := bytes.Clone(want)
	other[len(other)-1] ^= 1
	served := atomic.Int64{}
	s := &cutting{dir: dir, tag: func(int) string { return always }, parts: true, at: 3 << 20}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Range") != "" && served.Add(1) == 1 {
			put(t, filepath.Join(dir, filepath.FromSlash(locate(o.Wanted[0], "x").rel)), other)
		}
		s.ServeHTTP(w, r)
	}))
	defer server.Close()
	o.Source = server.URL
	refused(t, o, "sha512", "nothing was installed")
}

func TestContentRange(t *testing.T) {
	for _, c := range []struct {
		text string
		want int64
		ok   bool
	}{
		{"bytes 5-9/10", 10, true}, {"bytes 5-9/*", -1, true}, {"bytes 4-9/10", 0, false}, {"bytes 5-10/10", 0, false},
		{"bytes 5-4/10", 0, false}, {"", 0, false}, {"items 5-9/10", 0, false}, {"bytes */10", 0, false},
	} {
		got, err := contentRange(c.text, 5)
		if d := cmp.Diff([]any{c.want, c.ok}, []any{got, err == nil}); d != "" {
			t.Errorf("%q: %s", c.text, d)
		}
	}
}
