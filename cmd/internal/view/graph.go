package view

import (
	"fmt"
	"io"
	"strings"

	"hardway/provision/graph"
	"hardway/provision/plan"
	"hardway/provision/resource"
)

// actionColors are how a node with an action is drawn: background and border. They are
// readable on white in print, and by people who see no red and green, because
// the label has the symbol too.
func actionColors(a plan.Action) (background, border string) {
	switch a {
	case plan.Create:
		return "#d9f2dd", "#1a7f37"
	case plan.Update:
		return "#fff3c4", "#9a6700"
	case plan.Replace:
		return "#ffdfc7", "#bc4c00"
	case plan.Delete:
		return "#ffdcdc", "#cf222e"
	case plan.Forget, plan.Read:
		return "#ddeeff", "#0969da"
	}
	return "#ffffff", "#8c959f"
}

// nodeLines is what stands in a node: its name, and how much there is of what.
func nodeLines(n graph.Node, planned bool) []string {
	lines := []string{n.Label}
	var more []string
	if n.Count > 1 && n.Hosts == n.Count {
		more = append(more, number(n.Hosts, "host"))
	} else if n.Count > 1 {
		more = append(more, fmt.Sprint(n.Count))
		if n.Hosts > 1 {
			more = append(more, "on "+number(n.Hosts, "host"))
		}
	}
	if len(more) > 0 {
		lines = append(lines, strings.Join(more, " "))
	}
	var actions []string
	for _, a := range drawnActions() {
		if k := n.Actions[a]; planned && k > 0 && a != plan.NoOp {
			if text := a.Symbol(); n.Count == 1 {
				actions = append(actions, text+" "+string(a))
			} else {
				actions = append(actions, fmt.Sprint(text, k))
			}
		}
	}
	if len(actions) > 0 {
		lines = append(lines, strings.Join(actions, " "))
	}
	for i := range lines {
		lines[i] = Escape(lines[i])
	}
	return lines
}

// drawnActions are the actions in the order of the legend.
func drawnActions() []plan.Action {
	return []plan.Action{plan.Create, plan.Update, plan.Replace, plan.Delete, plan.Forget, plan.Read, plan.NoOp}
}

// DOT writes a graph in the language of Graphviz. As Terraform's, arrows lead
// from what needs to what is needed, which stands on the left.
func DOT(w io.Writer, g graph.Graph) error {
	var b strings.Builder
	b.WriteString("digraph hardway {\n" +
		"  rankdir = RL\n  ranksep = 0.7\n  nodesep = 0.2\n" +
		"  node [shape=box, style=\"filled\", fillcolor=\"#ffffff\", color=\"#8c959f\", fontname=\"sans-serif\", fontsize=11, margin=\"0.12,0.06\"]\n" +
		"  edge [color=\"#57606a\", arrowsize=0.7]\n")
	for i, box := range g.Boxes {
		if box.Label != "" {
			fmt.Fprintf(&b, "  subgraph cluster_%d {\n    label = %s\n    style = rounded\n    color = \"#8c959f\"\n    fontname = \"sans-serif\"\n", i, dotString(box.Label))
		}
		for _, n := range box.Nodes {
			var style []string
			if n.Kind == resource.KindUnit {
				style = append(style, "style=\"filled,bold\"")
			}
			if g.Planned {
				background, border := actionColors(n.Action)
				style = append(style, fmt.Sprintf("fillcolor=%q, color=%q", background, border))
			}
			fmt.Fprintf(&b, "    %s [label=%s%s]\n", dotString(n.ID), dotLines(nodeLines(n, g.Planned)), strings.Join(append([]string{""}, style...), ", "))
		}
		if box.Label != "" {
			b.WriteString("  }\n")
		}
	}
	for _, e := range g.Edges {
		fmt.Fprintf(&b, "  %s -> %s\n", dotString(e.From), dotString(e.To))
	}
	b.WriteString("}\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// dotString quotes a text so that Graphviz takes it as it stands: a backslash
// would begin an escape, and an ampersand an entity.
func dotString(s string) string { return dotLines([]string{Escape(s)}) }

func dotLines(lines []string) string {
	r := strings.NewReplacer(`\`, `\\`, `"`, `\"`, `&`, `&amp;`)
	for i := range lines {
		lines[i] = r.Replace(lines[i])
	}
	return `"` + strings.Join(lines, `\n`) + `"`
}

// Mermaid writes a graph as a Mermaid flowchart, which many pages of
// repositories and wikis draw.
func Mermaid(w io.Writer, g graph.Graph) error {
	var b strings.Builder
	b.WriteString("flowchart RL\n")
	ids := map[string]string{}
	classes := map[plan.Action][]string{}
	for i, box := range g.Boxes {
		if box.Label != "" {
			fmt.Fprintf(&b, "  subgraph b%d[%s]\n", i, mermaidLines([]string{Escape(box.Label)}))
		}
		for _, n := range box.Nodes {
			id := fmt.Sprintf("n%d", len(ids))
			ids[n.ID] = id
			fmt.Fprintf(&b, "    %s[%s]\n", id, mermaidLines(nodeLines(n, g.Planned)))
			if g.Planned {
				classes[n.Action] = append(classes[n.Action], id)
			}
		}
		if box.Label != "" {
			b.WriteString("  end\n")
		}
	}
	for _, e := range g.Edges {
		fmt.Fprintf(&b, "  %s --> %s\n", ids[e.From], ids[e.To])
	}
	for _, a := range drawnActions() {
		if len(classes[a]) > 0 {
			background, border := actionColors(a)
			name := strings.ReplaceAll(string(a), "-", "")
			fmt.Fprintf(&b, "  classDef %s fill:%s,stroke:%s,color:#1f2328\n  class %s %s\n", name, background, border, strings.Join(classes[a], ","), name)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// mermaidLines quotes a label. Mermaid has entities and no backslash; a label
// that begins with a backtick would be Markdown.
func mermaidLines(lines []string) string {
	r := strings.NewReplacer(`#`, "#35;", `"`, "#quot;", "&", "#amp;", "<", "#lt;", ">", "#gt;", "`", "#96;", `\`, "#92;")
	for i := range lines {
		lines[i] = r.Replace(lines[i])
	}
	return `"` + strings.Join(lines, "<br/>") + `"`
}
