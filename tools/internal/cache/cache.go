// Package cache is the directory in which the tools keep what took long to make. Only one of them works in it at a
// time. It must never know what is kept.
package cache

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// Dir is the opened cache directory.
type Dir struct {
	root string
	lock *os.File
}

// Open opens $HARDWAY_CACHE, else ~/.cache/hardway, and waits until no other tool is at work in it. The kernel drops the
// lock with the process, however it ends.
func Open(ctx context.Context) (*Dir, error) {
	root := os.Getenv("HARDWAY_CACHE")
	if root == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return nil, fmt.Errorf("finding the cache: %w (set HARDWAY_CACHE)", err)
		}
		root = filepath.Join(home, ".cache", "hardway")
	}
	root, err := filepath.Abs(root)
	if err != nil {
		return nil, fmt.Errorf("finding the cache: %w", err)
	}
	if err := os.MkdirAll(filepath.Join(root, "build"), 0o755); err != nil {
		return nil, fmt.Errorf("making the cache: %w", err)
	}
	lock, err := os.OpenFile(filepath.Join(root, "build", "lock"), os.O_CREATE|os.O_RDWR|syscall.O_CLOEXEC, 0o644)
	if err != nil {
		return nil, fmt.Errorf("opening the cache's lock: %w", err)
	}
	for told := false; ; told = true {
		err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return &Dir{root: root, lock: lock}, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("locking %s: %w", lock.Name(), err)
		}
		if !told {
			fmt.Fprintf(os.Stderr, "another tool is at work in %s: waiting for it\n", root)
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(time.Second):
		}
	}
}

// Close lets the next tool in.
func (d *Dir) Close() error { return d.lock.Close() }

// Path is a path in the cache.
func (d *Dir) Path(parts ...string) string {
	return filepath.Join(append([]string{d.root}, parts...)...)
}

// Log opens a new log file in the build directory.
func (d *Dir) Log(name string) (*os.File, error) {
	log, err := os.Create(d.Path("build", name))
	if err != nil {
		return nil, fmt.Errorf("opening the log: %w", err)
	}
	return log, nil
}
