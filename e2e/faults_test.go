//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"
)

// faults are one sequence of runs of the binary with fault points: what the hook
// remembers, and what the runs must leave alone.
type faults struct {
	l   *lab
	dir string

	removal bool // what is there may go

	authorities map[string]string // fingerprints at their first appearance
	keys        map[string]string // of key files, by host and path
	reissued    int
}

// newFaults begins a sequence: the rule is applied at every so many-th point with
// a label that is new to the sequence.
func newFaults(l *lab, rule string, every, offset int) *faults {
	l.t.Helper()
	f := &faults{l: l, dir: l.t.TempDir(), authorities: map[string]string{}, keys: map[string]string{}}
	if err := appendTo(f.dir, hookRule, fmt.Sprintf("%s %d %d\n", rule, every, offset)); err != nil {
		l.t.Fatal(err)
	}
	return f
}

// faultsBinary is the binary with fault points; the product's must have none.
func (l *lab) faultsBinary() string {
	l.t.Helper()
	const mark = "HARDWAY_FAULT_HOOK"
	bin := l.bin + "-faults"
	for path, want := range map[string]bool{l.bin: false, bin: true} {
		b, err := os.ReadFile(path)
		if err != nil {
			l.t.Fatalf("%v (run make e2e)", err)
		}
		if bytes.Contains(b, []byte(mark)) != want {
			l.t.Fatalf("%s: has fault points: %v, want %v (run make e2e)", path, !want, want)
		}
	}
	return bin
}

// run runs hardway with the hook. Killed is set when the hook killed it.
func (f *faults) run(args ...string) (r result, killed bool) {
	f.l.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	self, err := os.Executable()
	if err != nil {
		f.l.t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, f.l.faultsBinary(), args...)
	cmd.Dir, cmd.Env = f.l.dir, append(slices.Clone(f.l.env), "HARDWAY_FAULT_HOOK="+self, hookDir+"="+f.dir)
	var out, errout bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errout
	// Hooks of other points may hold the pipes for a moment longer.
	cmd.WaitDelay = 5 * time.Second
	err = cmd.Run()
	r = result{out: out.String(), errout: errout.String()}
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		status, _ := exit.Sys().(syscall.WaitStatus)
		killed = status.Signaled() && status.Signal() == syscall.SIGKILL
		r.exit = exit.ExitCode()
	case err != nil && !errors.Is(err, exec.ErrWaitDelay):
		f.l.t.Fatalf("hardway %v: %v", args, err)
	}
	return r, killed
}

// lockHeld is in the text of a run that met another one's lock.
var lockHeld = regexp.MustCompile(`lock\s+of\s+this\s+host\s+is\s+held\s+by|is\s+locked\s+by`)

// untilDone runs hardway again and again, until no point is left at which to
// kill it and it finishes with exit 0. Every run but the last must have died, and
// at a point at which none died before. It logs what it counted.
func (f *faults) untilDone(what string, args ...string) {
	f.l.t.Helper()
	begin := time.Now()
	const most = 3000
	waits := 0
	for runs := 1; ; runs++ {
		died := len(readLines(f.dir, hookActed))
		r, killed := f.run(args...)
		now := readLines(f.dir, hookActed)
		switch {
		case killed && len(now) != died+1:
			f.l.t.Fatalf("%s: run %d was killed, but at no new point", what, runs)
		case killed:
			f.unharmed(now[len(now)-1], runs%20 == 0)
		case r.exit == 0:
			f.unharmed("the end", true)
			f.l.t.Logf("%s: %d points passed, %d labels, %d kills in %d runs, %d of them met the lock of the one before for a moment; %d key files were issued anew; %.0f s",
				what, f.points(), len(readLines(f.dir, hookCovered)), len(now), runs, waits, f.reissued, time.Since(begin).Seconds())
			return
		case lockHeld.MatchString(r.all()) && waits < runs/4+3: // the host takes a moment to notice that the session is dead
			waits++
			time.Sleep(500 * time.Millisecond)
		default:
			last := "none"
			if died > 0 {
				last = now[died-1]
			}
			f.l.t.Fatalf("%s: run %d, after a death at %q: exit %d\n%s", what, runs, last, r.exit, tail(r.all(), 8000))
		}
		if runs > most {
			f.l.t.Fatalf("%s: not done after %d runs; the last deaths:\n%s", what, runs, strings.Join(now[max(0, len(now)-10):], "\n"))
		}
	}
}

func (f *faults) points() int64 {
	info, err := os.Stat(filepath.Join(f.dir, hookPoints))
	if err != nil {
		return 0
	}
	return info.Size()
}

