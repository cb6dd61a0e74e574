package audit

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hardway/provision/addr"
	"hardway/provision/facts"
)

// result returns the only result of a check on a host.
func result(t *testing.T, r Report, id string, h addr.Host) Result {
	t.Helper()
	i := slices.IndexFunc(r.Results, func(x Result) bool { return x.Check == id && x.Host == h })
	if i < 0 {
		t.Fatalf("no result of %s on %s", id, h)
	}
	return r.Results[i]
}

// TestChoices: what fails because the user asked for it names the line.
func TestChoices(t *testing.T) {
	w := compile(t, "../../examples/lab", "", `
apiserver {
  flags = {
    "anonymous-auth" = "true"
    "enable-admission-plugins" = ["AlwaysPullImages"]
    "disable-admission-plugins" = "ServiceAccount"
  }
}
controller_manager { flags = { profiling = true } }
scheduler {
  config = { enableProfiling = true }
}
`)
	// The cluster's kubelet block stands in the example, so it is the host's here.
	w2 := compile(t, "../../examples/flags", "", `
node "late" {
  address = "10.66.0.29"
  kubelet {
    config = {
      authentication = { anonymous = { enabled = true } }
      podPidsLimit   = 0
    }
    flags = { "read-only-port" = 10255 }
  }
  kube_proxy {
    config = { metricsBindAddress = "0.0.0.0:10249" }
  }
}
`)
	late := addr.Host{Role: addr.Node, Name: "late"}
	for _, c := range []struct {
		w       wish
		id      string
		host    addr.Host
		setting string
		line    int // 0: no choice
	}{
		{w, "1.2.1", m1, `apiserver.flags["anonymous-auth"]`, 4},
		{w, "1.2.3", m1, `apiserver.flags["enable-admission-plugins"]`, 5},
		{w, "1.2.12", m1, `apiserver.flags["disable-admission-plugins"]`, 6},
		{w, "1.3.2", m1, `controller_manager.flags["profiling"]`, 9},
		{w, "1.4.1", m1, `scheduler.config.enableProfiling`, 11},
		{w, "1.2.9", m1, "", 0}, // accepted, whatever else stands in the list
		{w2, "4.2.1", late, `kubelet.config.authentication.anonymous.enabled`, 6},
		{w2, "4.2.4", late, `kubelet.flags["read-only-port"]`, 9},
		{w2, "4.2.13", late, `kubelet.config.podPidsLimit`, 7},
		{w2, "4.3.1", late, `kube_proxy.config.metricsBindAddress`, 12},
	} {
		r := result(t, c.w.audit(c.id), c.id, c.host)
		if c.line == 0 {
			if r.Status != Accepted || r.Choice != nil {
				t.Errorf("%s: %+v", c.id, r)
			}
			continue
		}
		if r.Status != Fail || r.Choice == nil {
			t.Errorf("%s: %+v", c.id, r)
			continue
		}
		got := Choice{r.Choice.Setting, filepath.Base(r.Choice.File), r.Choice.Line}
		if diff := cmp.Diff(Choice{c.setting, "more.hcl", c.line}, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.id, diff)
		}
	}
	counts := w.audit().Counts
	if counts.Chosen != counts.Fail || counts.Fail < 5 {
		t.Errorf("%+v: not all failures are chosen", counts)
	}
}

// seenAs is what a host would show that is exactly as planned.
func seenAs(w wish, h addr.Host) facts.Observation {
	o := facts.Observation{Files: map[string]facts.File{}, Units: map[string]facts.Unit{}}
	for p, f := range planned(h, w.set).files {
		seen := facts.File{Type: facts.Regular, Mode: f.mode, Owner: f.owner, Group: f.group}
		if f.text != nil {
			seen.Content = []byte(*f.text)
		}
		o.Files[p] = seen
	}
	for _, r := range w.set.All() {
		if r.Addr.Host == h && r.Spec.Unit != nil {
			f := o.Files[r.Spec.Unit.Path]
			f.Content = []byte(r.Spec.Unit.Content)
			o.Files[r.Spec.Unit.Path] = f
		}
	}
	return o
}

