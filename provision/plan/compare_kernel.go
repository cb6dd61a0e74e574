package plan

import (
	"strings"

	"hardway/provision/facts"
	"hardway/provision/resource"
)

func compareSysctl(ch *Change, s *resource.Sysctl, obs facts.Observation) {
	seen, found := obs.Sysctls[s.Key]
	ch.After = Attrs{"key": value(s.Key), "value": value(s.Value)}
	if !found {
		ch.note(Create, "the kernel does not have it yet")
		return
	}
	ch.Before = Attrs{"key": value(s.Key), "value": value(seen)}
	if strings.Join(strings.Fields(seen), " ") != strings.Join(strings.Fields(s.Value), " ") {
		ch.note(Update, "live value differs")
	}
}

func compareModule(ch *Change, m *resource.Module, obs facts.Observation) {
	ch.After = Attrs{"module": value(m.Name), "present": value("true")}
	if obs.Modules[m.Name] {
		ch.Before = ch.After
		return
	}
	ch.note(Create, "")
}