// remembered is what the state says in public.
type remembered struct {
	Serial      uint64 `json:"serial"`
	Lineage     string `json:"lineage"`
	Authorities map[string]struct {
		CertPEM string `json:"cert_pem"`
	} `json:"authorities"`
	Resources map[string]struct {
		Pending     bool `json:"pending"`
		Certificate *struct {
			KeySHA256 string `json:"key_sha256"`
		} `json:"certificate"`
	} `json:"resources"`
}

// state reads the state with what the journal of a dead run holds.
func (l *lab) state() remembered {
	l.t.Helper()
	cmd := l.command(context.Background(), "state", "pull")
	out, err := cmd.Output()
	if err != nil {
		l.t.Fatalf("hardway state pull: %v", err)
	}
	var s remembered
	if err := json.Unmarshal(out, &s); err != nil {
		l.t.Fatalf("hardway state pull: %v\n%s", err, tail(string(out), 2000))
	}
	return s
}

// unharmed fails when an authority is not what it was at first. With hosts, it
// fails too when a key file of a host is gone, or another although the state knew
// its certificate.
func (f *faults) unharmed(after string, hosts bool) {
	f.l.t.Helper()
	s := f.l.state()
	for name, a := range s.Authorities {
		print := fmt.Sprintf("%x", sha256.Sum256([]byte(a.CertPEM)))
		if was, ok := f.authorities[name]; ok && was != print {
			f.l.t.Fatalf("after a death at %q: the authority %s is another one", after, name)
		}
		f.authorities[name] = print
	}
	for name := range f.authorities {
		if _, ok := s.Authorities[name]; !ok && !f.removal {
			f.l.t.Fatalf("after a death at %q: the authority %s is gone", after, name)
		}
	}
	if !hosts || f.removal {
		return
	}
	recorded := map[string]bool{}
	for _, r := range s.Resources {
		if r.Certificate != nil && !r.Pending {
			recorded[r.Certificate.KeySHA256] = true
		}
	}
	now := f.l.keyFiles()
	for path, was := range f.keys {
		switch is, ok := now[path]; {
		case !ok:
			f.l.t.Fatalf("after a death at %q: the key file %s is gone", after, path)
		case is != was:
			f.reissued++
			if recorded[was] {
				f.l.t.Fatalf("after a death at %q: %s has another key, though the state has the certificate of the former one", after, path)
			}
		}
	}
	maps.Copy(f.keys, now)
}

// keyFiles are the digests of all private keys on the hosts, by host and path.
func (l *lab) keyFiles() map[string]string {
	l.t.Helper()
	out := map[string]string{}
	for _, h := range names {
		list := l.on(h, `find /etc/kubernetes /etc/etcd /var/lib/kubelet/pki -type f \( -name '*.key' -o -name '*-key.pem' -o -name 'kubelet-client-2*.pem' \) -print0 2>/dev/null | xargs -0 -r sha256sum`)
		for line := range strings.Lines(list) {
			if sum, path, ok := strings.Cut(strings.TrimSpace(line), "  "); ok {
				out[h+":"+path] = sum
			}
		}
	}
	return out
}

// tidy fails when an interrupted write has left something on a host.
func (l *lab) tidy() {
	l.t.Helper()
	for _, h := range names {
		if got := l.on(h, `find / -xdev -path /proc -prune -o -name '.hardway.*' -print 2>/dev/null; find /var/lib -name '.hardway.*' 2>/dev/null`); got != "" {
			l.t.Errorf("%s: temporary files were left:\n%s", h, got)
		}
	}
	l.emptyFiles()
	left, err := filepath.Glob(filepath.Join(l.dir, ".hardway.state*[0-9]"))
	if err != nil || len(left) > 0 {
		l.t.Errorf("temporary files were left beside the state: %v, %v", left, err)
	}
}

// emptyFiles fails when a file that hardway writes is there without its content.
func (l *lab) emptyFiles() {
	l.t.Helper()
	for _, h := range names {
		if got := l.on(h, `find /etc/kubernetes /etc/systemd/system /etc/containerd /etc/cni /etc/sysctl.d /etc/modules-load.d /opt/cni /var/lib/hardway /var/lib/kubelet/pki /var/lib/kubelet/config.yaml /usr/local/bin `+
			`-type f -size 0 ! -path /var/lib/hardway/lock 2>/dev/null || true`); got != "" {
			l.t.Errorf("%s: empty files:\n%s", h, got)
		}
	}
}
