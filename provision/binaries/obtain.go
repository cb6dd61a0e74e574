package binaries

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// Image is an image archive to take into the cache.
type Image struct {
	Ref  string // registry.example.com/pause:3.10
	Path string // of the archive, as `ctr images import` takes it
}

// Options say what to obtain and from where.
type Options struct {
	Wanted []Artifact
	Images []Image
	// Source is a directory, or an https base, in the layout of dl.k8s.io.
	Source string
	// Sources override Source for single groups.
	Sources map[Group]string
	// Mirrors are asked in order for what could not be had before them. Each has
	// everything, in the layout of Source.
	Mirrors []string
	// Archive takes Kubernetes' programs out of its release archives.
	Archive bool
	// Proxy is the http proxy of all downloads; empty leaves that to the environment.
	Proxy string
	Cache *Cache
	Lock  Lock // what is pinned now; empty at the first init
	// Upgrade accepts other bytes under a pinned version, and pins them.
	Upgrade bool
	// Progress, when set, is told about each transfer, from several goroutines.
	Progress func(Progress)
	Now      func() time.Time

	retryWait time.Duration // for tests; half a second unless set
}

// Progress of one transfer. Total is -1 while the size is unknown.
type Progress struct {
	Name     string // of the file: kubelet 1.37.1 (amd64), or an archive's
	Source   string
	Done     int64 // bytes
	Total    int64
	Finished bool
}

// Action is what became of one file.
type Action string

// The actions.
const (
	Kept     Action = "kept"      // pinned, and in the cache
	Fetched  Action = "fetched"   // pinned, and brought into the cache
	Pinned   Action = "pinned"    // new
	Repinned Action = "re-pinned" // another version, or accepted with Upgrade
)

// Item is one line of the result.
type Item struct {
	Name   string // component or image reference
	Arch   string // empty for an image
	Action Action
	Pin    Pin
}

// Result is what Obtain did. Lock is to be written to the lock file.
type Result struct {
	Lock  Lock
	Items []Item // by name and architecture, images last
}

// parallel is how many transfers run at once.
const parallel = 4

// Obtain brings all that is wanted into the cache and returns the lock that pins
// it, with nothing in it that is not wanted any more. A file that is pinned and
// cached is not asked for again, so that a second init works offline. If
// anything fails there is no new lock, and nothing of the failed file stays.
func Obtain(ctx context.Context, opts Options) (Result, error) {
	if opts.Progress == nil {
		opts.Progress = func(Progress) {}
	}
	o := &obtainer{Options: opts, lock: Lock{Binaries: map[Key]Pin{}, Images: map[string]ImagePin{}}}
	opts.Cache.sweep(opts.Now())
	client := newWeb(cmp.Or(opts.retryWait, 500*time.Millisecond), opts.Proxy)
	var failed error
	for i, source := range append([]string{opts.Source}, opts.Mirrors...) {
		overrides, images := opts.Sources, opts.Images
		if i > 0 { // a mirror has everything but images, which are files of the user's
			overrides, images = nil, nil
		}
		downloads, err := resolve(o.Wanted, source, overrides, opts.Archive, client)
		if err != nil {
			return Result{}, err
		}
		missing, err := o.pass(ctx, downloads, images, i < len(opts.Mirrors))
		if err != nil {
			return Result{}, errors.Join(failed, err)
		}
		failed = errors.Join(failed, missing.err)
		if o.Wanted = missing.artifacts; len(o.Wanted) == 0 {
			break
		}
	}
	slices.SortFunc(o.items, func(a, b Item) int {
		return cmp.Or(cmp.Compare(min(len(b.Arch), 1), min(len(a.Arch), 1)), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Arch, b.Arch))
	})
	return Result{Lock: o.lock, Items: o.items}, nil
}

// missing is what a source did not have, and why.
type missing struct {
	artifacts []Artifact
	err       error
}

