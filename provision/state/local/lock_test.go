package local

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestLockNamesItsHolder(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hardway.state")
	first := New(path, options)
	must(t, first.Lock(ctx, "apply", 0))
	later := options
	later.Now = func() time.Time { return clock.Add(3 * time.Minute) }
	second := New(path, later)
	err := second.Lock(ctx, "destroy", 0)
	locked := new(LockedError)
	if !errors.As(err, &locked) || locked.Holder.ID != first.lock.info.ID || locked.Age != 3*time.Minute {
		t.Fatalf("got %v", err)
	}
	for _, want := range []string{path, "for apply", fmt.Sprint("process ", os.Getpid()), "3m0s ago", locked.Holder.ID, "--lock-timeout", "2026-11-20 12:00:00", fmt.Sprintf("kill %d", os.Getpid())} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in: %v", want, err)
		}
	}
	if err := second.ForceUnlock(locked.Holder.ID); !errors.As(err, &locked) {
		t.Errorf("the lock of a living process was taken: %v", err)
	}
	must(t, first.Unlock(), first.Unlock(), second.Lock(ctx, "destroy", 0), second.Unlock())
}

// Between taking the lock and writing who took it there is a moment.
func TestLockWaitsForTheNameOfItsHolder(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hardway.state")
	first, second := New(path, options), New(path, options)
	must(t, first.Lock(ctx, "apply", 0))
	must(t, os.Rename(path+infoSuffix, path+".x"))
	time.AfterFunc(20*time.Millisecond, func() { os.Rename(path+".x", path+infoSuffix) })
	locked := new(LockedError)
	if err := second.Lock(ctx, "destroy", 0); !errors.As(err, &locked) || locked.Holder.ID != first.LockID() {
		t.Errorf("got %v", err)
	}
	must(t, os.Rename(path+infoSuffix, path+".x"))
	if err := second.Lock(ctx, "destroy", 0); !errors.As(err, &locked) || locked.Holder.ID != "" || !strings.Contains(err.Error(), "another process") {
		t.Errorf("when it is not written at all: %v", err)
	}
	must(t, os.Rename(path+".x", path+infoSuffix), first.Unlock())
}

func TestLockTimeout(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hardway.state")
	first, second := New(path, options), New(path, options)
	must(t, first.Lock(ctx, "apply", 0))
	if err := second.Lock(ctx, "apply", 250*time.Millisecond); !errors.As(err, new(*LockedError)) {
		t.Errorf("after the timeout: %v", err)
	}
	cancelled, cancel := context.WithCancelCause(ctx)
	enough := errors.New("enough")
	time.AfterFunc(50*time.Millisecond, func() { cancel(enough) })
	if err := second.Lock(cancelled, "apply", time.Hour); !errors.Is(err, enough) {
		t.Errorf("after the cancellation: %v", err)
	}
	time.AfterFunc(50*time.Millisecond, func() { first.Unlock() })
	must(t, second.Lock(ctx, "apply", time.Minute), second.Unlock())
}

// Many writers, one lock: never two inside, and nothing of anybody is lost.
func TestOneWriterAtATime(t *testing.T) {
	s := locked(t)
	must(t, s.Unlock())
	var inside atomic.Int32
	var wg sync.WaitGroup
	for g := range 6 {
		wg.Go(func() {
			s := New(s.path, options)
			for i := range 5 {
				if err := s.Lock(ctx, "apply", time.Minute); err != nil {
					t.Error(err)
					return
				}
				if inside.Add(1) != 1 {
					t.Error("two hold the lock")
				}
				_, _, err := s.Load(ctx)
				err = errors.Join(err, begin(s, g*10+i))
				if i%2 == 0 {
					err = errors.Join(err, s.Commit(ctx))
				}
				inside.Add(-1)
				if err = errors.Join(err, s.Unlock()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	reading := make(chan struct{})
	go func() { // a reader without the lock never sees a mix
		defer close(reading)
		for range 200 {
			if _, _, err := s.Load(ctx); err != nil {
				t.Error(err)
				return
			}
		}
	}()
	wg.Wait()
	<-reading
	if snap, _ := load(t, s); len(snap.Resources) != 30 {
		t.Errorf("%d of 30 resources", len(snap.Resources))
	}
}

func TestForceUnlockClearsADeadHolder(t *testing.T) {
	s := locked(t)
	id := s.lock.info.ID
	s.lock.file.Close()
	s.lock = nil
	if err := s.ForceUnlock("another"); err == nil {
		t.Error("cleared with a wrong ID")
	}
	must(t, s.ForceUnlock(id))
	if err := s.ForceUnlock(id); err == nil || !strings.Contains(err.Error(), "not locked") {
		t.Errorf("got %v", err)
	}
}
