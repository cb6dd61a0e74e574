package apply

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path"

	"hardway/provision/host"
	"hardway/provision/plan"
	"hardway/provision/resource"
	"hardway/provision/state"
)

// home is hardway's own directory on a host.
const home = "/var/lib/hardway"

// make brings one resource on a host to what its spec says.
func (r *run) make(h host.Host, c plan.Change) (state.Done, error) {
	switch s := c.Spec; s.Kind() {
	case resource.KindDirectory:
		d := s.Directory
		return state.Done{}, r.script(h, "directory", d.Path, fmt.Sprintf("%04o", d.Mode), d.Owner, d.Group)
	case resource.KindFile:
		return r.file(h, c, s.File)
	case resource.KindBlock:
		_, err := h.Run(r.ctx, host.Script{Name: "block", Args: []string{s.Block.Path}, Stdin: []byte(s.Block.Content)})
		return state.Done{}, err
	case resource.KindBinary:
		return r.binary(h, c, s.Binary)
	case resource.KindImage:
		return state.Done{}, r.image(h, c, s.Image)
	case resource.KindCertificate:
		return r.certificate(h, c)
	case resource.KindSysctl:
		return state.Done{}, r.script(h, "sysctl", s.Sysctl.Key, s.Sysctl.Value)
	case resource.KindModule:
		return state.Done{}, r.script(h, "module", append([]string{s.Module.Name}, s.Module.Effects...)...)
	case resource.KindSwap:
		return state.Done{}, r.script(h, "swap-off")
	case resource.KindPackages:
		return state.Done{}, r.packages(h, s.Packages)
	case resource.KindFirewall:
		return state.Done{}, r.firewall(h, s.Firewall)
	case resource.KindSELinux:
		return state.Done{}, r.selinux(h, s.SELinux)
	case resource.KindUnit:
		return r.unit(h, c)
	case resource.KindObject:
		return state.Done{}, r.object(h, s.Object)
	case resource.KindNode:
		return state.Done{}, r.node(h, c, s.Node)
	default:
		return state.Done{}, fmt.Errorf("no way to make a %s", s.Kind())
	}
}

func (r *run) script(h host.Host, name string, args ...string) error {
	_, err := h.Run(r.ctx, host.Script{Name: name, Args: args})
	return err
}

// savePrior keeps a copy of what stands in the way, on the host itself: its
// content may be a secret, which has no business in the state. Of a directory
// only mode and owner change, and those are in the state.
func (r *run) savePrior(h host.Host, c *plan.Change) error {
	if !c.Prior.Exists || c.Prior.SHA256 == "" && c.Prior.Target == "" {
		return nil
	}
	for _, p := range paths(c.Spec) {
		if err := r.script(h, "prior-save", p); err != nil {
			return fmt.Errorf("keeping what stands at %s: %w", p, err)
		}
	}
	prior := *c.Prior
	prior.SavedOnHost = true
	c.Prior = &prior
	return nil
}

// paths are all files that a resource owns.
func paths(s resource.Spec) []string {
	if c := s.Certificate; c != nil && !c.Combined {
		return []string{c.KeyPath, c.CertPath}
	}
	return []string{s.Path()}
}

// content is a Put whose bytes are in memory.
func content(p string, m resource.Meta, expect string, b []byte) host.Put {
	return host.Put{
		Path: p, Mode: m.Mode, Owner: m.Owner, Group: m.Group, Size: int64(len(b)), SHA256: resource.SHA256(b), Expect: expect,
		Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b)), nil },
	}
}

func (r *run) file(h host.Host, c plan.Change, f *resource.File) (state.Done, error) {
	b := []byte(f.Content)
	if f.Material != "" {
		var err error
		if b, err = r.open(f.Material); err != nil {
			return state.Done{}, err
		}
	}
	return state.Done{SHA256: resource.SHA256(b)}, h.Put(r.ctx, content(f.Path, f.Meta, c.Expect, b))
}

