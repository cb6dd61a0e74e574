package plan

import (
	"fmt"
	"maps"
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
	want := readUnit(u.Content)
	ch.After["enabled"], ch.After["state"] = value(enabledWord(u.Enabled)), value(runningWord(u.Running))
	steps := &UnitSteps{}
	ch.Unit = steps

	defer func() {
		if ch.Action == Update && steps.Start != "" && len(u.BeforeStart) > 0 {
			ch.After["before_start"] = commands(u.BeforeStart)
		}
		// A member of a new etcd cluster says READY only when it has a quorum, so
		// whoever waits for the first would never start the second.
		if steps.Start == "start" && u.Stage == stageEtcd {
			steps.Start = "start-no-block"
		}
	}()
	// Between two tries of systemd's there is no process: it is started, not restarted.
	running := runs(live.Active) && live.Sub != "auto-restart"
	masked := live.Load == "masked" || strings.HasPrefix(live.Enabled, "masked")
	if !exists || file.Type != facts.Regular { // a mask is a link where the unit file belongs
		ch.note(Create, "")
		ch.After = with(want.attrs(), ch.After)
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
	written := compareContent(ch, want, file, owned)
	ch.Before["enabled"], ch.Before["state"] = value(live.Enabled), value(live.Active)

	// Whoever wrote other settings may have started the process with them, and the
	// inputs stand in that text too: they prove nothing then.
	foreign := owned && !record.Pending && file.SHA256 != record.SHA256 && written == otherSettings
	switch {
	case written == otherSettings:
		ch.note(Update, "the unit differs")
		steps.Write = true
	case written == otherText:
		ch.note(Update, "the unit is written differently; its settings are the same")
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
		ch.Before["loaded"], ch.After["loaded"] = value("an older unit file"), value("the present unit file")
		steps.Write = true
	}
	if others := foreignDropIns(live.DropIns); len(others) > 0 {
		ch.Before["drop_ins"] = value(strings.Join(others, ", "))
		ch.After["drop_ins"] = ch.Before["drop_ins"] // somebody else's files: they stay
		for _, path := range others {
			if text, ok := live.DropInTexts[path]; ok {
				ch.Before[dropIn+path] = shownDropIn(text)
				ch.After[dropIn+path] = ch.Before[dropIn+path]
			}
		}
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
		ch.Before["inputs"], ch.After["inputs"] = inputsValue(live.Inputs), inputsValue(u.Inputs)
		steps.Start, ch.Disruption = "restart", Restart
	case foreign && steps.Write:
		steps.Start, ch.Disruption = "restart", Restart
	}
}

// commands are scripts with their arguments, one a line.
func commands(list []resource.Command) Value {
	var lines []string
	for _, c := range list {
		lines = append(lines, strings.Join(append([]string{c.Script}, c.Args...), " "))
	}
	return value(strings.Join(lines, "\n"))
}

// wording is how the text of a unit file stands to the one that should be.
type wording int

const (
	sameText wording = iota
	otherText
	otherSettings
)

// compareContent fills in what the unit file on the host says, beside what it
// should say.
func compareContent(ch *Change, want unitText, file facts.File, owned bool) wording {
	if file.SHA256 == resource.SHA256([]byte(want.raw)) {
		ch.Before, ch.After = with(want.attrs(), ch.Before), with(want.attrs(), ch.After)
		return sameText
	}
	if hidden(file, owned) {
		ch.Before["unit"], ch.After["unit"] = digestOf(file.SHA256), Value{Text: want.raw, Block: true}
		return otherSettings
	}
	have := readUnit(string(file.Content))
	was, is := compareTexts(have, want)
	ch.Before, ch.After = with(was, ch.Before), with(is, ch.After)
	if have.inputs != want.inputs {
		ch.Before["inputs"], ch.After["inputs"] = inputsValue(have.inputs), inputsValue(want.inputs)
	}
	if sameSettings(have, want) {
		return otherText
	}
	return otherSettings
}

// with adds a few attributes to many.
func with(many, few Attrs) Attrs {
	maps.Copy(many, few)
	return many
}

func inputsValue(digest string) Value {
	if digest == "" {
		return value("none")
	}
	return value(short(digest))
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
