package progress

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestStep(t *testing.T) {
	tests := []struct {
		name     string
		terminal bool
		err      error
		want     string
	}{
		{name: "log", want: "linking x … 30 s, still at it\nlinking x … 60 s, still at it\nlinking x … 74 s\n"},
		{name: "log, failed", err: errors.New("no"), want: "linking x … 30 s, still at it\nlinking x … 60 s, still at it\nlinking x … 74 s, failed\n"},
		{name: "terminal", terminal: true, want: "linking x …\rlinking x … 30 s\rlinking x … 60 s\rlinking x … 74 s\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var out strings.Builder
				r := &Reporter{out: &out, terminal: tt.terminal, now: time.Now, every: 30 * time.Second}
				err := r.Step("linking x", func() error {
					time.Sleep(74 * time.Second)
					return tt.err
				})
				if !errors.Is(err, tt.err) {
					t.Errorf("error is %v, want %v", err, tt.err)
				}
				if diff := cmp.Diff(tt.want, out.String()); diff != "" {
					t.Errorf("lines (-want +got):\n%s", diff)
				}
			})
		})
	}
}
