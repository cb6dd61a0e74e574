package apply

import (
	"maps"
	"slices"
	"strings"

	"hardway/provision/facts"
	"hardway/provision/host"
	"hardway/provision/resource"
)

// packages installs what is missing. Which of them that is, the host decides
// again: what is installed by now is left alone, and never taken for ours.
func (r *run) packages(h host.Host, p *resource.Packages) error {
	if p.Manager == "" {
		return nil // the host was not seen when this was planned, and nothing was
	}
	names := slices.Clone(p.Names)
	o, err := h.Observe(r.ctx, facts.Request{Packages: slices.Concat(names, slices.Sorted(maps.Values(p.Programs)))})
	if err != nil {
		return err
	}
	names = append(names, p.Missing(o.Commands, o.Packages)...)
	slices.Sort(names)
	return r.script(h, "packages", append([]string{"install", p.Manager}, slices.Compact(names)...)...)
}

func (r *run) firewall(h host.Host, f *resource.Firewall) error {
	if f.Mode == "disable" {
		return r.script(h, "firewall", "disable")
	}
	_, err := h.Run(r.ctx, host.Script{Name: "firewall", Args: []string{"open"}, Stdin: []byte(strings.Join(f.Rules, "\n") + "\n")})
	return err
}

func (r *run) selinux(h host.Host, s *resource.SELinux) error {
	var b strings.Builder
	for _, policy := range slices.Sorted(maps.Keys(s.Like)) {
		b.WriteString("like " + policy + " " + s.Like[policy] + "\n")
	}
	for _, dir := range s.Restore {
		b.WriteString("label " + dir + "\n")
	}
	_, err := h.Run(r.ctx, host.Script{Name: "selinux", Args: []string{s.Mode}, Stdin: []byte(b.String())})
	return err
}
