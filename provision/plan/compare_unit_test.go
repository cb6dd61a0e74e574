package plan

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

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
	const rewritten = "the unit is written differently; its settings are the same"
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
		"edited by hand, the inputs kept": {text(content+"ExecStart=/bin/x --v=9\n", 0o600), running, []state.Record{ours}, nil,
			outcome{Update, "the unit differs", UnitSteps{Write: true, Start: "restart"}, Restart}},
		"a comment added": {text(content+"# --v=9\n", 0o600), running, []state.Record{ours}, nil,
			outcome{Update, rewritten, UnitSteps{Write: true}, None}},
		"a comment added, the process older": {text(content+"# --v=9\n", 0o600), with(func(u *facts.Unit) { u.Inputs = "old" }), []state.Record{ours}, nil,
			outcome{Update, rewritten, UnitSteps{Write: true, Start: "restart"}, Restart}},
		"too large to be read": {facts.File{Type: facts.Regular, Mode: 0o600, Owner: "root", Group: "root", Size: facts.MaxContent + 1, SHA256: sha("large")}, running, []state.Record{ours}, nil,
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

// TestCompareUnitFlagByFlag: what a person changed in a command line stands
// there as what it is, whatever else was moved around it.
func TestCompareUnitFlagByFlag(t *testing.T) {
	const content = "# ours\n\n[Service]\nType=notify\nEnvironment=HARDWAY_INPUTS=0123456789abcdef\nExecStart=/bin/x \\\n    --b=2 \\\n    --a=1 \\\n    --c\nRestart=always\n"
	attr := func(before, after string) [2]*Value {
		var out [2]*Value
		for i, s := range []string{before, after} {
			if s != "" {
				out[i] = &Value{Text: s}
			}
		}
		return out
	}
	block := func(before, after string) [2]*Value {
		return [2]*Value{{Text: before, Block: true}, {Text: after, Block: true}}
	}
	const rest = "# ours\n\n[Service]\nType=notify\nRestart=always\n"
	for name, c := range map[string]struct {
		edit string
		want map[string][2]*Value
	}{
		"as it is":             {content, nil},
		"another value":        {strings.Replace(content, "--a=1", "--a=3", 1), map[string][2]*Value{"--a": attr("3", "1")}},
		"one more":             {strings.Replace(content, "--c", "--c \\\n    --d=4", 1), map[string][2]*Value{"--d": attr("4", "")}},
		"one less":             {strings.Replace(content, "    --a=1 \\\n", "", 1), map[string][2]*Value{"--a": attr("", "1")}},
		"repeated":             {strings.Replace(content, "--a=1", "--a=1 --a=2", 1), map[string][2]*Value{"--a": attr("1, 2", "1")}},
		"a bool turned":        {strings.Replace(content, "--c", "--c=false", 1), map[string][2]*Value{"--c": attr("false", "true")}},
		"a bool spelled out":   {strings.Replace(content, "--c", "--c=true", 1), map[string][2]*Value{"unit": block(strings.Replace(content, "--c", "--c=true", 1), content)}},
		"another order":        {strings.Replace(content, "--b=2 \\\n    --a=1", "--a=1 --b=2", 1), map[string][2]*Value{"unit": block(strings.Replace(content, "--b=2 \\\n    --a=1", "--a=1 --b=2", 1), content)}},
		"another program":      {strings.Replace(content, "/bin/x", "/bin/y run", 1), map[string][2]*Value{"exec": attr("/bin/y run", "/bin/x")}},
		"other inputs":         {strings.Replace(content, "0123", "4567", 1), map[string][2]*Value{"inputs": attr("sha256:4567456789ab", "sha256:0123456789ab")}},
		"no inputs":            {strings.Replace(content, "Environment=HARDWAY_INPUTS=0123456789abcdef\n", "", 1), map[string][2]*Value{"inputs": attr("none", "sha256:0123456789ab")}},
		"another setting":      {strings.Replace(content, "always", "no", 1), map[string][2]*Value{"unit": block(strings.Replace(rest, "always", "no", 1), rest)}},
		"a comment":            {content + "# mine\n", map[string][2]*Value{"unit": block(rest+"# mine\n", rest)}},
		"a comment in between": {strings.Replace(content, "    --a", "# mine\n    --a", 1), map[string][2]*Value{"unit": block(strings.Replace(content, "    --a", "# mine\n    --a", 1), content)}},
		"flag and setting":     {strings.NewReplacer("always", "no", "--a=1", "--a=3").Replace(content), map[string][2]*Value{"--a": attr("3", "1"), "unit": block(strings.Replace(rest, "always", "no", 1), rest)}},
		"a specifier":          {strings.Replace(content, "--a=1", "--a=%H", 1), map[string][2]*Value{"unit": block(strings.Replace(content, "--a=1", "--a=%H", 1), content)}},
		"a value on its own":   {strings.Replace(content, "--a=1", "--a 1", 1), map[string][2]*Value{"unit": block(strings.Replace(content, "--a=1", "--a 1", 1), content)}},
		"two commands":         {content + "ExecStart=/bin/z\n", map[string][2]*Value{"unit": block(content+"ExecStart=/bin/z\n", content)}},
		"no unit file":         {"hello\n", map[string][2]*Value{"unit": block("hello\n", content), "inputs": attr("none", "sha256:0123456789ab")}},
		"a secret":             {strings.Replace(content, "--c", "--c --client-secret=CANARY", 1), map[string][2]*Value{"--client-secret": {{Text: "sha256:" + sha("CANARY")[:12], Sensitive: true}, nil}}},
		"a secret, and no flags": {strings.Replace(content, "--c", "--c --token CANARY", 1), map[string][2]*Value{
			"unit": {{Text: "sha256:" + sha(strings.Replace(content, "--c", "--c --token CANARY", 1))[:12], Sensitive: true}, {Text: content, Block: true}}}},
	} {
		t.Run(name, func(t *testing.T) {
			u := resource.Unit{Name: "x.service", Path: "/u", Meta: resource.Root(0o600), Content: content, Inputs: "0123456789abcdef", Enabled: true}
			obs := filesOf("/u", text(c.edit, 0o600))
			obs.Units = map[string]facts.Unit{u.Name: {Load: "loaded", Enabled: "enabled", Active: "inactive"}}
			got := one(t, resource.Spec{Unit: &u}, obs, state.Record{SHA256: sha(content)})
			differ := map[string][2]*Value{}
			for _, attrs := range []Attrs{got.Before, got.After} {
				for name := range attrs {
					var pair [2]*Value
					for i, side := range []Attrs{got.Before, got.After} {
						if v, ok := side[name]; ok {
							pair[i] = &v
						}
					}
					if name != "state" && !cmp.Equal(pair[0], pair[1]) {
						differ[name] = pair
					}
				}
			}
			if diff := cmp.Diff(c.want, differ, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if strings.Contains(string(encode(t, &Plan{Changes: []Change{got}})), "CANARY") {
				t.Error("the plan shows a secret")
			}
		})
	}
}
