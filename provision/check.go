package provision

import (
	"fmt"

	"github.com/hashicorp/hcl/v2"

	"hardway/provision/config"
	"hardway/templates"
	"hardway/units"
)

// checkComponents holds every flag and config field that the user set against
// the tables of the chosen version, at the place where it was written.
func checkComponents(cfg *config.Cluster) hcl.Diagnostics {
	c := checker{cfg: cfg, seen: map[string]bool{}}
	for _, h := range cfg.Hosts {
		c.component(units.ComponentKubelet, cfg.Version, h.Kubelet)
		c.component(units.ComponentKubeProxy, cfg.Version, h.KubeProxy)
		c.containerd(h.Containerd)
		if h.IsMaster() {
			c.component(units.ComponentEtcd, cfg.Etcd.Version, h.Etcd)
			c.component(units.ComponentAPIServer, cfg.Version, h.APIServer)
			c.component(units.ComponentControllerManager, cfg.Version, h.ControllerManager)
			c.component(units.ComponentScheduler, cfg.Version, h.Scheduler)
		}
	}
	return c.diags
}

// checker collects diagnostics, each once: settings of the cluster come with
// every host.
type checker struct {
	cfg   *config.Cluster
	seen  map[string]bool
	diags hcl.Diagnostics
}

func (c *checker) component(name, version string, s config.Component) {
	for _, p := range units.Check(name, version, s.Flags) {
		c.problem(fmt.Sprintf("%s: --%s", name, p.Flag), p, rangeOf(s.FlagRanges, p.Flag, s.Range))
	}
	for _, p := range units.CheckConfig(name, version, s.Config) {
		c.problem(fmt.Sprintf("%s: %s", name, p.Flag), p, rangeOf(s.ConfigRanges, p.Flag, s.Range))
	}
}

func (c *checker) containerd(s config.Component) {
	for _, p := range templates.CheckContainerd(c.cfg.Runtime.Version, s.Config) {
		detail := p.Message
		if p.Instead != "" {
			detail += " Use " + p.Instead + "."
		}
		if p.Suggestion != "" {
			detail += fmt.Sprintf(" Did you mean %q?", p.Suggestion)
		}
		c.add(hcl.DiagError, "containerd: "+p.Key, detail, rangeOf(s.ConfigRanges, p.Key, s.Range))
	}
}

func (c *checker) problem(what string, p units.Problem, at hcl.Range) {
	severity := hcl.DiagError
	if p.Warning() {
		severity = hcl.DiagWarning
	}
	detail := p.Message
	if p.Replacement != "" {
		detail += fmt.Sprintf(" Use %s instead.", p.Replacement)
	}
	if p.Suggestion != "" {
		detail += fmt.Sprintf(" Did you mean %q?", p.Suggestion)
	}
	c.add(severity, what, detail, at)
}

func (c *checker) add(severity hcl.DiagnosticSeverity, summary, detail string, at hcl.Range) {
	key := fmt.Sprint(summary, at)
	if c.seen[key] {
		return
	}
	c.seen[key] = true
	c.diags = append(c.diags, &hcl.Diagnostic{Severity: severity, Summary: summary, Detail: detail, Subject: &at})
}

// rangeOf finds the place of a path, or of the nearest thing around it.
func rangeOf(ranges map[string]hcl.Range, path string, block hcl.Range) hcl.Range {
	for p := path; p != ""; p = parent(p) {
		if r, ok := ranges[p]; ok {
			return r
		}
	}
	return block
}

func parent(path string) string {
	for i := len(path) - 1; i >= 0; i-- {
		if path[i] == '.' || path[i] == '[' {
			return path[:i]
		}
	}
	return ""
}
