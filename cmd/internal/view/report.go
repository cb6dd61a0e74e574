package view

import (
	"fmt"
	"io"
	"strings"

	"hardway/provision/addr"
	"hardway/provision/health"
)

// Report writes what a verification found: every check by host, the table of
// `kubectl get componentstatuses`, the nodes, and the verdict.
func Report(w io.Writer, r health.Report, s Style) error {
	c := s.palette()
	var b strings.Builder
	if rows := answered(r.Checks); len(rows) > 0 {
		b.WriteString(checks(rows, c, s.table()) + "\n")
	}
	if len(r.ComponentStatuses) > 0 {
		b.WriteString(c.bold("kubectl get componentstatuses") + "\n" + componentStatuses(r.ComponentStatuses, c, s.table()))
		b.WriteString(c.faint(wrap(componentStatusLimits, s.Width, "")) + "\n\n")
	}
	if len(r.Nodes) > 0 {
		b.WriteString(c.bold("kubectl get nodes") + "\n" + nodes(r.Nodes, c, s.table()) + "\n")
	}
	b.WriteString(verdict(r, c, s.Width))
	_, err := io.WriteString(w, b.String())
	return err
}

// answered leaves out, of the checks of one host that could not be asked for the
// same reason, all but the first: a host without a connection has a dozen of
// them, and one thing to mend.
func answered(list []health.Check) []health.Check {
	type silence struct {
		host    addr.Host
		message string
	}
	first := map[silence]int{}
	more := map[int]int{}
	var out []health.Check
	for _, k := range list {
		if k.Status == health.Unknown && !k.Host.IsCluster() {
			s := silence{k.Host, k.Message}
			if i, seen := first[s]; seen {
				more[i]++
				continue
			}
			first[s] = len(out)
		}
		out = append(out, k)
	}
	for i, n := range more {
		out[i].Message += fmt.Sprintf(" (and %s)", number(n, "more check"))
	}
	return out
}

// ReportJSON writes the report as it is published: the document of `verify --json`.
func ReportJSON(w io.Writer, r health.Report) error { return JSON(w, reportJSON{reportVersion, r}) }

// reportVersion is the version of the report's JSON.
const reportVersion = "1.0"

// reportJSON is the report with the version of its format.
type reportJSON struct {
	FormatVersion string `json:"format_version"`
	health.Report
}

// componentStatusLimits is the word of caution under the table that people ask
// for by name: kubernetes/kubernetes#93342 and #96848 have the details.
const componentStatusLimits = "componentstatuses is deprecated since 1.19: the API server asks etcd, and the controller-manager" +
	" and scheduler beside itself only, without a client certificate. The checks above ask every one of them."

func checks(list []health.Check, c palette, width int) string {
	rows := make([][]cell, len(list))
	for i, k := range list {
		host := Escape(k.Host.String())
		rows[i] = []cell{
			{text: host}, {text: Escape(k.Component)}, {text: Escape(k.Name)},
			{text: Escape(string(k.Status)), paint: statusPaint(k.Status, c)},
			{text: Brief(k.Elapsed)}, {text: Escape(k.Message)},
		}
	}
	return table([]string{"HOST", "COMPONENT", "CHECK", "STATUS", "TIME", "MESSAGE"}, rows, width)
}

func statusPaint(s health.Status, c palette) func(string) string {
	switch s {
	case health.Healthy:
		return c.green
	case health.Unhealthy:
		return c.red
	case health.Unknown:
		return c.yellow
	}
	return c.faint
}

// componentStatuses has the columns of kubectl.
func componentStatuses(list []health.ComponentStatus, c palette, width int) string {
	rows := make([][]cell, len(list))
	for i, s := range list {
		paint := c.green
		if s.Status != "Healthy" {
			paint = c.red
		}
		rows[i] = []cell{{text: Escape(s.Name)}, {text: Escape(s.Status), paint: paint}, {text: Escape(s.Message)}, {text: Escape(s.Error)}}
	}
	return table([]string{"NAME", "STATUS", "MESSAGE", "ERROR"}, rows, width)
}

// nodes has the columns of `kubectl get nodes -o wide` that speak of hosts.
func nodes(list []health.NodeStatus, c palette, width int) string {
	rows := make([][]cell, len(list))
	for i, n := range list {
		status, paint := "Ready", c.green
		if !n.Ready {
			status, paint = "NotReady", c.red
		}
		roles := "<none>"
		if len(n.Roles) > 0 {
			roles = Escape(strings.Join(n.Roles, ","))
		}
		rows[i] = []cell{
			{text: Escape(n.Name)}, {text: status, paint: paint}, {text: roles}, {text: Escape(n.Version)},
			{text: Escape(n.Address)}, {text: Escape(n.Runtime)}, {text: Escape(n.Reason)},
		}
	}
	return table([]string{"NAME", "STATUS", "ROLES", "VERSION", "INTERNAL-IP", "CONTAINER-RUNTIME", "REASON"}, rows, width)
}

// verdict repeats what is wrong in full, because the table cuts messages, and
// ends with the one line that matters.
func verdict(r health.Report, c palette, width int) string {
	var b strings.Builder
	counts := map[health.Status]int{}
	for _, k := range r.Checks {
		counts[k.Status]++
	}
	for _, k := range answered(r.Checks) {
		if k.Status != health.Unhealthy && k.Status != health.Unknown {
			continue
		}
		line := fmt.Sprintf("%s %s %s: %s", Escape(k.Host.String()), Escape(k.Component), Escape(k.Name), Escape(k.Message))
		b.WriteString(wrapHanging(statusPaintWord(k.Status)+line, width, "    ") + "\n")
	}
	if b.Len() > 0 {
		b.WriteString("\n")
	}
	name := "The cluster"
	if r.Cluster != "" {
		name = "Cluster " + quote(r.Cluster)
	}
	if r.Healthy {
		text := fmt.Sprintf("%s is healthy: %s passed in %s", name, number(counts[health.Healthy], "check"), Brief(r.Elapsed))
		if n := counts[health.Skipped]; n > 0 {
			text += fmt.Sprintf(", %d skipped", n)
		}
		return b.String() + c.bold(c.green(text+".")) + "\n"
	}
	text := fmt.Sprintf("%s is not healthy: %d of %s failed", name, counts[health.Unhealthy], number(len(r.Checks), "check"))
	if n := counts[health.Unknown]; n > 0 {
		text += fmt.Sprintf(", %d could not be asked", n)
	}
	return b.String() + c.bold(c.red(text+".")) + "\n"
}

func statusPaintWord(s health.Status) string {
	if s == health.Unknown {
		return "could not ask "
	}
	return "failed: "
}
