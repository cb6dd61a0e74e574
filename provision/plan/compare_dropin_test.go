package plan

import (
	"slices"
	"strings"
	"testing"

	"hardway/provision/addr"
	"hardway/provision/facts"
	"hardway/provision/resource"
	"hardway/provision/state"
)

// TestDropIns: what another file adds to a unit is said, and left; beside what
// was applied it is drift. What all services of the machine have is neither.
func TestDropIns(t *testing.T) {
	const ours, all = "/etc/systemd/system/x.service.d/10.conf", "/run/systemd/system/service.d/zzz-lxc-service.conf"
	u := resource.Unit{Name: "x.service", Path: "/u", Meta: resource.Root(0o600), Content: "x", Enabled: true}
	a := at(n1, resource.KindUnit, "x")
	for name, c := range map[string]struct {
		mode    Mode
		paths   []string
		shown   string
		warned  bool
		drifted bool
	}{
		"none":                    {Normal, nil, "", false, false},
		"one":                     {Normal, []string{ours}, ours, true, false},
		"of all services":         {Normal, []string{all, "/usr/lib/systemd/system/service.d/10-timeout-abort.conf"}, "", false, false},
		"somebody's, of all":      {Normal, []string{"/etc/systemd/system/service.d/x.conf"}, "/etc/systemd/system/service.d/x.conf", true, false},
		"set by systemctl":        {Normal, []string{"/run/systemd/system.control/x.service.d/50-CPUQuota.conf", ours, all}, ours + ", /run/systemd/system.control/x.service.d/50-CPUQuota.conf", true, false},
		"beside what was applied": {ReadDrift, []string{ours}, ours, false, true},
		"machine's, as applied":   {ReadDrift, []string{all}, "", false, false},
	} {
		t.Run(name, func(t *testing.T) {
			obs := filesOf("/u", text("x", 0o600))
			obs.Units = map[string]facts.Unit{u.Name: {Enabled: "enabled", DropIns: c.paths, DropInTexts: map[string]string{ours: "[Service]\nCPUQuota=10%\n", all: "[Service]\n"}}}
			in := Input{Mode: c.mode, Observed: map[addr.Host]facts.Observation{n1: obs},
				Desired: setOf(t, resource.Resource{Addr: a, Spec: resource.Spec{Unit: &u}})}
			in.State.Resources = map[addr.Address]state.Record{a: {Spec: resource.Spec{Unit: &u}, SHA256: sha("x")}}
			p := compute(t, in)
			got := change(t, p, a)
			if got.Before["drop_ins"].Text != c.shown {
				t.Errorf("shown: %q, want %q", got.Before["drop_ins"].Text, c.shown)
			}
			if drifted := got.Reason == "a drop-in that hardway did not write changes this unit"; drifted != c.drifted || drifted != (got.Action == Update) {
				t.Errorf("%s, %q", got.Action, got.Reason)
			}
			if warned := len(p.Warnings) == 1 && p.Warnings[0].Addr == a && strings.Contains(p.Warnings[0].Summary, c.shown); warned != c.warned || len(p.Warnings) > 1 {
				t.Errorf("warnings: %v", p.Warnings)
			}
			if _, stays := got.After["drop_ins"]; stays != c.warned {
				t.Errorf("after: %v", got.After)
			}
			d := DriftOf(p, nil)
			if (len(d.Resources) == 1) != c.drifted {
				t.Errorf("drift: %+v", d.Resources)
			}
			// Its text goes with it: beside what was applied as new, else below the warning.
			text, nothing := Value{Text: "[Service]\nCPUQuota=10%\n", Block: true}, Value{Block: true}
			if c.drifted && (d.Resources[0].Is["drop_in "+ours] != text || d.Resources[0].Was["drop_in "+ours] != nothing) {
				t.Errorf("drift: %+v", d.Resources[0])
			}
			detail := ""
			if c.warned && slices.Contains(c.paths, ours) {
				detail = ours + ":\n    [Service]\n    CPUQuota=10%\n"
			}
			if c.warned && p.Warnings[0].Detail != detail {
				t.Errorf("detail: %q, want %q", p.Warnings[0].Detail, detail)
			}
		})
	}
}

