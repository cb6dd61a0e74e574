package ssh

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os/exec"
	"strings"
	"testing"
)

func sha256Hex(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

func TestReadAnswer(t *testing.T) {
	read := func(text string, limit int) (answer, error) {
		return readAnswer(bufio.NewReader(strings.NewReader(text)), 7, limit)
	}
	a, err := read("A 7 3 2 3\nouterr", 3)
	if err != nil || a.status != 3 || string(a.stdout) != "ou" || string(a.stderr) != "ter" || a.cut {
		t.Fatalf("%+v, %v", a, err)
	}
	a, err = read("A 7 0 4 0\nlong", 3)
	if err != nil || string(a.stdout) != "lon" || !a.cut {
		t.Fatalf("%+v, %v", a, err)
	}
	for _, bad := range []string{"A 7 0 5 0\nlonger", "A 8 0 0 0\n", "A 7 0 0\n", "A 7 256 0 0\n", "B 7 0 0 0\n", "A 7 0 -1 0\n", "A 7 0 99999999999999999999 0\n", strings.Repeat("A", 1000), "\n"} {
		if _, err := read(bad, 3); !errors.Is(err, errProtocol) {
			t.Errorf("%.40q: %v", bad, err)
		}
	}
	for _, short := range []string{"", "A 7 0", "A 7 0 2 0\nx"} {
		if _, err := read(short, 3); err == nil || errors.Is(err, errProtocol) {
			t.Errorf("%q: %v", short, err)
		}
	}
}

func FuzzReadAnswer(f *testing.F) {
	f.Add([]byte("A 7 0 3 3\nouterr"))
	f.Add([]byte("A 7 0 1000000000 0\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		a, err := readAnswer(bufio.NewReader(bytes.NewReader(text)), 7, 100)
		if err == nil && (len(a.stdout) > 100 || len(a.stderr) > 100 || len(a.stdout)+len(a.stderr) > len(text)) {
			t.Errorf("%d and %d bytes out of %d", len(a.stdout), len(a.stderr), len(text))
		}
	})
}

// An argument is one line of plain characters, and means itself to a shell's printf %b.
func FuzzEscape(f *testing.F) {
	for _, s := range []string{"", "a b", "$(id)\\\n'\"", "\\0101", "\xff\x01", "-n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if strings.IndexByte(s, 0) >= 0 {
			if err := (request{args: []string{s}}).check(); err == nil {
				t.Fatal("a NUL byte was taken")
			}
			return
		}
		var b bytes.Buffer
		w := bufio.NewWriter(&b)
		escape(w, s)
		_ = w.Flush()
		if strings.ContainsAny(b.String(), " \t\n\r'\"$`;&|<>*?[]{}()#~!") {
			t.Fatalf("%q became %q", s, b.String())
		}
		if len(s) > 1000 {
			return
		}
		out, err := exec.Command("sh", "-c", `printf '%b.' "$1"`, "sh", b.String()).Output()
		if err != nil || string(out) != s+"." {
			t.Fatalf("%q became %q: %v", s, out, err)
		}
	})
}

func TestPrintable(t *testing.T) {
	for _, c := range []struct {
		in    string
		limit int
		want  string
	}{
		{"  a\nb\t ", 9, "a b"}, {"\x1b[31mred\x07", 20, "?[31mred?"}, {"\u202eevil\u0085!", 20, "?evil?!"},
		{"\xff", 9, "?"}, {prompt + "x", 90, "x"}, {"abcdef", 4, "…cdef"},
	} {
		if got := printable(c.in, c.limit); got != c.want {
			t.Errorf("%q became %q, want %q", c.in, got, c.want)
		}
	}
}
