package plan

import (
	"fmt"
	"strings"

	"hardway/provision/facts"
	"hardway/provision/resource"
	"hardway/provision/state"
)

// compareUnit compares the file, what systemd thinks of the unit, and the
// inputs that the running process was started with. A process with older
// inputs is owed a restart, whoever wrote the file and whenever.
func compareUnit(ch *Change, u *resource.Unit, obs facts.Observation, record state.Record, owned bool) {
	file, live := obs.Files[u.Path], obs.Units[u.Name]
	exists, same := describe(ch, u.Path, u.Meta, file, facts.Regular)
	ch.Expect = expect(file)
	ch.After["unit"] = Value{Text: u.Content, Block: true}
	ch.After["enabled"], ch.After["state"] = value(enabledWord(u.Enabled)), value(runningWord(u.Running))
	steps := &UnitSteps{}
	ch.Unit = steps

	defer func() {
		// A member of a new etcd cluster says READY only when it has a quorum, so
		// whoever waits for the first would never start the second.
		if steps.Start == "start" && u.Stage == stageEtcd {
			steps.Start = "start-no-block"
		}
	}()
	running := live.Active == "active" || live.Active == "activating" || live.Active == "reloading"
	masked := live.Load == "masked" || strings.HasPrefix(live.Enabled, "masked")
	if !exists || file.Type != facts.Regular { // a mask is a link where the unit file belongs
		ch.note(Create, "")
		*steps = UnitSteps{Write: true, Unmask: masked, Enable: u.Enabled}
		switch {
		case !u.Running:
		case running: // the file is gone from under it, or it comes from another path
			steps.Start, ch.Disruption = "restart", Restart
		default:
			steps.Start = "start"
		}
		if masked {
			ch.Reason = "the unit is masked"
		}
		if running && !exists {
			ch.Before = Attrs{} // a process without its file: rolling counts it
		}
		if running || exists {
			ch.Before["enabled"], ch.Before["state"] = value(live.Enabled), value(live.Active)
		}
		return
	}
	want := resource.SHA256([]byte(u.Content))
	ch.Before["unit"] = shown(file, want, owned)
	ch.Before["enabled"], ch.Before["state"] = value(live.Enabled), value(live.Active)

	// Whoever wrote another text may have started the process with it, and the
	// inputs stand in that text too: they prove nothing then.
	foreign := owned && !record.Pending && file.SHA256 != record.SHA256
	switch {
	case file.SHA256 != want:
		ch.note(Update, "the unit differs")
		steps.Write = true
	case !same:
		ch.note(Update, "mode or owner differ")
		steps.Write = true
	}
	if masked {
		ch.note(Update, "the unit is masked")
		steps.Unmask = true
	}
	if u.Enabled && live.Enabled != "enabled" {
		ch.note(Update, "the unit is not enabled")
		steps.Enable = true
	}
	if live.NeedsReload {
		ch.note(Update, "systemd has not read the present unit file")
		steps.Write = true
	}
	if len(live.DropIns) > 0 {
		ch.Before["drop_ins"] = value(strings.Join(live.DropIns, ", "))
		ch.After["drop_ins"] = ch.Before["drop_ins"]
	}
	if !u.Running {
		return
	}
	switch {
	case !running:
		ch.note(Update, fmt.Sprintf("the unit is %s", orUnknown(live.Active)))
		steps.Start = "start"
	case live.Inputs != u.Inputs:
		// also the case when the text differs: the inputs stand in it
		ch.note(Update, "the running process has older inputs: a restart is owed")
		ch.Before["inputs"], ch.After["inputs"] = value(short(live.Inputs)), value(short(u.Inputs))
		steps.Start, ch.Disruption = "restart", Restart
	case foreign && steps.Write:
		steps.Start, ch.Disruption = "restart", Restart
	}
}

// restart makes the change write the unit and restart it, whatever it found.
func (ch *Change) restart() {
	u := ch.Spec.Unit
	*ch.Unit = UnitSteps{Write: true, Enable: u.Enabled}
	if u.Running {
		ch.Unit.Start, ch.Disruption = "restart", Restart
	}
}

func orUnknown(s string) string {
	if s == "" {
		return "not known to systemd"
	}
	return s
}

func enabledWord(b bool) string {
	if b {
		return "enabled"
	}
	return "disabled"
}

func runningWord(b bool) string {
	if b {
		return "active"
	}
	return "inactive"
}
