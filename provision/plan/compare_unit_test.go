package plan

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"hardway/provision/facts"
	"hardway/provision/resource"
	"hardway/provision/state"
)

func TestCompareUnit(t *testing.T) {
	const content = "[Service]\nEnvironment=HARDWAY_INPUTS=new\n"
	running := facts.Unit{Load: "loaded", Active: "active", Enabled: "enabled", Inputs: "new"}
	with := func(change func(*facts.Unit)) facts.Unit {
		u := running
		change(&u)
		return u
	}
	file := text(content, 0o600)
	link := facts.File{Type: facts.Symlink, Mode: 0o777, Owner: "root", Group: "root", Target: "/dev/null"}
	ours := state.Record{SHA256: sha(content)}
	older := state.Record{SHA256: sha("[Service]\nEnvironment=HARDWAY_INPUTS=old\n")}
	pending := state.Record{Pending: true}
	const owed = "the running process has older inputs: a restart is owed"
	const interrupted = "an earlier apply was interrupted while it changed this"
	type outcome struct {
		Action     Action
		Reason     string
		Steps      UnitSteps
		Disruption Disruption
	}
	for name, c := range map[string]struct {
		file   facts.File
		live   facts.Unit
		record []state.Record
		change func(*resource.Unit)
		want   outcome
	}{
		"missing":         {facts.File{}, facts.Unit{Load: "not-found", Active: "inactive"}, nil, nil, outcome{Create, "", UnitSteps{Write: true, Enable: true, Start: "start"}, None}},
		"missing, masked": {facts.File{}, facts.Unit{Load: "masked", Active: "inactive"}, nil, nil, outcome{Create, "the unit is masked", UnitSteps{Write: true, Unmask: true, Enable: true, Start: "start"}, None}},
		"missing under a running process": {facts.File{}, with(func(u *facts.Unit) { u.Load = "not-found" }), []state.Record{ours}, nil,
			outcome{Create, "", UnitSteps{Write: true, Enable: true, Start: "restart"}, Restart}},
		"missing, a package's runs": {facts.File{}, facts.Unit{Load: "loaded", Active: "activating"}, nil, nil, outcome{Create, "", UnitSteps{Write: true, Enable: true, Start: "restart"}, Restart}},
		"missing, of etcd": {facts.File{}, facts.Unit{Active: "inactive"}, nil, func(u *resource.Unit) { u.Stage = stageEtcd },
			outcome{Create, "", UnitSteps{Write: true, Enable: true, Start: "start-no-block"}, None}},
		"missing, of etcd that runs": {facts.File{}, running, nil, func(u *resource.Unit) { u.Stage = stageEtcd },
			outcome{Create, "", UnitSteps{Write: true, Enable: true, Start: "restart"}, Restart}},
		"missing, not to run": {facts.File{}, facts.Unit{}, nil, func(u *resource.Unit) { u.Running, u.Enabled = false, false }, outcome{Create, "", UnitSteps{Write: true}, None}},
		"as wanted":           {file, running, []state.Record{ours}, nil, outcome{NoOp, "", UnitSteps{}, None}},
		"reloading":           {file, with(func(u *facts.Unit) { u.Active = "reloading" }), []state.Record{ours}, nil, outcome{NoOp, "", UnitSteps{}, None}},
		"a link in its place": {link, facts.Unit{Load: "masked", Enabled: "masked", Active: "inactive"}, []state.Record{ours}, nil,
			outcome{Update, "the unit is masked", UnitSteps{Write: true, Unmask: true, Enable: true, Start: "start"}, None}},
		"a link elsewhere, running": {facts.File{Type: facts.Symlink, Target: "/usr/lib/systemd/system/x.service"}, running, nil, nil,
			outcome{Update, "a symlink stands there", UnitSteps{Write: true, Enable: true, Start: "restart"}, Restart}},
		"masked below /run": {file, with(func(u *facts.Unit) { u.Load, u.Enabled, u.Active = "masked", "masked-runtime", "inactive" }), []state.Record{ours}, nil,
			outcome{Update, "the unit is masked", UnitSteps{Unmask: true, Enable: true, Start: "start"}, None}},
		"stopped":      {file, with(func(u *facts.Unit) { u.Active = "inactive" }), []state.Record{ours}, nil, outcome{Update, "the unit is inactive", UnitSteps{Start: "start"}, None}},
		"failed":       {file, with(func(u *facts.Unit) { u.Active = "failed" }), []state.Record{ours}, nil, outcome{Update, "the unit is failed", UnitSteps{Start: "start"}, None}},
		"not known":    {file, facts.Unit{Enabled: "enabled"}, []state.Record{ours}, nil, outcome{Update, "the unit is not known to systemd", UnitSteps{Start: "start"}, None}},
		"disabled":     {file, with(func(u *facts.Unit) { u.Enabled = "disabled" }), []state.Record{ours}, nil, outcome{Update, "the unit is not enabled", UnitSteps{Enable: true}, None}},
		"needs reload": {file, with(func(u *facts.Unit) { u.NeedsReload = true }), []state.Record{ours}, nil, outcome{Update, "systemd has not read the present unit file", UnitSteps{Write: true}, None}},
		"mode":         {text(content, 0o644), running, []state.Record{ours}, nil, outcome{Update, "mode or owner differ", UnitSteps{Write: true}, None}},
		"the file is right and the process older": {file, with(func(u *facts.Unit) { u.Inputs = "old" }), []state.Record{ours}, nil, outcome{Update, owed, UnitSteps{Start: "restart"}, Restart}},
		"a process without inputs":                {file, with(func(u *facts.Unit) { u.Inputs = "" }), []state.Record{ours}, nil, outcome{Update, owed, UnitSteps{Start: "restart"}, Restart}},
		"a new version of ours": {text("[Service]\nEnvironment=HARDWAY_INPUTS=old\n", 0o600), with(func(u *facts.Unit) { u.Inputs = "old" }), []state.Record{older}, nil,
			outcome{Update, "the unit differs", UnitSteps{Write: true, Start: "restart"}, Restart}},
		"text of ours without new inputs": {text("[Service]\nEnvironment=HARDWAY_INPUTS=old\n", 0o600), running, []state.Record{older}, nil,
			outcome{Update, "the unit differs", UnitSteps{Write: true}, None}},
		"edited by hand, the inputs kept": {text(content+"# --v=9\n", 0o600), running, []state.Record{ours}, nil,
			outcome{Update, "the unit differs", UnitSteps{Write: true, Start: "restart"}, Restart}},
		"another's unit that runs": {text("[Service]\n", 0o644), with(func(u *facts.Unit) { u.Inputs = "" }), nil, nil,
			outcome{Update, "the unit differs", UnitSteps{Write: true, Start: "restart"}, Restart}},
		"interrupted, all done": {file, running, []state.Record{pending}, nil, outcome{Update, interrupted, UnitSteps{}, None}},
		"interrupted, a oneshot that shows no process": {file, running, []state.Record{pending}, func(u *resource.Unit) { u.Oneshot = true },
			outcome{Update, interrupted, UnitSteps{Write: true, Enable: true, Start: "restart"}, Restart}},
		"interrupted before the restart": {file, with(func(u *facts.Unit) { u.Inputs = "old" }), []state.Record{pending}, nil, outcome{Update, owed, UnitSteps{Start: "restart"}, Restart}},
	} {
		t.Run(name, func(t *testing.T) {
			u := resource.Unit{Name: "x.service", Path: "/etc/systemd/system/x.service", Meta: resource.Root(0o600), Content: content, Inputs: "new", Enabled: true, Running: true, Stage: stageNode}
			if c.change != nil {
				c.change(&u)
			}
			obs := filesOf(u.Path, c.file)
			obs.Units = map[string]facts.Unit{u.Name: c.live}
			got := one(t, resource.Spec{Unit: &u}, obs, c.record...)
			if diff := cmp.Diff(c.want, outcome{got.Action, got.Reason, *got.Unit, got.Disruption}); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestDropInsAreShown: what another file adds to a unit is said, and left.
func TestDropInsAreShown(t *testing.T) {
	u := resource.Unit{Name: "x.service", Path: "/u", Meta: resource.Root(0o600), Content: "x", Enabled: true}
	obs := filesOf("/u", text("x", 0o600))
	obs.Units = map[string]facts.Unit{u.Name: {Enabled: "enabled", DropIns: []string{"/etc/systemd/system/x.service.d/10.conf"}}}
	got := one(t, resource.Spec{Unit: &u}, obs, state.Record{SHA256: sha("x")})
	if got.Action != NoOp || got.Before["drop_ins"].Text != "/etc/systemd/system/x.service.d/10.conf" {
		t.Errorf("%s, %v", got.Action, got.Before)
	}
}
