// Package provision is the façade: plan, apply, verify, renew and destroy a
// cluster, composed from the packages below it.
//
// It connects what is pure with what does: it loads the configuration, dials
// the hosts, has the plan computed and applied. It must never know flags of a
// command line or a terminal.
package provision

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/user"
	"sync"
	"time"

	"github.com/hashicorp/hcl/v2"

	"hardway/provision/addr"
	"hardway/provision/config"
	"hardway/provision/host"
	"hardway/provision/host/ssh"
	"hardway/provision/state"
	"hardway/provision/state/local"
)

// Options of a session.
type Options struct {
	Config      config.Options
	Version     string // of hardway
	Log         *slog.Logger
	Parallelism int           // hosts at once; 0 means 10
	LockTimeout time.Duration // how long to wait for the state's lock
	Settle      time.Duration // how long a restarted process must stay up; 0 means 2 s
	Getenv      func(string) string
	Now         func() time.Time
	// AskSecret asks the person at the terminal for a passphrase; nil where there is
	// nobody.
	AskSecret ssh.AskFunc
	// Dial connects to a host; nil means SSH.
	Dial func(ctx context.Context, h config.Host) (host.Host, error)
}

// Session is a loaded configuration together with the connections that were
// opened for it. Close ends them.
type Session struct {
	opts  Options
	cfg   *config.Cluster
	files *config.Files
	store *local.Store

	mu          sync.Mutex
	hosts       map[addr.Host]host.Host
	unreachable map[addr.Host]error
	routes      *routes
	locked      bool // the state's lock is ours
}

// Open loads the configuration and checks what can be checked without a
// network. The session is nil when a diagnostic is an error; the files are for
// showing their lines.
func Open(opts Options) (*Session, *config.Files, hcl.Diagnostics) {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Getenv == nil {
		opts.Getenv = os.Getenv
	}
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	cfg, files, diags := config.Load(opts.Config)
	if cfg == nil || diags.HasErrors() {
		return nil, files, diags
	}
	if diags = append(diags, checkComponents(cfg)...); diags.HasErrors() {
		return nil, files, diags
	}
	s := &Session{opts: opts, cfg: cfg, files: files, hosts: map[addr.Host]host.Host{}, unreachable: map[addr.Host]error{}}
	s.routes = newRoutes(opts)
	points := newFaultPoints(opts.Getenv)
	s.store = local.New(cfg.State.Path, local.Options{Tool: opts.Version, Now: opts.Now, Step: points.step()})
	if s.opts.Dial == nil {
		s.opts.Dial = points.dialer(s.dialSSH)
	}
	return s, files, diags
}

// Config returns the loaded configuration.
func (s *Session) Config() *config.Cluster { return s.cfg }

// Close ends all connections, which frees the hosts' locks, and the state's lock.
func (s *Session) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	var closing sync.WaitGroup // each waits for its host to end in good order
	failed := make(chan error, len(s.hosts))
	for _, h := range s.hosts {
		closing.Go(func() { failed <- h.Close() })
	}
	closing.Wait()
	close(failed)
	for err := range failed {
		errs = append(errs, err)
	}
	s.hosts = map[addr.Host]host.Host{}
	s.routes.close()
	if s.locked {
		errs = append(errs, s.store.Unlock())
		s.locked = false
	}
	return errors.Join(errs...)
}

// lock takes the state's lock and loads what it guards.
func (s *Session) lock(ctx context.Context, operation string) (state.Snapshot, error) {
	if !s.locked {
		if err := s.store.Lock(ctx, operation, s.opts.LockTimeout); err != nil {
			return state.Snapshot{}, err
		}
		s.locked = true
	}
	snap, rec, err := s.store.Load(ctx)
	if err != nil {
		return snap, initFirst(err)
	}
	if rec.Entries > 0 {
		s.opts.Log.Info("an earlier run ended without closing the state; its journal was read", "entries", rec.Entries, "torn bytes", rec.Torn)
	}
	return snap, nil
}

// load reads the state without locking it.
func (s *Session) load(ctx context.Context) (state.Snapshot, error) {
	snap, _, err := s.store.Load(ctx)
	return snap, initFirst(err)
}

func initFirst(err error) error {
	if errors.Is(err, state.ErrNotInitialised) {
		return fmt.Errorf("%w; run `hardway init` first", err)
	}
	return err
}

// identities finds what opens the sealed part of the state.
func (s *Session) identities() state.IdentitySource {
	dir, _ := os.UserConfigDir()
	return state.IdentitySource{Getenv: s.opts.Getenv, UserDir: dir, ConfigDir: s.cfg.Dir, Now: s.opts.Now}
}

// open opens the sealed keys; a cluster that has none yet needs no identity.
func (s *Session) open(snap state.Snapshot) (state.Secrets, error) {
	if len(snap.Sealed) == 0 {
		return state.Secrets{}, nil
	}
	ids, err := s.identities().Load()
	if err != nil {
		return state.Secrets{}, err
	}
	return snap.Open(ids)
}

// holder says who we are, for those who find a lock.
func (s *Session) holder(operation string) string {
	name := "unknown"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	machine, _ := os.Hostname()
	return fmt.Sprintf("%s@%s, %s, process %d, id %s, since %s", name, machine, operation, os.Getpid(), s.store.LockID(), s.opts.Now().UTC().Format(time.RFC3339))
}
