package apply

import (
	"errors"
	"fmt"

	"hardway/provision/addr"
	"hardway/provision/host"
	"hardway/provision/plan"
	"hardway/provision/resource"
	"hardway/provision/state"
)

// remove takes a resource away and puts back what stood there before.
func (r *run) remove(c plan.Change) error {
	if c.Spec.Authority != nil || c.Spec.KeyPair != nil {
		return r.dropMaterial(c)
	}
	h, err := r.hostOf(c)
	if err != nil {
		return err
	}
	if err := r.Store.BeginRemoval(r.ctx, c.Addr); err != nil {
		return err
	}
	prior := state.Prior{}
	if c.Prior != nil {
		prior = *c.Prior
	}
	if err := r.unmake(h, c, prior); err != nil {
		return err
	}
	return r.forget(c.Addr)
}

// forget drops the record of what is gone. With a host's last one goes what
// hardway keeps for itself there, and before it: were it the other way round, a
// failure in between would leave nothing that tells the next destroy of it.
func (r *run) forget(a addr.Address) error {
	if r.mode == plan.Destroy && !a.Host.IsCluster() {
		r.mu.Lock()
		r.left[a.Host]--
		last := r.left[a.Host] == 0
		r.mu.Unlock()
		if last {
			if err := r.leave(a.Host); err != nil {
				return err
			}
		}
	}
	return r.Store.Forget(r.ctx, a)
}

func (r *run) unmake(h host.Host, c plan.Change, prior state.Prior) error {
	switch s := c.Spec; s.Kind() {
	case resource.KindUnit:
		return r.removeUnit(h, s.Unit, prior)
	case resource.KindDirectory:
		return r.removeDirectory(h, s.Directory, prior)
	case resource.KindBlock:
		return r.script(h, "block", s.Block.Path) // no text: the block goes
	case resource.KindSysctl:
		if prior.Value == "" {
			return nil
		}
		return r.script(h, "sysctl", s.Sysctl.Key, prior.Value)
	case resource.KindModule:
		return nil // others may use it by now; it does no harm and is gone at the next boot
	case resource.KindSwap:
		if !prior.Exists {
			return nil
		}
		return r.script(h, "swap-on")
	case resource.KindPackages:
		if !s.Packages.Remove || s.Packages.Manager == "" {
			return nil
		}
		return r.script(h, "packages", "remove", s.Packages.Manager)
	case resource.KindFirewall:
		return r.script(h, "firewall", "restore")
	case resource.KindSELinux:
		return r.script(h, "selinux", "restore")
	case resource.KindImage:
		if prior.Exists {
			return nil
		}
		return r.script(h, "image-remove", s.Image.Ctr, s.Image.Socket, s.Image.Ref)
	case resource.KindObject:
		_, err := r.kubectl(h, s.Object.Kubectl, nil, "delete", s.Object.Kind, s.Object.Name, "--ignore-not-found")
		return err
	case resource.KindNode:
		_, err := r.kubectl(h, s.Node.Kubectl, nil, "delete", "node", s.Node.Name, "--ignore-not-found")
		return err
	}
	return r.removePaths(h, c.Spec, prior)
}

func (r *run) removePaths(h host.Host, s resource.Spec, prior state.Prior) error {
	for _, p := range paths(s) {
		if prior.SavedOnHost {
			if err := r.script(h, "prior-restore", p); err != nil {
				return fmt.Errorf("putting back what stood at %s: %w", p, err)
			}
			continue
		}
		if err := h.Remove(r.ctx, host.Remove{Path: p}); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) removeDirectory(h host.Host, d *resource.Directory, prior state.Prior) error {
	switch {
	case prior.Exists: // before us, and so may be what lies in it
		if (d.Purge || d.Data) && prior.Empty {
			if err := r.script(h, "directory-empty", d.Path); err != nil {
				return err
			}
		}
		if prior.Mode == d.Mode && prior.Owner == d.Owner && prior.Group == d.Group {
			return nil
		}
		return r.script(h, "directory", d.Path, fmt.Sprintf("%04o", prior.Mode), prior.Owner, prior.Group)
	case d.Purge || d.Data:
		return h.Remove(r.ctx, host.Remove{Path: d.Path, Recursive: true})
	}
	var kept *host.ScriptError
	if err := r.script(h, "rmdir", d.Path); err != nil && !(errors.As(err, &kept) && kept.Exit == exitNotEmpty) {
		return err
	}
	return nil // what others, or our own components' logs, left in it stays
}

// exitNotEmpty is how the script rmdir says that it kept a directory.
const exitNotEmpty = 3

func (r *run) removeUnit(h host.Host, u *resource.Unit, prior state.Prior) error {
	for _, action := range []host.UnitAction{host.Stop, host.Disable} {
		if err := h.Unit(r.ctx, u.Name, action); err != nil {
			var script *host.ScriptError
			if !errors.As(err, &script) { // a unit that is gone already cannot be stopped
				return err
			}
		}
	}
	for _, cmd := range u.Cleanup {
		if err := r.script(h, cmd.Script, cmd.Args...); err != nil {
			return fmt.Errorf("cleaning up after %s: %w", u.Name, err)
		}
	}
	if err := r.removePaths(h, resource.Spec{Unit: u}, prior); err != nil {
		return err
	}
	if err := h.Unit(r.ctx, u.Name, host.DaemonReload); err != nil {
		return err
	}
	_ = h.Unit(r.ctx, u.Name, host.ResetFailed)           // nothing to reset is the usual case
	if prior.Unit == nil || prior.Unit.Load != "loaded" { // else it is there again: in our file's place, or behind it
		return nil
	}
	if prior.Unit.Enabled == "enabled" {
		if err := h.Unit(r.ctx, u.Name, host.Enable); err != nil {
			return err
		}
	}
	if prior.Unit.Active == "active" {
		return h.Unit(r.ctx, u.Name, host.Start)
	}
	return nil
}

// leave removes hardway's own directory from a host, as the session's last act
// there, and frees what was allocated to it.
func (r *run) leave(at addr.Host) error {
	h, ok := r.Hosts[at]
	if !ok {
		return fmt.Errorf("%s is not connected", at)
	}
	if err := r.script(h, "state-clear"); err != nil {
		return fmt.Errorf("removing %s: %w", home, err)
	}
	r.allocMu.Lock()
	defer r.allocMu.Unlock()
	have := r.Store.Snapshot().Allocations
	if table := have.Free(at.Name); !table.Equal(have) {
		return r.Store.PutAllocations(r.ctx, table)
	}
	return nil
}

// leaveUnused leaves the hosts on which a destruction found nothing of ours:
// locking made a directory there too.
func (r *run) leaveUnused(before state.Snapshot) {
	used := map[addr.Host]bool{}
	for a := range before.Resources {
		used[a.Host] = true
	}
	for at := range r.Hosts {
		if used[at] {
			continue
		}
		if err := r.leave(at); err != nil {
			r.errs = append(r.errs, fmt.Errorf("%s: %w", at, err))
			r.result.Failed++
		}
	}
}
