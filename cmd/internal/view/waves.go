package view

import (
	"fmt"
	"slices"
	"strings"

	"hardway/provision/addr"
	"hardway/provision/plan"
)

// maxNodeWaves is how many waves of nodes in a row are shown without --verbose:
// they are all alike, and it is the etcd members and control planes before them
// that deserve to be read one by one.
const maxNodeWaves = 10

// stageNode is the stage of the waves that are folded.
const stageNode = "node"

// waves lists the links of the chain of restarts, numbered and by stage.
func (t *planText) waves() {
	t.line("%s", t.bold(wrap("What restarts, in this order (the first failure stops the rest):", t.o.Width, "")))
	t.line("")
	changes := map[addr.Address]plan.Change{}
	for _, c := range t.p.Changes {
		changes[c.Addr] = c
	}
	waves := t.p.Waves
	digits := len(fmt.Sprint(len(waves)))
	for i := 0; i < len(waves); {
		stage := waves[i].Stage
		end := i + 1
		for end < len(waves) && waves[end].Stage == stage {
			end++
		}
		shown := end
		if stage == stageNode && !t.o.Verbose {
			shown = min(end, i+maxNodeWaves)
		}
		t.line("  %s", t.bold(stageTitle(stage)))
		for ; i < shown; i++ {
			t.wave(i+1, digits, waves[i], changes)
		}
		if rest := end - shown; rest > 0 {
			t.line("  %s  … and %s, one after another %s", strings.Repeat(" ", digits), number(rest, "more node"), t.faint("(--verbose shows them)"))
		}
		i = end
	}
	t.line("")
}

// stageTitle says who takes turns.
func stageTitle(stage string) string {
	switch stage {
	case "etcd":
		return "etcd, one member at a time"
	case "control-plane":
		return "control plane, one host at a time"
	case stageNode:
		return "nodes, one at a time"
	}
	return Escape(stage)
}

// wave writes one wave: the host, the units with their reasons, the risk, and
// what happens when it does not end well.
func (t *planText) wave(n, digits int, w plan.Wave, changes map[addr.Address]plan.Change) {
	t.line("  %*d. %s", digits, n, Escape(w.Host.String()))
	indent := strings.Repeat(" ", digits+4)
	var rows []interrupted
	var restores []string
	for _, u := range w.Units {
		c, ok := changes[u.Addr]
		if !ok { // a plan that was cut by hand; the address says enough
			c.Addr = u.Addr
		}
		r := interrupted{unit: interruptedName(c), what: touched(u.Disruption), why: Escape(c.Reason)}
		rows = append(rows, r)
		if u.Restores {
			restores = append(restores, r.unit)
		}
	}
	t.interruptions(rows, indent)
	if w.Risk != "" {
		for line := range strings.Lines(wrapHanging(indent+"risk: "+Escape(w.Risk), t.o.Width, indent)) {
			line = strings.TrimRight(line, "\n")
			text := strings.TrimLeft(line, " ")
			t.line("%s%s", line[:len(line)-len(text)], t.yellow(text))
		}
	}
	if len(restores) > 0 {
		text := "put back automatically if it does not become healthy"
		switch n := len(restores); {
		case n < len(rows):
			text = "of these " + strings.Join(restores, ", ") + ": " + text
		case n > 1:
			text = "put back automatically if they do not become healthy"
		}
		t.line("%s", wrapHanging(indent+text, t.o.Width, indent))
	}
}

// touched names what happens to a unit of a wave.
func touched(d plan.Disruption) string {
	switch d {
	case plan.Restart:
		return "restarted"
	case plan.Drain:
		return "drained, then restarted"
	case plan.Reload:
		return "reloaded"
	}
	return "not restarted, but waited for"
}

// restartCounts is the line that sums the waves up; empty when nothing in them
// restarts.
func restartCounts(p *plan.Plan) string {
	units, waves := 0, 0
	var hosts []addr.Host
	for _, w := range p.Waves {
		restarts := 0
		for _, u := range w.Units {
			if u.Disruption == plan.Restart || u.Disruption == plan.Drain {
				restarts++
			}
		}
		if restarts > 0 {
			units, waves, hosts = units+restarts, waves+1, append(hosts, w.Host)
		}
	}
	if units == 0 {
		return ""
	}
	slices.SortFunc(hosts, addr.Host.Compare)
	hosts = slices.CompactFunc(hosts, func(a, b addr.Host) bool { return a.Compare(b) == 0 })
	return fmt.Sprintf("%s on %s, in %s.", number(units, "unit"), number(len(hosts), "host"), number(waves, "wave"))
}
