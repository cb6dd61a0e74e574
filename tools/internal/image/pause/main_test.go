package main

import (
	"errors"
	"os"
	"syscall"
	"testing"
	"time"
)

func TestReapCollectsEveryChild(t *testing.T) {
	for range 3 {
		if _, err := syscall.ForkExec("/bin/true", []string{"true"}, &syscall.ProcAttr{Files: []uintptr{0, 1, 2}, Env: os.Environ()}); err != nil {
			t.Fatal(err)
		}
	}
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		reap()
		if _, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil); errors.Is(err, syscall.ECHILD) {
			return
		}
	}
	t.Error("there are still children after 5 s")
}
