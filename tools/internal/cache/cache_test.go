package cache

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"
)

func TestOneToolAtATime(t *testing.T) {
	root := t.TempDir()
	t.Setenv("HARDWAY_CACHE", root)
	first, err := Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got, want := first.Path("build", "x"), filepath.Join(root, "build", "x"); got != want {
		t.Errorf("path %s, want %s", got, want)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := Open(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a second tool got in: error %v", err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	second, err := Open(t.Context())
	if err != nil {
		t.Fatalf("the next tool is kept out: %v", err)
	}
	if err := second.Close(); err != nil {
		t.Fatal(err)
	}
}
