package plan

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hardway/provision/facts"
	"hardway/provision/resource"
	"hardway/provision/state"
)

// verdict is what a table test looks at.
type verdict struct {
	Action Action
	Reason string
	Expect string
}

func verdictOf(c Change) verdict { return verdict{c.Action, c.Reason, c.Expect} }

func filesOf(path string, f facts.File) facts.Observation {
	return facts.Observation{Files: map[string]facts.File{path: f}}
}

var sha = func(s string) string { return resource.SHA256([]byte(s)) }

func TestCompareFile(t *testing.T) {
	plain := resource.File{Path: "/etc/x", Meta: resource.Root(0o644), Content: "wanted\n"}
	once := plain
	once.Once = true
	public := resource.File{Path: "/etc/x", Meta: resource.Root(0o644), Material: "bundle/etcd", Content: "PEM\n", Digest: sha("PEM\n")}
	key := resource.File{Path: "/etc/x", Meta: resource.Root(0o600), Material: "key/etcd", Digest: sha("KEY")}
	unmade := resource.File{Path: "/etc/x", Meta: resource.Root(0o600), Material: "key/etcd"}
	owned := []state.Record{{}}
	const foreign = "a file that hardway did not write stands there; it is kept and put back by destroy"
	for name, c := range map[string]struct {
		want   resource.File
		seen   facts.File
		record []state.Record
		expect verdict
	}{
		"absent":                   {plain, facts.File{}, nil, verdict{Create, "", "absent"}},
		"absent, said so":          {plain, facts.File{Type: facts.Absent}, nil, verdict{Create, "", "absent"}},
		"as wanted":                {plain, text("wanted\n", 0o644), owned, verdict{NoOp, "", sha("wanted\n")}},
		"as wanted, not ours":      {plain, text("wanted\n", 0o644), nil, verdict{NoOp, "", sha("wanted\n")}},
		"content":                  {plain, text("other\n", 0o644), owned, verdict{Update, "content differs", sha("other\n")}},
		"mode":                     {plain, text("wanted\n", 0o600), owned, verdict{Update, "mode or owner differ", sha("wanted\n")}},
		"content before mode":      {plain, text("other\n", 0o600), owned, verdict{Update, "content differs", sha("other\n")}},
		"foreign":                  {plain, text("other\n", 0o644), nil, verdict{Update, foreign, sha("other\n")}},
		"a directory in the way":   {plain, facts.File{Type: facts.Directory, Mode: 0o755}, owned, verdict{Update, "a directory stands there", ""}},
		"a link in the way":        {plain, facts.File{Type: facts.Symlink, Target: "/etc/y"}, nil, verdict{Update, "a symlink stands there", ""}},
		"once, absent":             {once, facts.File{}, owned, verdict{Create, "", "absent"}},
		"once, changed since":      {once, text("other\n", 0o600), owned, verdict{NoOp, "", ""}},
		"once, foreign":            {once, text("other\n", 0o644), nil, verdict{Update, foreign, sha("other\n")}},
		"bundle as made":           {public, text("PEM\n", 0o644), owned, verdict{NoOp, "", sha("PEM\n")}},
		"bundle of before":         {public, text("OLD\n", 0o644), owned, verdict{Update, "content differs", sha("OLD\n")}},
		"key as made":              {key, text("KEY", 0o600), owned, verdict{NoOp, "", sha("KEY")}},
		"another key":              {key, text("OTHER", 0o600), owned, verdict{Update, "content differs", sha("OTHER")}},
		"key for everybody":        {key, text("KEY", 0o644), owned, verdict{Update, "mode or owner differ", sha("KEY")}},
		"not made yet":             {unmade, facts.File{}, nil, verdict{Create, "", "absent"}},
		"not made yet, but a file": {unmade, text("KEY", 0o600), nil, verdict{Update, foreign, sha("KEY")}},
	} {
		t.Run(name, func(t *testing.T) {
			got := one(t, resource.Spec{File: &c.want}, filesOf("/etc/x", c.seen), c.record...)
			if diff := cmp.Diff(c.expect, verdictOf(got)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if (got.Prior != nil) != (c.record == nil) {
				t.Errorf("prior is %+v", got.Prior)
			}
			if strings.Contains(string(encode(t, &Plan{Changes: []Change{got}})), "KEY") {
				t.Error("the plan shows a key")
			}
		})
	}
}

// TestPrior: what stood there is described, and never carried.
func TestPrior(t *testing.T) {
	f := text("the admin's own\n", 0o640)
	f.Group = "adm"
	got := one(t, resource.Spec{File: &resource.File{Path: "/etc/x", Meta: resource.Root(0o644), Content: "ours\n"}}, filesOf("/etc/x", f))
	want := &state.Prior{Exists: true, Type: facts.Regular, Mode: 0o640, Owner: "root", Group: "adm", Size: 16, SHA256: f.SHA256}
	if diff := cmp.Diff(want, got.Prior); diff != "" {
		t.Error(diff)
	}
	for name, c := range map[string]struct {
		spec resource.Spec
		obs  facts.Observation
		want state.Prior
	}{
		"sysctl":         {resource.Spec{Sysctl: &resource.Sysctl{Key: "kernel.panic", Value: "10"}}, facts.Observation{Sysctls: map[string]string{"kernel.panic": "0"}}, state.Prior{Exists: true, Value: "0"}},
		"module there":   {resource.Spec{Module: &resource.Module{Name: "overlay"}}, facts.Observation{Modules: map[string]bool{"overlay": true}}, state.Prior{Exists: true}},
		"module missing": {resource.Spec{Module: &resource.Module{Name: "overlay"}}, facts.Observation{}, state.Prior{}},
		"swap":           {resource.Spec{Swap: &resource.Swap{Off: true}}, facts.Observation{Swaps: []string{"/swapfile"}}, state.Prior{Exists: true, Swaps: []string{"/swapfile"}}},
		"image":          {resource.Spec{Image: &resource.Image{Ref: "pause:1", SHA256: "ab"}}, facts.Observation{Images: map[string]string{"pause:1": ""}}, state.Prior{Exists: true}},
		"directory": {resource.Spec{Directory: &resource.Directory{Path: "/opt/cni"}}, filesOf("/opt/cni", facts.File{Type: facts.Directory, Mode: 0o700, Owner: "a", Group: "b", Empty: true}),
			state.Prior{Exists: true, Type: facts.Directory, Mode: 0o700, Owner: "a", Group: "b", Empty: true}},
		"unit": {resource.Spec{Unit: &resource.Unit{Name: "kubelet.service", Path: "/u"}}, facts.Observation{Units: map[string]facts.Unit{"kubelet.service": {Load: "loaded", Enabled: "enabled", Active: "active"}}},
			state.Prior{Unit: &state.PriorUnit{Load: "loaded", Enabled: "enabled", Active: "active"}}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(&c.want, one(t, c.spec, c.obs).Prior); diff != "" {
				t.Error(diff)
			}
			if p := one(t, c.spec, c.obs, state.Record{}).Prior; p != nil {
				t.Errorf("the prior of what is ours already is taken again: %+v", p)
			}
		})
	}
}

