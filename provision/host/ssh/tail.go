package ssh

import (
	"bytes"
	"errors"
	"io"
	"sync"
)

// tail keeps the end of a channel's standard error: what sudo and the shell say
// when something goes wrong. The loop's signs of life (dots) are not kept.
type tail struct {
	mu     sync.Mutex
	kept   []byte
	seen   []byte // of the prompt, across writes
	alive  func() // called at every byte that arrives
	asked  func() // called at every prompt
	cutOff bool
}

const tailSize = 4 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.alive()
	t.mu.Lock()
	prompts := 0
	if !t.cutOff {
		t.seen = append(t.seen, p...)
		for {
			_, after, found := bytes.Cut(t.seen, []byte(prompt))
			if !found {
				break
			}
			prompts++
			t.seen = after
		}
		if over := len(t.seen) - len(prompt); over > 0 {
			t.seen = append([]byte(nil), t.seen[over:]...)
		}
	}
	if len(bytes.Trim(p, ".")) > 0 {
		t.kept = append(t.kept, p...)
		if over := len(t.kept) - tailSize; over > 0 {
			t.kept = append([]byte(nil), t.kept[over:]...)
		}
	}
	t.mu.Unlock()
	for range prompts {
		t.asked()
	}
	return len(p), nil
}

// ReadFrom is what io.Copy calls: its own buffer of 32 KiB would stay for as long
// as the channel does.
func (t *tail) ReadFrom(r io.Reader) (int64, error) {
	var total int64
	b := make([]byte, 512)
	for {
		n, err := r.Read(b)
		total += int64(n)
		_, _ = t.Write(b[:n])
		if errors.Is(err, io.EOF) {
			return total, nil
		}
		if err != nil {
			return total, err
		}
	}
}

// stopAsking ends the search for prompts: root is there, and whatever looks like
// a prompt now is only output.
func (t *tail) stopAsking() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.cutOff, t.seen = true, nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.kept)
}
