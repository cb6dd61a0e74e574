package ssh

import (
	"bytes"
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
