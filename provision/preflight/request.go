package preflight

import (
	"slices"

	"hardway/provision/config"
	"hardway/provision/facts"
	"hardway/provision/firewall"
)

// Ask adds to the observation of a host what judging it needs. Looking for the
// holders of ports walks through all processes, so it is asked of hosts that are
// judged in full, and not at every plan.
func Ask(cfg *config.Cluster, h config.Host, q facts.Request) facts.Request {
	q.Preflight = &facts.PreflightRequest{}
	for _, d := range directories(cfg.Directories) {
		q.Preflight.Spaces = append(q.Preflight.Spaces, d.path)
	}
	for _, l := range listeners(cfg, h) {
		q.Ports = append(q.Ports, l.port)
	}
	slices.Sort(q.Ports)
	q.Ports = slices.Compact(q.Ports)
	q.Units = append(slices.Clone(q.Units), firewall.Units()...)
	slices.Sort(q.Units)
	q.Units = slices.Compact(q.Units)
	q.Files = WithContent(q.Files, append(firewall.Paths(), resolvConf, resolvedConf)...)
	return q
}

// WithContent adds files whose content is wanted, and keeps the list sorted.
func WithContent(list []facts.FileRequest, paths ...string) []facts.FileRequest {
	list = slices.Clone(list)
	for _, p := range paths {
		i, found := slices.BinarySearchFunc(list, p, func(f facts.FileRequest, p string) int {
			switch {
			case f.Path < p:
				return -1
			case f.Path > p:
				return 1
			}
			return 0
		})
		if found {
			list[i].Content = true
			continue
		}
		list = slices.Insert(list, i, facts.FileRequest{Path: p, Content: true})
	}
	return list
}