// pass obtains downloads and images from one source. With another source to come,
// what could not be had is returned; bytes that are wrong end it in any case, for
// somebody should look at them.
func (o *obtainer) pass(ctx context.Context, downloads []*download, images []Image, more bool) (missing, error) {
	var mu sync.Mutex
	var out missing
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for _, d := range downloads {
		group.Go(func() error {
			err := o.download(ctx, d)
			if err == nil || !more || ctx.Err() != nil || errors.As(err, new(*MismatchError)) {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			for _, p := range d.parts {
				out.artifacts = append(out.artifacts, p.artifact)
			}
			out.err = errors.Join(out.err, err)
			return nil
		})
	}
	for _, i := range images {
		group.Go(func() error { return o.image(ctx, i) })
	}
	err := group.Wait()
	slices.SortFunc(out.artifacts, compareArtifacts)
	return out, err
}

type obtainer struct {
	Options

	mu    sync.Mutex
	lock  Lock // the new one
	items []Item
}

// pinned returns the pin that the artifact's bytes must have, if there is one.
func (o *obtainer) pinned(a Artifact) (Pin, bool) {
	p, ok := o.Lock.Binary(a.Component, a.Arch)
	return p, ok && p.Version == a.Version && !o.Upgrade
}

func (o *obtainer) download(ctx context.Context, d *download) error {
	kept := 0
	for _, p := range d.parts {
		pin, ok := o.pinned(p.artifact)
		if ok {
			var err error
			if ok, err = o.Cache.has(pin.SHA256); err != nil {
				return err
			}
		}
		if ok {
			kept++
		}
	}
	if kept == len(d.parts) {
		for _, p := range d.parts {
			pin, _ := o.pinned(p.artifact)
			o.add(p.artifact, pin, Kept)
		}
		return nil
	}
	name, source := d.parts[0].artifact.String(), d.place.name(d.rel)
	if d.parts[0].member != "" {
		name = path.Base(d.rel)
	}
	if reason := d.place.checkedOnly(); reason != "" {
		for _, p := range d.parts {
			if _, ok := o.pinned(p.artifact); !ok {
				return fmt.Errorf("%s from %s: refused, because it is not pinned in %s yet, and %s; use https or a directory", name, source, LockName, reason)
			}
		}
	}
	sum, err := d.readSum(ctx)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	e, err := o.fetch(ctx, d.place, d.rel, name, maxFile)
	if err != nil {
		return err
	}
	defer e.close()
	if got := e.digest(sum.algorithm); got != sum.digest {
		return &MismatchError{What: name, Source: source, Against: sum.where, Algorithm: sum.algorithm, Expected: sum.digest, Actual: got}
	}
	entries := map[string]*entry{"": e}
	if d.parts[0].member != "" {
		if entries, err = o.unpack(ctx, d, e); err != nil {
			return fmt.Errorf("%s from %s: %w", name, source, err)
		}
		for _, m := range entries {
			defer m.close()
		}
	}
	for _, p := range d.parts { // all are right before any is kept
		if err := o.check(p, entries[p.member], d.source(p)); err != nil {
			return err
		}
	}
	for _, p := range d.parts {
		m := entries[p.member]
		if err := m.commit(); err != nil {
			return err
		}
		o.addFetched(p.artifact, m, d.source(p))
	}
	return nil
}

// source names where an artifact came from.
func (d *download) source(p part) string {
	if p.member == "" {
		return d.place.name(d.rel)
	}
	return d.place.name(d.rel) + "!" + p.member
}

// check holds a fetched artifact against its pin and its architecture.
func (o *obtainer) check(p part, e *entry, source string) error {
	a := p.artifact
	if e.size == 0 {
		return fmt.Errorf("%s from %s is empty", a, source)
	}
	if pin, ok := o.pinned(a); ok && pin.SHA256 != e.digest("sha256") {
		return &MismatchError{What: a.String(), Source: source, Against: lockLine(pin.Range.Filename, pin.Range.Start.Line), Pinned: true,
			Algorithm: "sha256", Expected: pin.SHA256, Actual: e.digest("sha256")}
	}
	if err := checkMachine(e.head, a.Arch); err != nil {
		return fmt.Errorf("%s from %s: %w", a, source, err)
	}
	return nil
}

func lockLine(file string, line int) string {
	if file == "" {
		return LockName
	}
	return fmt.Sprintf("%s:%d", file, line)
}

func (o *obtainer) addFetched(a Artifact, e *entry, source string) {
	pin := Pin{Version: a.Version, SHA256: e.digest("sha256"), Size: e.size, Source: source}
	old, known := o.Lock.Binary(a.Component, a.Arch)
	switch {
	case !known:
		o.add(a, pin, Pinned)
	case old.Version == pin.Version && old.SHA256 == pin.SHA256:
		o.add(a, old, Fetched) // with the old source: another mirror is no change
	default:
		o.add(a, pin, Repinned)
	}
}

func (o *obtainer) add(a Artifact, pin Pin, did Action) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.lock.Binaries[Key{a.Component, a.Arch}] = pin
	o.items = append(o.items, Item{Name: a.Component, Arch: a.Arch, Action: did, Pin: pin})
}
