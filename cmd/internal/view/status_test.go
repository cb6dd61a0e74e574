package view

import (
	"bytes"
	"testing"
)

func TestStatus(t *testing.T) {
	var b bytes.Buffer
	s := NewStatus(&b, Style{Width: 20})
	s.Set("Reading hosts, %d of %d...", 1, 3)
	s.Clear()
	s.Clear()
	if got, want := b.String(), "\rReading hosts, 1 o…\x1b[K\r\x1b[K"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	quiet := NewStatus(nil, Style{})
	quiet.Set("nobody sees this")
	quiet.Clear()
}
