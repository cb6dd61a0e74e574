package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	xssh "golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
	"golang.org/x/sync/errgroup"

	"hardway/provision"
	"hardway/provision/facts"
	"hardway/provision/host/ssh"
)

// childVariable makes this binary do one job in a process of its own, of which
// the kernel then says what it took: processor time and memory of the client
// alone, while the servers are in the parent.
const childVariable = "HARDWAY_BENCH_CHILD"

// job is what a child is told, as JSON on its standard input.
type job struct {
	Kind string // observe, bare, plan, pure

	// Of observe and bare.
	Addresses           []string
	KeyFile, KnownHosts string
	Concurrency         int
	Request             facts.Request
	Known               []string // the contents that are known, of Request.Files
	hostKeys            *ssh.KnownHosts
	Run, State          string // the directories on the hosts

	Dir   string // of plan: the configuration; of pure: an empty one
	Hosts int    // of pure
}

// report is what a child answers.
type report struct {
	Wall    time.Duration // of the job alone, without the start of the process
	CPU     time.Duration // user and system, of the whole process
	Peak    int64         // bytes resident at most
	Changes int
	Done    []time.Duration // when each host was done, in order
	Unknown int
	Changed bool
}

func TestMain(m *testing.M) {
	if os.Getenv(childVariable) == "" {
		os.Exit(m.Run())
	}
	var j job
	if err := json.NewDecoder(os.Stdin).Decode(&j); err != nil {
		fmt.Fprintln(os.Stderr, "reading the job:", err)
		os.Exit(2)
	}
	r, err := j.do(context.Background())
	if err == nil {
		r.Peak, err = peakMemory()
	}
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(r)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// child does a job in a new process.
func child(ctx context.Context, j job) (report, error) {
	text, err := json.Marshal(j)
	if err != nil {
		return report{}, err
	}
	self, err := os.Executable()
	if err != nil {
		return report{}, err
	}
	cmd := exec.CommandContext(ctx, self)
	cmd.Env = append(os.Environ(), childVariable+"=1", "SSH_AUTH_SOCK=")
	cmd.Stdin = bytes.NewReader(text)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		return report{}, fmt.Errorf("%s: %w: %s", j.Kind, err, errs.String())
	}
	var r report
	if err := json.Unmarshal(out, &r); err != nil {
		return r, fmt.Errorf("%s: %w", j.Kind, err)
	}
	r.CPU = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	return r, nil
}

func peakMemory() (int64, error) {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0, err
	}
	// Of a process that was forked from a large one the kernel's own peak is that
	// of the large one; VmHWM begins anew with exec.
	if text, err := os.ReadFile("/proc/self/status"); err == nil {
		for line := range strings.Lines(string(text)) {
			if v, ok := strings.CutPrefix(line, "VmHWM:"); ok {
				if kb, err := strconv.ParseInt(strings.Fields(v)[0], 10, 64); err == nil {
					return kb << 10, nil
				}
			}
		}
	}
	return u.Maxrss << 10, nil
}

func (j job) do(ctx context.Context) (report, error) {
	begun := time.Now()
	for i, text := range j.Known { // a request is written down without it
		j.Request.Files[i].Known = facts.Knowing(text)
	}
	var r report
	var err error
	switch j.Kind {
	case "observe":
		if j.hostKeys, err = ssh.ReadKnownHosts(j.KnownHosts); err == nil { // once for all, as package provision does
			r, err = j.each(ctx, j.observe)
		}
	case "bare":
		r, err = j.each(ctx, j.bare)
	case "plan":
		r, err = j.plan(ctx)
	case "pure":
		return j.pure()
	default:
		err = fmt.Errorf("no job %q", j.Kind)
	}
	r.Wall = time.Since(begun)
	return r, err
}

