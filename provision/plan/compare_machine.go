package plan

import (
	"slices"
	"strings"

	"hardway/provision/facts"
	"hardway/provision/firewall"
	"hardway/provision/resource"
	"hardway/provision/state"
)

// compareSwap looks at what is on, and at what would turn it on at the next boot.
func compareSwap(ch *Change, obs facts.Observation) {
	ch.After = Attrs{"swap": value("off")}
	at := swapAtBoot(obs)
	switch {
	case len(obs.Swaps) > 0:
		ch.Before = Attrs{"swap": value(strings.Join(obs.Swaps, ", "))}
		ch.note(Update, "the kubelet does not start with swap on")
	case len(at) > 0:
		ch.Before = Attrs{"swap": value("at boot: " + strings.Join(at, ", "))}
		ch.note(Update, "it would be on after a reboot")
	default:
		ch.Before = ch.After
	}
}

// swapAtBoot lists what turns swap on at boot: the devices of lines in fstab, as
// the script swap-off takes them, and enabled services.
func swapAtBoot(obs facts.Observation) []string {
	var out []string
	for line := range strings.Lines(string(obs.Files[resource.FSTab].Content)) {
		if w := strings.Fields(line); len(w) > 2 && w[2] == "swap" && !strings.HasPrefix(w[0], "#") {
			out = append(out, w[0])
		}
	}
	for _, unit := range resource.SwapUnits() {
		if obs.Units[unit].Enabled == "enabled" {
			out = append(out, unit)
		}
	}
	return out
}

func comparePackages(ch *Change, p *resource.Packages, obs facts.Observation) {
	missing := p.Missing(obs.Commands, obs.Packages)
	if len(missing) == 0 {
		ch.Before = Attrs{"manager": value(p.Manager), "missing": value("none")}
		ch.After = ch.Before
		return
	}
	ch.Before = Attrs{"manager": value(p.Manager), "missing": value(strings.Join(missing, ", "))}
	ch.After = Attrs{"manager": value(p.Manager), "install": value(strings.Join(missing, ", "))}
	ch.note(Update, "programs or packages are missing")
}

// compareFirewall compares what is let in, and with what was applied last: a rule
// that is wanted no more is taken back.
func compareFirewall(ch *Change, f *resource.Firewall, obs facts.Observation, record state.Record, owned bool) {
	s := firewall.Read(
		func(unit string) bool { return obs.Units[unit].Active == "active" },
		func(path string) ([]byte, bool) { f := obs.Files[path]; return f.Content, f.Type == facts.Regular })
	was := "none is active"
	if s.Tool != firewall.None {
		was = string(s.Tool)
	}
	ch.Before, ch.After = Attrs{"firewall": value(was)}, Attrs{"firewall": value(was), "mode": value(f.Mode)}
	if owned && record.Spec.Firewall != nil {
		ch.Before["mode"] = value(record.Spec.Firewall.Mode)
		if record.Spec.Digest() != ch.Spec.Digest() {
			ch.Before["rules"], ch.After["rules"] = lines(record.Spec.Firewall.Rules), lines(f.Rules)
			ch.note(Update, "other rules were applied last")
			return
		}
	}
	switch {
	case s.Tool == firewall.None:
	case f.Mode == "disable":
		ch.After["firewall"] = value("off")
		ch.note(Update, string(s.Tool)+" is active")
	case s.Unread != "" && owned: // the script knows; what was applied last stands until something else is wanted
		ch.After["unread"] = value(s.Unread)
	default:
		var closed []string
		for _, r := range f.Rules {
			rule, err := firewall.Parse(r)
			if err != nil || len(firewall.Missing([]firewall.Rule{rule}, s.Open)) > 0 {
				closed = append(closed, r)
			}
		}
		if len(closed) > 0 {
			ch.Before["closed"] = lines(closed)
			ch.After["open"] = lines(closed)
			ch.note(Update, string(s.Tool)+" keeps out what the cluster needs")
		}
	}
	if ch.Action == NoOp {
		ch.Before = ch.After
	}
}

func lines(list []string) Value {
	if len(list) == 0 {
		return value("none")
	}
	return Value{Text: strings.Join(list, "\n") + "\n", Block: true}
}

// compareSELinux leaves a kernel without SELinux alone.
func compareSELinux(ch *Change, s *resource.SELinux, obs facts.Observation, record state.Record, owned bool) {
	is := obs.System
	if is.SELinux == "" {
		ch.Before = Attrs{"selinux": value("not in this kernel")}
		ch.After = ch.Before
		return
	}
	ch.Before = Attrs{"selinux": value(is.SELinux), "at boot": value(is.SELinuxBoot)}
	ch.After = Attrs{"selinux": value(s.Mode), "at boot": value(s.Mode)}
	switch {
	case is.SELinux != s.Mode && !(s.Mode == "permissive" && is.SELinux == ""):
		ch.note(Update, "it is "+is.SELinux)
	case is.SELinuxBoot != s.Mode && !(s.Mode == "permissive" && is.SELinuxBoot == "disabled"):
		ch.note(Update, "it would be "+is.SELinuxBoot+" after a reboot")
	case s.Mode == "enforcing" && (!owned || record.Spec.SELinux == nil || !slices.Equal(record.Spec.SELinux.Restore, s.Restore)):
		ch.note(Update, "what hardway writes is to be labelled")
	}
}