// TestForeignContent: what others wrote is shown only where it can be no secret.
func TestForeignContent(t *testing.T) {
	const kubeconfig = "users:\n- name: admin\n  user:\n    client-key-data: Q0FOQVJZ\n"
	const pem = "# my key\n-----BEGIN RSA PRIVATE KEY-----\nCANARY\n-----END RSA PRIVATE KEY-----\n"
	owned := []state.Record{{}}
	for name, c := range map[string]struct {
		seen   facts.File
		record []state.Record
		shown  bool
	}{
		"ours, edited":                  {text("maxPods: 1\n", 0o600), owned, true},
		"ours, a credential put in":     {text(kubeconfig, 0o600), owned, false},
		"ours, a token put in":          {text("users:\n- user:\n    token: CANARY\n", 0o600), owned, false},
		"ours, a password in JSON":      {text("{\n  \"password\": \"CANARY\"\n}\n", 0o600), owned, false},
		"ours, a word about tokens":     {text("# the token: see below\nkind: ClusterConfiguration\n", 0o600), owned, true},
		"another's, for everybody":      {text("maxPods: 1\n", 0o644), nil, true},
		"another's, for root alone":     {text("maxPods: 1\n", 0o600), nil, false},
		"another's, for a group":        {text("maxPods: 1\n", 0o640), nil, false},
		"another's, a key for everyone": {text(pem, 0o644), nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			for _, spec := range []resource.Spec{
				{File: &resource.File{Path: "/etc/x", Meta: resource.Root(0o600), Content: "ours\n"}},
				{Unit: &resource.Unit{Name: "x.service", Path: "/etc/x", Meta: resource.Root(0o600), Content: "ours\n"}},
			} {
				got := one(t, spec, filesOf("/etc/x", c.seen), c.record...)
				v := got.Before["content"]
				if spec.Unit != nil {
					v = got.Before["unit"]
				}
				if want := (Value{Text: string(c.seen.Content), Block: true}); c.shown && v != want {
					t.Errorf("%s: not shown: %+v", spec.Kind(), v)
				}
				if want := (Value{Text: "sha256:" + c.seen.SHA256[:12], Sensitive: true}); !c.shown && v != want {
					t.Errorf("%s: shown: %+v", spec.Kind(), v)
				}
			}
		})
	}
}

