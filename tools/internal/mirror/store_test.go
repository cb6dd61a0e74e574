package mirror

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// binary are the digests of a binary.
var binary = []algorithm{sha256sum, sha512sum}

// write makes a producer of that content.
func write(content string) func(string) error {
	return func(path string) error { return os.WriteFile(path, []byte(content), 0o600) }
}

func TestPutThenVerify(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v1.37.1", "kubelet")
	if err := put(path, 0o755, binary, write("hello")); err != nil {
		t.Fatal(err)
	}
	sum, err := os.ReadFile(path + ".sha256")
	if err != nil {
		t.Fatal(err)
	}
	// dl.k8s.io serves the digest alone: no name, no newline.
	if diff := cmp.Diff("2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824", string(sum)); diff != "" {
		t.Errorf(".sha256 (-want +got):\n%s", diff)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o755 {
		t.Errorf("mode of the file: %v (error %v)", info, err)
	}
	tests := []struct {
		name  string
		spoil func() error
		want  condition
	}{
		{"whole", func() error { return nil }, intact},
		{"changed", func() error { return os.WriteFile(path, []byte("hellO"), 0o755) }, damaged},
		{"without a digest", func() error { return os.Remove(path + ".sha512") }, absent},
		{"without the file", func() error { return errors.Join(put(path, 0o755, binary, write("x")), os.Remove(path)) }, absent},
	}
	for _, tt := range tests {
		if err := tt.spoil(); err != nil {
			t.Fatal(err)
		}
		if got, err := verify(path, binary); err != nil || got != tt.want {
			t.Errorf("%s: verify says %v, %v; want %v", tt.name, got, err, tt.want)
		}
	}
}

func TestPutThatFailsLeavesNothingThatLooksWhole(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "etcd")
	if err := put(path, 0o755, binary, write("old")); err != nil {
		t.Fatal(err)
	}
	broken := errors.New("the compiler has a cold")
	err := put(path, 0o755, binary, func(temporary string) error {
		return errors.Join(write("half")(temporary), broken)
	})
	if !errors.Is(err, broken) {
		t.Errorf("error is %v", err)
	}
	if got, err := verify(path, binary); got != absent || err != nil {
		t.Errorf("verify says %v, %v", got, err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}