// open returns material of the state: public from the snapshot, private from
// the opened keys.
func (r *run) open(material string) ([]byte, error) {
	text, _, ok := r.Store.Material().Material(material)
	if !ok {
		return nil, fmt.Errorf("the state has no %s", material)
	}
	if text != nil {
		return text, nil
	}
	r.keyMu.Lock()
	defer r.keyMu.Unlock()
	secret, ok := r.keys[material]
	if !ok {
		return nil, fmt.Errorf("%s is not in the sealed part of the state", material)
	}
	return []byte(secret.Reveal()), nil
}

func (r *run) binary(h host.Host, c plan.Change, b *resource.Binary) (state.Done, error) {
	err := r.upload(h, c, host.Put{
		Path: b.Path, Mode: b.Mode, Owner: b.Owner, Group: b.Group, Size: b.Size, SHA256: b.SHA256, Expect: c.Expect,
		Open: func() (io.ReadCloser, error) { return r.artifact(b.SHA256) },
	})
	return state.Done{SHA256: b.SHA256}, err
}

// available refuses to go back to programs that are not here any more, before
// anything is begun: half way back is no place to be.
func (r *run) available(changes []plan.Change) error {
	seen := map[string]bool{}
	for _, c := range changes {
		digest := ""
		switch {
		case !active(c) || c.Action == plan.Delete || c.Action == plan.Forget:
		case c.Spec.Binary != nil:
			digest = c.Spec.Binary.SHA256
		case c.Spec.Image != nil:
			digest = c.Spec.Image.SHA256
		}
		if digest == "" || seen[digest] {
			continue
		}
		seen[digest] = true
		content, err := r.artifact(digest)
		if err != nil {
			return fmt.Errorf("%s: nothing was changed, because what it goes back to is not here: %w", c.Addr, err)
		}
		_ = content.Close() // nothing was read
	}
	return nil
}

func (r *run) image(h host.Host, c plan.Change, i *resource.Image) (err error) {
	dir := path.Join(home, "images")
	if err := r.script(h, "directory", dir, "0700", "root", "root"); err != nil {
		return err
	}
	archive := path.Join(dir, i.SHA256+".tar")
	err = r.upload(h, c, host.Put{
		Path: archive, Mode: 0o600, Size: i.Size, SHA256: i.SHA256,
		Open: func() (io.ReadCloser, error) { return r.artifact(i.SHA256) },
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, h.Remove(r.ctx, host.Remove{Path: archive})) }()
	return r.script(h, "image-import", i.Ctr, i.Socket, i.Ref, i.SHA256, archive)
}

func (r *run) artifact(sha256 string) (io.ReadCloser, error) {
	rc, _, err := r.Artifacts.Open(sha256)
	return rc, err
}

// upload is a Put that tells how far it is.
func (r *run) upload(h host.Host, c plan.Change, p host.Put) error {
	r.mu.Lock()
	if r.uploads++; r.uploads == 1 {
		r.copying = r.Now()
	}
	r.mu.Unlock()
	defer func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.result.Bytes += p.Size
		if r.uploads--; r.uploads == 0 {
			r.result.Copying += r.Now().Sub(r.copying)
		}
	}()
	open := p.Open
	p.Open = func() (io.ReadCloser, error) {
		rc, err := open()
		if err != nil {
			return nil, err
		}
		return &counting{ReadCloser: rc, run: r, change: c, total: p.Size}, nil
	}
	return h.Put(r.ctx, p)
}

// counting reports every few megabytes that were read.
type counting struct {
	io.ReadCloser
	run        *run
	change     plan.Change
	done, told int64
	total      int64
}

// step is how many bytes lie between two progress events.
const step = 4 << 20

func (c *counting) Read(b []byte) (int, error) {
	n, err := c.ReadCloser.Read(b)
	c.done += int64(n)
	if c.done-c.told >= step || (n > 0 && c.done == c.total) {
		c.told = c.done
		c.run.emit(Event{Phase: Progress, Addr: c.change.Addr, Action: c.change.Action, Done: c.done, Total: c.total})
	}
	return n, err
}