// TestHosts: the same checks on what is there. What the configuration asks for
// and the host has otherwise is no choice, and apply is what helps.
func TestHosts(t *testing.T) {
	w := compile(t, "../../examples/lab", "", "")
	const id = "1.2.1"
	unit := "kube-apiserver.service"
	argv := func(words ...string) facts.Unit {
		return facts.Unit{PID: 7, Argv: append([]string{"/usr/local/bin/kube-apiserver"}, words...)}
	}
	for name, c := range map[string]struct {
		change   func(*facts.Observation)
		status   Status
		evidence string
	}{
		"as planned":          {func(*facts.Observation) {}, Pass, "its unit has --anonymous-auth=false"},
		"the process":         {func(o *facts.Observation) { o.Units[unit] = argv("--anonymous-auth=true") }, Fail, "the running process has --anonymous-auth=true"},
		"the last one counts": {func(o *facts.Observation) { o.Units[unit] = argv("--anonymous-auth=false", "--anonymous_auth") }, Fail, "the running process has"},
		"in another word":     {func(o *facts.Observation) { o.Units[unit] = argv("--anonymous-auth", "true") }, Fail, "=true"},
		"one dash":            {func(o *facts.Observation) { o.Units[unit] = argv("-anonymous-auth=1") }, Fail, "=1"},
		"the flag is gone":    {func(o *facts.Observation) { o.Units[unit] = argv("--v=2") }, Fail, "no --anonymous-auth"},
		"the unit": {func(o *facts.Observation) {
			o.Files[unitDir+unit] = facts.File{Type: facts.Regular, Content: []byte("[Service]\nExecStart=/bin/x --anonymous-auth=true\n")}
			o.Units[unit] = argv("--anonymous-auth=false")
		}, Fail, "its unit has --anonymous-auth=true"},
		"nothing there": {func(o *facts.Observation) { o.Files, o.Units = nil, nil }, Unknown, "is not there"},
	} {
		t.Run(name, func(t *testing.T) {
			o := seenAs(w, m1)
			c.change(&o)
			r := w.look(map[addr.Host]facts.Observation{m1: o}, []addr.Host{m1}, id)
			got := result(t, r, id, m1)
			if got.Status != c.status || !strings.Contains(got.Evidence, c.evidence) || got.Choice != nil {
				t.Errorf("%+v", got)
			}
			if got.Status == Fail && got.Fix != fixDrift {
				t.Errorf("what to do: %s", got.Fix)
			}
			if r.Complete != (c.status != Unknown) || r.Subject != SubjectHosts {
				t.Errorf("complete %v, about the %s", r.Complete, r.Subject)
			}
		})
	}
	// All of them at once, on all hosts, one of which does not answer.
	seen := map[addr.Host]facts.Observation{m1: seenAs(w, m1), n1: seenAs(w, n1), {Role: addr.Node, Name: "n2"}: {Err: "i/o timeout"}}
	for h, o := range seen { // no certificate is real here
		for p, f := range o.Files {
			if f.Type == facts.Regular && strings.HasSuffix(p, ".crt") {
				f.Content = nil
				o.Files[p] = f
			}
		}
		seen[h] = o
	}
	r := w.look(seen, nil)
	if r.Counts.Fail > 0 || r.Complete || len(r.Unseen) != 1 || r.Unseen[0].Reason != "i/o timeout" {
		t.Errorf("%+v, complete %v, unseen %v", r.Counts, r.Complete, r.Unseen)
	}
	for _, res := range r.Results {
		if res.Status == Unknown && res.Check != "5.1.7" || res.Host.Name == "n2" {
			t.Errorf("%+v", res)
		}
	}
}

// TestEvidence: what hardway does not know to be harmless does not get out.
func TestEvidence(t *testing.T) {
	w := compile(t, "../../examples/lab", "", "")
	const secret = "hunter2"
	o := seenAs(w, m1)
	for p, f := range o.Files {
		if f.Type == facts.Regular {
			f.Content = append(f.Content, "\n# "+secret+"\ntoken: "+secret+"\n"...)
			o.Files[p] = f
		}
	}
	for _, u := range []string{"etcd", "kube-apiserver", "kubelet"} {
		o.Units[u+".service"] = facts.Unit{PID: 1, Argv: []string{"/bin/x", "--password=" + secret, "--token", secret}}
	}
	for _, res := range w.look(map[addr.Host]facts.Observation{m1: o}, nil).Results {
		if strings.Contains(res.Evidence+res.Fix+res.Reason, secret) {
			t.Errorf("%s shows a secret: %+v", res.Check, res)
		}
		if len(res.Evidence) > 500 {
			t.Errorf("%s: %d bytes of evidence", res.Check, len(res.Evidence))
		}
	}
}

// FuzzObserved: whatever a host says, an audit of it ends with an answer.
func FuzzObserved(f *testing.F) {
	w := compile(f, "../../examples/lab", "", "")
	o := seenAs(w, m1)
	f.Add("[Service]\nExecStart=/bin/x --a", "--config=/x", string(o.Files[kubeletYAML].Content), string(o.Files[policyYAML].Content))
	f.Add("", "-", "a: [", "rules: [{resources: [{}]}]")
	f.Add("\x00", "--tls-cipher-suites", "&a [*a]", "rules: 1")
	f.Fuzz(func(t *testing.T, unit, arg, config, policy string) {
		o := seenAs(w, m1)
		for p, text := range map[string]string{unitDir + "kubelet.service": unit, kubeletYAML: config, policyYAML: policy} {
			file := o.Files[p]
			file.Content = []byte(text)
			o.Files[p] = file
		}
		o.Units["kube-apiserver.service"] = facts.Unit{PID: 1, Argv: append([]string{"x"}, strings.Split(arg, " ")...)}
		r := w.look(map[addr.Host]facts.Observation{m1: o}, []addr.Host{m1})
		for _, res := range r.Results {
			if len(res.Evidence) > 2000 {
				t.Errorf("%s: %d bytes of evidence", res.Check, len(res.Evidence))
			}
		}
	})
}
