package addr

import "testing"

func TestParseIsTheInverseOfString(t *testing.T) {
	for _, a := range []Address{
		{Host: Host{Role: Cluster}, Kind: "authority", Name: "kubernetes"},
		{Host: Host{Role: Master, Name: "m1"}},
		{Host: Host{Role: Node, Name: "n1"}, Kind: "unit", Name: "kubelet"},
		{Host: Host{Role: Node, Name: "n.1"}, Kind: "file", Name: `/etc/a "b"].c`},
	} {
		got, err := Parse(a.String())
		if err != nil || got != a {
			t.Errorf("Parse(%s) = %v, %v", a, got, err)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for _, s := range []string{"", "node", `node[n1]`, `node["n1"`, `node["n1"].`, `worker["n1"]`, `cluster["x"]`, `node["n1"].unit["a"].b`, `node["n1"]unit`} {
		if a, err := Parse(s); err == nil {
			t.Errorf("Parse(%q) = %v, want an error", s, a)
		}
	}
}

func TestCovers(t *testing.T) {
	n1 := Host{Role: Node, Name: "n1"}
	unit := Address{Host: n1, Kind: "unit", Name: "kubelet"}
	for _, c := range []struct {
		target string
		want   bool
	}{
		{`node["n1"]`, true}, {`node["n1"].unit`, true}, {`node["n1"].unit["kubelet"]`, true},
		{`node["n1"].file`, false}, {`node["n2"]`, false}, {`node["n1"].unit["etcd"]`, false},
	} {
		target, err := Parse(c.target)
		if err != nil {
			t.Fatal(err)
		}
		if got := target.Covers(unit); got != c.want {
			t.Errorf("%s covers %s: %v, want %v", target, unit, got, c.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(`node["n1"].unit["kubelet"]`)
	f.Fuzz(func(t *testing.T, s string) {
		a, err := Parse(s)
		if err != nil {
			return
		}
		b, err := Parse(a.String())
		if err != nil || a != b {
			t.Fatalf("%q: %v then %v, %v", s, a, b, err)
		}
	})
}
