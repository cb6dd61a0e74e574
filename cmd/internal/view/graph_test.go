package view

import (
	"bytes"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"hardway/provision/addr"
	"hardway/provision/graph"
	"hardway/provision/plan"
)

// drawn is a plan with every action, on a host and with a file whose names try
// to break out.
func drawn() graph.Graph {
	host := addr.Host{Role: addr.Node, Name: "n1"}
	evil := addr.Host{Role: addr.Node, Name: "a\"];\nb\\\u202e<&#`"}
	address := func(h addr.Host, kind, name string) addr.Address {
		return addr.Address{Host: h, Kind: kind, Name: name}
	}
	items := []graph.Item{
		{Addr: address(addr.Host{Role: addr.Cluster}, "authority", "kubernetes"), Action: plan.NoOp},
		{Addr: address(host, "cert", "a"), Action: plan.Create, DependsOn: []addr.Address{address(addr.Host{Role: addr.Cluster}, "authority", "kubernetes")}},
		{Addr: address(host, "cert", "b"), Action: plan.Update},
		{Addr: address(host, "file", "/a"), Action: plan.Delete},
		{Addr: address(host, "sysctl", "x"), Action: plan.Forget},
		{Addr: address(host, "binary", "x"), Action: plan.Read},
		{Addr: address(host, "unit", "kubelet"), Action: plan.Replace, DependsOn: []addr.Address{address(host, "cert", "a"), address(evil, "unit", `x" -> y\`)}},
		{Addr: address(evil, "unit", `x" -> y\`), Action: plan.Create},
	}
	return graph.New(items, graph.Options{By: graph.ByHost})
}

func TestGraph(t *testing.T) {
	var dot, mermaid bytes.Buffer
	if err := DOT(&dot, drawn()); err != nil {
		t.Fatal(err)
	}
	if err := Mermaid(&mermaid, drawn()); err != nil {
		t.Fatal(err)
	}
	golden(t, "graph/plan.dot", dot.String())
	golden(t, "graph/plan.mmd", mermaid.String())
}

// TestGraphIsDOT has Graphviz read it, where there is one, and in any case wants
// every line to be one of the few that DOT writes.
func TestGraphIsDOT(t *testing.T) {
	var b bytes.Buffer
	if err := DOT(&b, drawn()); err != nil {
		t.Fatal(err)
	}
	const quoted = `"(?:[^"\\]|\\\\|\\"|\\n)*"`
	line := regexp.MustCompile(`^(?:digraph hardway \{| +(?:[a-z]+ = (?:` + quoted + `|[A-Za-z0-9.]+)|(?:node|edge) \[.*\]|subgraph cluster_\d+ \{|` +
		quoted + ` \[label=` + quoted + `(?:, [a-z]+=` + quoted + `)*\]|` + quoted + ` -> ` + quoted + `|\})|\})$`)
	for text := range strings.Lines(b.String()) {
		if !line.MatchString(strings.TrimSuffix(text, "\n")) {
			t.Errorf("no line of DOT: %s", text)
		}
	}
	dot, err := exec.LookPath("dot")
	if err != nil {
		t.Skip("without dot the lines are all that is checked")
	}
	cmd := exec.Command(dot, "-Tplain")
	cmd.Stdin = &b
	out, err := cmd.CombinedOutput()
	if err != nil || bytes.Contains(out, []byte("Warning")) {
		t.Fatalf("dot: %v\n%s", err, out)
	}
	if nodes, edges := bytes.Count(out, []byte("\nnode ")), bytes.Count(out, []byte("\nedge ")); nodes != 7 || edges != 3 {
		t.Errorf("dot sees %d nodes and %d edges:\n%s", nodes, edges, out)
	}
}

// TestGraphIsMermaid wants every line to be one of the few that Mermaid writes:
// in a label nothing but entities stands for what has a meaning there.
func TestGraphIsMermaid(t *testing.T) {
	var b bytes.Buffer
	if err := Mermaid(&b, drawn()); err != nil {
		t.Fatal(err)
	}
	const label = "\\[\"(?:[^\"<>`\\\\#&]|#[a-z0-9]+;|<br/>)*\"\\]"
	line := regexp.MustCompile(`^(?:flowchart RL| +(?:subgraph b\d+` + label + `|n\d+` + label + `|end|n\d+ --> n\d+|classDef [a-z]+ fill:#[0-9a-f]{6},stroke:#[0-9a-f]{6},color:#[0-9a-f]{6}|class n\d+(?:,n\d+)* [a-z]+))$`)
	for text := range strings.Lines(b.String()) {
		if !line.MatchString(strings.TrimSuffix(text, "\n")) {
			t.Errorf("no line of Mermaid: %s", text)
		}
	}
}
