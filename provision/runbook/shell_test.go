package runbook

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"hardway/provision/resource"
)

// TestTextsArrive has a shell write texts that would like to be something else.
func TestTextsArrive(t *testing.T) {
	for _, text := range []string{
		"", "\n", "a", "a\n", "EOF\n", "a\nEOF\nEOF2\nb\n", "EOF", "$(touch x) `id` $HOME ${x} \\ \\\n", "'\"'\n", "a'b", "%s %d\n", "\t\r\n", "# x\n\n\n", "-n\n",
	} {
		dir := t.TempDir()
		s := &script{}
		s.here("cat >f", text)
		s.line("printf %%s %s >g", quote(text))
		cmd := exec.Command("sh", "-euc", s.String())
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%q: %v\n%s", text, err, out)
		}
		for _, name := range []string{"f", "g"} {
			got, err := os.ReadFile(filepath.Join(dir, name))
			if want := text; string(got) != want {
				t.Errorf("%s: %q arrived as %q, %v", name, want, got, err)
			}
		}
		if list, _ := os.ReadDir(dir); len(list) != 2 {
			t.Errorf("%q made files: %v", text, list)
		}
	}
}

// TestSubjects wants names that openssl would read as something else escaped.
func TestSubjects(t *testing.T) {
	got := distinguished(resource.Subject{CN: `a/CN=b+O=c\`, O: []string{"x/y", "z"}})
	if want := `/O=x\/y/O=z/CN=a\/CN=b\+O=c\\`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestSources gets a file from where it was pinned: a URL, a path, an archive.
func TestSources(t *testing.T) {
	for source, want := range map[string]string{
		"https://dl.example.com/kubelet": "[ -e bin/k ] || curl -fL --retry 3 https://dl.example.com/kubelet -o bin/k\n",
		"/srv/my mirror/kubelet":         "[ -e bin/k ] || cp '/srv/my mirror/kubelet' bin/k\n",
		"https://dl.example.com/e.tar.gz!e/etcd": "[ -e bin/e.tar.gz ] || curl -fL --retry 3 https://dl.example.com/e.tar.gz -o bin/e.tar.gz\n" +
			"[ -e bin/k ] || { tar -xzOf bin/e.tar.gz e/etcd 2>/dev/null || tar -xzOf bin/e.tar.gz ./e/etcd; } >bin/k\n",
	} {
		s := &script{}
		s.obtain(source, "bin/k")
		if s.String() != want {
			t.Errorf("%s:\n%s", source, s)
		}
	}
}

// TestGates waits as shell for what apply would wait for.
func TestGates(t *testing.T) {
	s := &script{}
	s.gate(&resource.Gate{Name: "x", HTTP: "http://[::1]:10248/healthz", Timeout: 3e9})
	if !strings.Contains(s.String(), "bash ::1 10248 /healthz") {
		t.Errorf("%s", s)
	}
}