// each reads every host, so many at once, and keeps all connections until the
// last is read, as a plan does.
func (j job) each(ctx context.Context, read func(context.Context, string) (io.Closer, error)) (report, error) {
	begun := time.Now()
	var mu sync.Mutex
	var r report
	var open []io.Closer
	g := errgroup.Group{}
	g.SetLimit(j.Concurrency)
	for _, address := range j.Addresses {
		g.Go(func() error {
			c, err := read(ctx, address)
			if err != nil {
				return fmt.Errorf("%s: %w", address, err)
			}
			mu.Lock()
			defer mu.Unlock()
			open, r.Done = append(open, c), append(r.Done, time.Since(begun))
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return r, err
	}
	slices.Sort(r.Done)
	closing := errgroup.Group{}
	for _, c := range open {
		closing.Go(func() error {
			if err := c.Close(); err != nil && !errors.Is(err, io.EOF) {
				return err
			}
			return nil
		})
	}
	return r, closing.Wait()
}

// observe is one connection and one observation, as package provision makes them.
func (j job) observe(ctx context.Context, address string) (io.Closer, error) {
	h, err := ssh.Dial(ctx, ssh.Config{
		Name: address, Address: address, User: "root", PrivateKeys: []string{j.KeyFile}, Known: j.hostKeys,
		ConnectTimeout: 30 * time.Second, RunDir: filepath.Join(j.Run, address), StateDir: filepath.Join(j.State, address),
	})
	if err != nil {
		return nil, err
	}
	o, err := h.Observe(ctx, j.Request)
	if err != nil {
		return h, err
	}
	for _, f := range j.Request.Files {
		if len(o.Files[f.Path].SHA256) != 64 {
			return h, fmt.Errorf("%s has no digest", f.Path)
		}
	}
	return h, nil
}

// bare is what anybody would write with x/crypto/ssh: dial, one command, its output.
func (j job) bare(ctx context.Context, address string) (io.Closer, error) {
	key, err := os.ReadFile(j.KeyFile)
	if err != nil {
		return nil, err
	}
	signer, err := xssh.ParsePrivateKey(key)
	if err != nil {
		return nil, err
	}
	line, err := os.ReadFile(j.KnownHosts)
	if err != nil {
		return nil, err
	}
	first, _, _ := strings.Cut(string(line), "\n")
	_, _, hostKey, _, _, err := xssh.ParseKnownHosts([]byte(strings.Replace(first, strings.Fields(first)[0], knownhosts.Normalize(address), 1)))
	if err != nil {
		return nil, err
	}
	c, err := xssh.Dial("tcp", address, &xssh.ClientConfig{User: "root", Auth: []xssh.AuthMethod{xssh.PublicKeys(signer)},
		HostKeyCallback: xssh.FixedHostKey(hostKey), HostKeyAlgorithms: []string{hostKey.Type()}})
	if err != nil {
		return nil, err
	}
	s, err := c.NewSession()
	if err != nil {
		return c, err
	}
	defer s.Close()
	out, err := s.Output(rawCommand)
	if err == nil && len(out) == 0 {
		err = errors.New("it printed nothing")
	}
	return c, err
}

// plan is a whole plan over SSH: configuration, state, hosts.
func (j job) plan(ctx context.Context) (report, error) {
	s, err := openSession(j.Dir, "", nil)
	if err != nil {
		return report{}, err
	}
	p, err := s.Plan(ctx, provision.PlanOptions{})
	if err != nil {
		return report{}, errors.Join(err, s.Close())
	}
	r := report{Changes: len(p.Changes), Unknown: len(p.Unknown), Changed: p.Changed()}
	runtime.KeepAlive(p)
	return r, s.Close()
}

// pure is the path without a network, once, in a process that did nothing else.
func (j job) pure() (report, error) {
	p, err := newPure(j.Dir, j.Hosts)
	if err != nil {
		return report{}, err
	}
	begun := time.Now()
	kept, err := p.run()
	if err != nil {
		return report{}, err
	}
	r := report{Wall: time.Since(begun), Changes: len(kept.plan.Changes)}
	runtime.KeepAlive(kept)
	return r, nil
}
