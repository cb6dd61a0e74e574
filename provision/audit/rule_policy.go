package audit

import (
	"slices"
	"strings"

	"sigs.k8s.io/yaml"

	"hardway/units"
)

// auditRule is a rule of an audit policy (audit.k8s.io/v1), as far as it is needed.
type auditRule struct {
	Level           string       `json:"level"`
	Users           []string     `json:"users"`
	UserGroups      []string     `json:"userGroups"`
	Verbs           []string     `json:"verbs"`
	Namespaces      []string     `json:"namespaces"`
	NonResourceURLs []string     `json:"nonResourceURLs"`
	Resources       []auditGroup `json:"resources"`
}

type auditGroup struct {
	Group         string   `json:"group"`
	Resources     []string `json:"resources"`
	ResourceNames []string `json:"resourceNames"`
}

// concern is a request that the benchmark wants in the log, and how.
type concern struct {
	group, resource, verb string
	levels                []string
}

// concerns are those of check 3.2.2: the content of secrets never, changes of
// workloads and the doors into pods at least by their metadata.
func concerns() []concern {
	metadata, any := []string{"Metadata"}, []string{"Metadata", "Request", "RequestResponse"}
	return []concern{
		{"", "secrets", "get", metadata}, {"", "secrets", "create", metadata}, {"", "configmaps", "update", metadata},
		{"authentication.k8s.io", "tokenreviews", "create", metadata},
		{"", "pods", "create", any}, {"", "pods", "delete", any}, {"apps", "deployments", "create", any}, {"apps", "deployments", "patch", any},
		{"", "pods/exec", "create", any}, {"", "pods/portforward", "create", any}, {"", "pods/proxy", "get", any}, {"", "services/proxy", "get", any},
	}
}

// auditPolicy wants the policy file to cover what the benchmark is concerned about.
func auditPolicy() rule {
	const flag = "audit-policy-file"
	return rule{reads: []setting{{component: units.ComponentAPIServer, flag: flag}}, test: each(units.ComponentAPIServer, func(m *machine, c command) finding {
		v := c.value(m, flag, "")
		f := m.files[v.last()]
		switch {
		case !v.set:
			return manual("%s has %s: there is none to look at", c.from, v.shown)
		case !f.known:
			return manual("%s has %s, a file that hardway does not manage", c.from, v.shown)
		case !f.exists || f.text == nil:
			return unknown("%s could not be read", v.last())
		}
		var policy struct {
			Rules []auditRule `json:"rules"`
		}
		if err := yaml.Unmarshal([]byte(*f.text), &policy); err != nil {
			return fail("%s is no audit policy", v.last())
		}
		var missed []string
		for _, want := range concerns() {
			if got := levelOf(policy.Rules, want); !slices.Contains(want.levels, got) {
				missed = append(missed, want.verb+" "+want.resource+" is logged at level "+got)
			}
		}
		if len(missed) > 0 {
			return fail("%s: %s", v.last(), quoted(strings.Join(missed, ", ")))
		}
		return pass("%s covers all %d kinds of requests", v.last(), len(concerns()))
	})}
}

// levelOf is the level at which a request of anybody is logged: that of the first
// rule that fits. Rules for certain people, places or objects do not fit it.
func levelOf(rules []auditRule, want concern) string {
	for _, r := range rules {
		if len(r.Users)+len(r.UserGroups)+len(r.Namespaces) > 0 || len(r.Verbs) > 0 && !slices.Contains(r.Verbs, want.verb) {
			continue
		}
		if len(r.Resources) == 0 && len(r.NonResourceURLs) > 0 {
			continue
		}
		if len(r.Resources) == 0 || slices.ContainsFunc(r.Resources, func(g auditGroup) bool { return g.covers(want) }) {
			return quoted(r.Level)
		}
	}
	return "None"
}

// covers follows the policy's own rules: no resources mean all, and so does "*";
// "pods/*" is all that is below pods, "*/proxy" all of that name.
func (g auditGroup) covers(want concern) bool {
	if g.Group != want.group || len(g.ResourceNames) > 0 {
		return false
	}
	base, sub, hasSub := strings.Cut(want.resource, "/")
	return len(g.Resources) == 0 || slices.ContainsFunc(g.Resources, func(r string) bool {
		return r == want.resource || r == "*" || hasSub && (r == base+"/*" || r == "*/"+sub)
	})
}

// noMasters wants no certificate of the group that no binding can be taken from.
func noMasters() rule {
	const group = "system:masters"
	return rule{test: func(m *machine) finding {
		var bad, missing []string
		for _, p := range m.places.certificates {
			list, known := m.holders[p]
			switch {
			case !known:
				missing = append(missing, p)
			case slices.Contains(list, group):
				bad = append(bad, p)
			}
		}
		switch {
		case len(bad) > 0:
			return fail("of the group %s: %s", group, quoted(strings.Join(bad, ", ")))
		case len(missing) > 0 || len(m.places.certificates) == 0:
			return unknown("certificates that could not be read: %s", quoted(strings.Join(missing, ", ")))
		}
		return pass("%d certificates, none of the group %s", len(m.places.certificates), group)
	}}
}