// TestWrittenDifferently: a file that says the same in other words is put right,
// and nobody who has read it needs to read it again.
func TestWrittenDifferently(t *testing.T) {
	const ours = "kind: X\nmaxPods: 110\nlist:\n- a\n- b\nname: \"1\"\n"
	const other = "content differs"
	for name, c := range map[string]struct {
		ours, theirs string
		same         bool
	}{
		"keys in another order":   {ours, "maxPods: 110\nname: \"1\"\nkind: X\nlist: [a, b]\n", true},
		"a comment":               {ours, "# mine\n" + ours, true},
		"as JSON":                 {ours, `{"kind":"X","maxPods":110,"list":["a","b"],"name":"1"}`, true},
		"JSON, other white space": {`{"a": 1, "b": [true]}`, "{\n\t\"b\": [ true ],\n\t\"a\": 1\n}\n", true},
		"a document mark":         {ours, "---\n" + ours, true},
		"another value":           {ours, strings.Replace(ours, "110", "111", 1), false},
		"another type":            {ours, strings.Replace(ours, `"1"`, "1", 1), false},
		"a list turned":           {ours, strings.Replace(ours, "- a\n- b", "- b\n- a", 1), false},
		"one more key":            {ours, ours + "more: 1\n", false},
		"one less":                {ours, strings.Replace(ours, "kind: X\n", "", 1), false},
		"a key twice":             {ours, ours + "kind: X\n", false},
		"a second document":       {ours, ours + "---\nkind: Y\n", false},
		"an ended document":       {ours, ours + "...\nkind: Y\n", false},
		"large numbers":           {"a: 9007199254740993\n", "a:  9007199254740992\n", false},
		"no object":               {"hello\n", "hello \n", false},
		"TOML":                    {"version = 3\n[a]\n  b = 1\n", "version = 3\n[a]\nb = 1\n", false},
		"empty":                   {ours, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			if sameObject(c.ours, c.theirs) != c.same || sameObject(c.theirs, c.ours) != c.same {
				t.Fatalf("the same: %v, want %v", !c.same, c.same)
			}
			spec := resource.Spec{File: &resource.File{Path: "/etc/x", Meta: resource.Root(0o644), Content: c.ours}}
			got := one(t, spec, filesOf("/etc/x", text(c.theirs, 0o644)), state.Record{SHA256: sha(c.ours)})
			if want := map[bool]string{true: "written differently, the same content", false: other}[c.same]; got.Action != Update || got.Reason != want {
				t.Errorf("%s, %q, want %q", got.Action, got.Reason, want)
			}
			if rewritten(got) != c.same || got.Before["content"].Text != c.theirs {
				t.Errorf("rewritten: %v, before: %+v", rewritten(got), got.Before["content"])
			}
			if got := one(t, spec, filesOf("/etc/x", text(c.theirs, 0o644))); got.Reason == "written differently, the same content" {
				t.Error("somebody else's file is taken for ours")
			}
		})
	}
	if rewritten(Change{Action: Update, Spec: resource.Spec{File: &resource.File{}}}) {
		t.Error("what shows no content is taken for the same")
	}
}

// TestRewrittenFileRestartsNobody holds the same against the whole plan.
func TestRewrittenFileRestartsNobody(t *testing.T) {
	w := applied(t, "lab")
	w.hosts[n1].edit(kubeletConf, func(f *facts.File) { *f = text("# mine\n"+string(f.Content), f.Mode) })
	p := compute(t, w.input())
	want := []string{`~ node["n1"].file["` + kubeletConf + `"]: written differently, the same content`}
	if diff := cmp.Diff(want, active(p)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	w.apply(p)
	w.settled()
}