// TestShownDropIn: what somebody else set is shown, but for what may be a credential.
func TestShownDropIn(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"plain":                {"[Service]\n# why\nCPUQuota=10%\nExecStart=\nExecStart=/bin/x --v=2 \\\n  --a\n", "[Service]\n# why\nCPUQuota=10%\nExecStart=\nExecStart=/bin/x --v=2 \\\n  --a\n"},
		"environment":          {"[Service]\nEnvironment=A=b \"C=d e\"\nNice=1\n", "[Service]\nEnvironment=(sensitive value)\nNice=1\n"},
		"a reset":              {"[Service]\nEnvironment=\nEnvironment = \n", "[Service]\nEnvironment=\nEnvironment = \n"},
		"with blanks":          {"[Service]\n  Environment  =  A=b\n", "[Service]\nEnvironment=(sensitive value)\n"},
		"in other case":        {"environment=A=b\n", "environment=(sensitive value)\n"},
		"behind a mark":        {"\ufeffEnvironment=A=b\n", "Environment=(sensitive value)\n"},
		"continued":            {"Environment=A=b \\\n# not shown\n  C=d \\\n  E=f\nNice=1\n", "Environment=(sensitive value)\nNice=1\n"},
		"continued, at last":   {"Environment=A=b \\\n  C=d", "Environment=(sensitive value)\n"},
		"a backslash":          {"ExecStart=/bin/x a\\\\\nEnvironment=A=b\n", "ExecStart=/bin/x a\\\\\nEnvironment=(sensitive value)\n"},
		"a comment continued":  {"# it ends so \\\nEnvironment=A=b\n", "# it ends so \\\nEnvironment=(sensitive value)\n"},
		"in a continued line":  {"ExecStart=/bin/x \\\n  Environment=A=b\n", "ExecStart=/bin/x \\\n  Environment=A=b\n"}, // an argument
		"credentials":          {"SetCredential=a:b\nSetCredentialEncrypted=c: \\\n  Ab+/\nLoadCredential=a:/p\nEnvironmentFile=/e\n", "SetCredential=(sensitive value)\nSetCredentialEncrypted=(sensitive value)\nLoadCredential=a:/p\nEnvironmentFile=/e\n"},
		"passed on":            {"PassEnvironment=A B\nUnsetEnvironment=A\n", "PassEnvironment=(sensitive value)\nUnsetEnvironment=A\n"},
		"windows":              {"Environment=A=b\r\nNice=1\r\n", "Environment=(sensitive value)\nNice=1\r\n"},
		"a flag":               {"ExecStart=/bin/x --token=abc\n", ""},
		"a variable":           {"ExecStart=/usr/bin/env API_TOKEN=abc /bin/x\n", ""},
		"a login":              {"ExecStart=/bin/x https://me:abc@host/\n", ""},
		"a secret in comments": {"# password: abc\n[Service]\n", "# (sensitive value)\n[Service]\n"},
		"no setting any more":  {"#Environment=A=b \\\n#  C=d\n; Environment=A=b\n# as Ann wished\nNice=1\n", "# (sensitive value)\n# (sensitive value)\n# (sensitive value)\n# as Ann wished\nNice=1\n"},
	} {
		want := Value{Text: c.want, Block: true}
		if c.want == "" {
			want = digestOf(sha(c.text))
		}
		if got := shownDropIn(c.text); got != want {
			t.Errorf("%s: %q is shown as %+v, want %+v", name, c.text, got, want)
		}
	}
	if got := dropInTexts(Attrs{"drop_in /b": {Text: "x", Block: true}, "drop_in /a": digestOf(sha("y")), "drop_ins": value("z")}); got != "/a: (sensitive value)\n/b:\n    x\n" {
		t.Errorf("got %q", got)
	}
}
