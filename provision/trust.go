package provision

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"hardway/provision/addr"
	"hardway/provision/config"
	"hardway/provision/host/ssh"
)

// HostKeys is what a machine shows of itself before anybody logs in, and what
// known_hosts has of it.
type HostKeys struct {
	Name    string   // master["m1"], or bastion jump.example.com
	Address string   // that was dialled, HOST:PORT
	Bastion bool     // it is on the way to hosts
	Hosts   []string // of the cluster: itself, or those behind it
	File    string   // the known_hosts file that would learn the keys
	Keys    []ssh.HostKey
	// Known is set when the machine is known by one of its keys. Else it is unknown,
	// unless Err says why its keys cannot be had or must not be learned.
	Known bool
	Err   error

	learn ssh.Learned
}

// Unknown reports whether the keys could be learned.
func (k HostKeys) Unknown() bool { return !k.Known && k.Err == nil }

// HostKeys asks machines for their keys: those hosts, all when none is named, and the
// bastions on their way. What is behind a bastion that is not trusted yet is left out;
// trust it, and ask again. Nothing is logged into but bastions that are known.
func (s *Session) HostKeys(ctx context.Context, names []string) ([]HostKeys, error) {
	hosts, err := s.named(names)
	if err != nil {
		return nil, err
	}
	s.routes.forget()
	var mu sync.Mutex
	found := map[string]*HostKeys{} // by what is dialled and what knows it
	note := func(k HostKeys) bool {
		mu.Lock()
		defer mu.Unlock()
		id := fmt.Sprintf("%s %s %s", k.Address, k.learn.Alias, k.File)
		if old := found[id]; old != nil {
			old.Hosts = append(old.Hosts, k.Hosts...)
			return old.Known
		}
		found[id] = &k
		return k.Known
	}
	s.each(func(h config.Host) {
		if !slices.Contains(hosts, h.Addr) {
			return
		}
		way, err := s.routes.way(ctx, h)
		if err != nil {
			note(HostKeys{Name: h.Addr.String(), Address: joinHostPort(h.SSH.Host, h.SSH.Port), Hosts: []string{h.Addr.String()}, Err: err})
			return
		}
		for i, c := range way {
			k := look(ctx, c)
			k.Bastion, k.Hosts = i < len(way)-1, []string{h.Addr.String()}
			if !note(k) {
				return // what is behind it cannot be reached yet
			}
		}
	})
	var out []HostKeys
	for _, k := range found {
		slices.Sort(k.Hosts)
		out = append(out, *k)
	}
	slices.SortFunc(out, func(a, b HostKeys) int { return strings.Compare(a.Name+a.Address, b.Name+b.Address) })
	return out, ctx.Err()
}

// look asks one machine, and known_hosts about it.
func look(ctx context.Context, c ssh.Config) HostKeys {
	k := HostKeys{Name: c.Name, Address: c.Address, learn: ssh.Learned{Address: c.Address, Alias: c.HostKeyAlias}}
	if len(c.KnownHosts) == 0 {
		k.Err = fmt.Errorf("%s: no known_hosts file is configured; write ssh { known_hosts = … }", c.Name)
		return k
	}
	k.File = c.KnownHosts[0]
	if k.Keys, k.Err = ssh.HostKeys(ctx, c); k.Err != nil {
		return k
	}
	err := c.Known.Check(c, k.Keys)
	if _, unknown := errors.AsType[*ssh.UnknownHostError](err); !unknown {
		k.Known, k.Err = err == nil, err
	}
	return k
}

// Trust adds keys to their known_hosts files; Keys may have been narrowed since
// HostKeys found them. It refuses what HostKeys did not call
// unknown: a key that differs from the known one is never replaced.
func (s *Session) Trust(_ context.Context, keys []HostKeys) error {
	byFile := map[string][]ssh.Learned{}
	var files []string
	for _, k := range keys {
		if !k.Unknown() {
			return fmt.Errorf("%s: its key cannot be added to %s: %w", k.Name, k.File, errors.Join(k.Err, errKnown))
		}
		if byFile[k.File] == nil {
			files = append(files, k.File)
		}
		k.learn.Keys = k.Keys
		byFile[k.File] = append(byFile[k.File], k.learn)
	}
	for _, file := range files {
		if err := ssh.Learn(file, byFile[file]); err != nil {
			return err
		}
	}
	s.routes.forget()
	return nil
}

var errKnown = errors.New("only a host that is unknown is added")

// named finds hosts by name or address; none means all.
func (s *Session) named(names []string) ([]addr.Host, error) {
	var out []addr.Host
	for _, h := range s.cfg.Hosts {
		if len(names) == 0 {
			out = append(out, h.Addr)
		}
	}
	for _, name := range names {
		i := slices.IndexFunc(s.cfg.Hosts, func(h config.Host) bool { return h.Name == name || h.Addr.String() == name })
		if i < 0 {
			var known []string
			for _, h := range s.cfg.Hosts {
				known = append(known, h.Name)
			}
			return nil, fmt.Errorf("there is no host %q; the hosts are %s", name, strings.Join(known, ", "))
		}
		out = append(out, s.cfg.Hosts[i].Addr)
	}
	return out, nil
}
