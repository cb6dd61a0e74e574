package binaries

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"
)

var update = flag.Bool("update", false, "write the golden files")

func exampleLock() Lock {
	return Lock{
		Binaries: map[Key]Pin{
			{"kubelet", "arm64"}: {Version: "1.37.1", SHA256: sum256([]byte("a")), Size: 84_000_000, Source: "https://dl.k8s.io/v1.37.1/bin/linux/arm64/kubelet"},
			{"kubelet", "amd64"}: {Version: "1.37.1", SHA256: sum256([]byte("b")), Size: 84_000_001, Source: "https://dl.k8s.io/v1.37.1/bin/linux/amd64/kubelet"},
			{"etcd", "amd64"}:    {Version: "3.7.3", SHA256: sum256([]byte("c")), Size: 27, Source: `/srv/mirror/${odd} "name"/etcd-v3.7.3-linux-amd64.tar.gz!etcd-v3.7.3-linux-amd64/etcd`},
		},
		Images: map[string]ImagePin{"registry.example.com/pause:3.10": {SHA256: sum256([]byte("d")), Size: 512, Source: "/srv/images/pause.tar"}},
	}
}

func TestLockFileGolden(t *testing.T) {
	text := exampleLock().Format()
	golden := filepath.Join("testdata", "hardway.lock.hcl")
	if *update {
		put(t, golden, text)
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), string(text)); d != "" {
		t.Error(d)
	}
	got, err := ReadLock(golden)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(exampleLock(), got, noRange); d != "" {
		t.Error(d)
	}
	if p, _ := got.Binary("etcd", "amd64"); p.Range.Start.Line != 6 || p.Range.Filename != golden {
		t.Errorf("range %v", p.Range)
	}
	if !bytes.Equal(got.Format(), text) {
		t.Error("reading and writing changes the text")
	}
}

func TestWriteLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), LockName)
	if l, err := ReadLock(path); err != nil || len(l.Binaries) != 0 {
		t.Errorf("a missing lock file: %v, %v", l, err)
	}
	if err := WriteLock(path, exampleLock()); err != nil {
		t.Fatal(err)
	}
	before, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := WriteLock(path, exampleLock()); err != nil {
		t.Fatal(err)
	}
	if after, err := os.Stat(path); err != nil || !os.SameFile(before, after) {
		t.Error("the same lock was written anew")
	}
	if l, err := ReadLock(path); err != nil || cmp.Diff(exampleLock(), l, noRange) != "" {
		t.Errorf("%v, %v", l, err)
	}
}

func TestParseLockRefuses(t *testing.T) {
	digest := sum256(nil)
	block := func(name, version, sha, size string) string {
		return "binary \"" + name + "\" \"amd64\" {\n  version = " + version + "\n  sha256 = " + sha + "\n  size = " + size + "\n  source = \"x\"\n}\n"
	}
	good := block("kubelet", `"1.37.1"`, `"`+digest+`"`, "1")
	for _, c := range []struct {
		name, text, want string
	}{
		{"unknown block", "provider \"x\" {}\n", "hardway.lock.hcl:1,1-9: Unsupported block type"},
		{"unknown attribute", strings.Replace(good, "}", "  moons = 2\n}", 1), "Unsupported argument"},
		{"missing attribute", strings.Replace(good, "size = 1\n", "", 1), "Missing required argument"},
		{"missing label", "binary \"kubelet\" {}\n", "Missing arch for binary"},
		{"twice", good + good, "hardway.lock.hcl:7,1-25: Binary pinned twice"},
		{"unknown component", block("kubelett", `"1.37.1"`, `"`+digest+`"`, "1"), `Did you mean "kubelet"?`},
		{"bad version", block("kubelet", `"../1"`, `"`+digest+`"`, "1"), "Invalid version"},
		{"upper-case digest", block("kubelet", `"1.37.1"`, `"`+strings.ToUpper(digest)+`"`, "1"), "Invalid digest"},
		{"short digest", block("kubelet", `"1.37.1"`, `"abc"`, "1"), "hardway.lock.hcl:1,1-25: Invalid digest"},
		{"no size", block("kubelet", `"1.37.1"`, `"`+digest+`"`, "0"), "Invalid size"},
		{"size with a fraction", block("kubelet", `"1.37.1"`, `"`+digest+`"`, "1.5"), "Unsuitable value type"},
		{"a variable", block("kubelet", "var.version", `"`+digest+`"`, "1"), "Not a plain value"},
		{"a template", block("kubelet", `"${1}"`, `"`+digest+`"`, "1"), "Not a plain value"},
		{"a function", block("kubelet", `upper("x")`, `"`+digest+`"`, "1"), "Not a plain value"},
		{"deep parentheses", "a = " + strings.Repeat("(", 100_000), "Not a plain value"},
		{"deep blocks", strings.Repeat("a {\n", 100_000), "Block inside a block"},
		{"deep templates", `a = "` + strings.Repeat(`${"`, 100_000), "Not a plain value"},
		{"deep negation", "a = " + strings.Repeat("!", 100_000) + "true", "Not a plain value"},
		{"too large", strings.Repeat("# x\n", 300_000), "Lock file too large"},
		{"an image twice", strings.Repeat("image \"a\" {\n sha256 = \""+digest+"\"\n size = 1\n source = \"x\"\n}\n", 2), "Image pinned twice"},
		{"not UTF-8", "binary \"\xff\" {}\n", "Invalid character encoding"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), LockName)
			put(t, path, []byte(c.text))
			_, err := ReadLock(path)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %v, want an error with %q", err, c.want)
			}
			if d := (hcl.Diagnostics)(nil); !errors.As(err, &d) || d[0].Subject == nil {
				t.Errorf("no diagnostic with a range: %v", err)
			}
		})
	}
}

func FuzzParseLock(f *testing.F) {
	f.Add(exampleLock().Format())
	f.Add([]byte(`binary "kubelet" "amd64" {`))
	f.Add([]byte("image \"\" {\n}\n"))
	f.Fuzz(func(t *testing.T, src []byte) {
		l, diags := ParseLock(src, LockName)
		if diags.HasErrors() {
			return
		}
		again, diags := ParseLock(l.Format(), LockName)
		if diags.HasErrors() {
			t.Fatalf("what was accepted is refused when written: %v\n%s", diags, l.Format())
		}
		if d := cmp.Diff(l, again, noRange); d != "" {
			t.Fatal(d)
		}
	})
}
