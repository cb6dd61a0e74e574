package command

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hardway/provision/addr"
	"hardway/provision/plan"
)

func driftOf(n int) *plan.Drift {
	d := &plan.Drift{FormatVersion: "1.0", Complete: true}
	for i := range n {
		d.Resources = append(d.Resources, plan.Drifted{
			Addr: addr.Address{Host: addr.Host{Role: addr.Node, Name: "n1"}, Kind: "file", Name: string(rune('a' + i))}, Reason: "content differs",
			Was: plan.Attrs{"mode": {Text: "0644"}}, Is: plan.Attrs{"mode": {Text: "0600"}},
		})
	}
	return d
}

func TestDriftExitCodes(t *testing.T) {
	unseen := driftOf(1)
	unseen.Complete, unseen.Unknown = false, []plan.Unknown{{Host: addr.Host{Role: addr.Node, Name: "n2"}, Reason: "i/o timeout"}}
	unread := driftOf(1)
	unread.Complete = false
	for name, c := range map[string]struct {
		d    *plan.Drift
		args []string
		code int
		want string
	}{
		"none":    {driftOf(0), nil, 0, "No drift."},
		"some":    {driftOf(2), nil, 2, "Drift: 2 resources on 1 host differ from what was applied last."},
		"unseen":  {unseen, nil, 1, `node["n2"]: i/o timeout`},
		"unread":  {unread, nil, 1, "That is not everything"},
		"as JSON": {driftOf(1), []string{"-json"}, 2, `"drifted": [`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			r := cli(t, &fake{drift: c.d}, nil, false, nil, append([]string{"drift"}, c.args...)...)
			if r.code != c.code {
				t.Errorf("exit code %d, want %d\n%s", r.code, c.code, r.stderr)
			}
			wants(t, r, c.want)
		})
	}
}

func TestDriftIgnores(t *testing.T) {
	t.Chdir(t.TempDir())
	write := func(name, text string) {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ignored := func(args ...string) string {
		t.Helper()
		f := &fake{drift: driftOf(0)}
		if r := cli(t, f, nil, false, nil, append([]string{"drift"}, args...)...); r.code != 0 {
			t.Fatalf("%v: code %d\n%s", args, r.code, r.stderr)
		}
		var out []string
		for _, a := range f.drifted[0].Ignore {
			out = append(out, a.String())
		}
		return strings.Join(out, " ")
	}
	if got := ignored(); got != "" {
		t.Errorf("without anything: %q", got)
	}
	write(ignoreName, "# what monitoring does\nnode[\"n1\"].file[\"a#b\"]  # a comment\n\n  master[\"m1\"]\n")
	write("other", "node[\"n2\"]")
	for want, args := range map[string][]string{
		`node["n1"].file["a#b"] master["m1"]`:                     nil,
		`cluster.object["x"] node["n1"].file["a#b"] master["m1"]`: {`-ignore=cluster.object["x"]`},
		`node["n2"]`: {"-ignore-file=other"},
	} {
		if diff := cmp.Diff(want, ignored(args...)); diff != "" {
			t.Errorf("%v (-want +got):\n%s", args, diff)
		}
	}
	write(ignoreName, "node[\"n1\"]\nnode[n1]\n\nworker[\"x\"]\n")
	r := cli(t, &fake{}, nil, false, nil, "drift")
	if r.code != 1 {
		t.Errorf("bad addresses: code %d", r.code)
	}
	wants(t, r, ".hardwayignore:2: not an address", ".hardwayignore:4: not an address", `starts with "worker"`)
	if r = cli(t, &fake{}, nil, false, nil, "drift", "-ignore-file=nix"); r.code != 1 || !strings.Contains(r.stderr, `There is no ignore file "nix"`) {
		t.Errorf("a missing file: code %d\n%s", r.code, r.stderr)
	}
	if r = cli(t, &fake{}, nil, false, nil, "drift", "-ignore=nix"); r.code != 1 || !strings.Contains(r.stderr, "Bad --ignore") {
		t.Errorf("a bad option: code %d\n%s", r.code, r.stderr)
	}
}

func FuzzParseIgnore(f *testing.F) {
	f.Add([]byte("node[\"n1\"].file[\"a#b\"] # x\nmaster[\"m1\"]\n"))
	f.Add([]byte("node[\"\\\"#\"]"))
	f.Fuzz(func(t *testing.T, text []byte) {
		list, err := parseIgnore("f", text)
		if err != nil {
			return
		}
		var b strings.Builder
		for _, a := range list {
			b.WriteString(a.String() + "\n")
		}
		again, err := parseIgnore("f", []byte(b.String()))
		if err != nil || len(again) != len(list) {
			t.Errorf("%q: %v, then %v, %v", text, list, again, err)
		}
	})
}
