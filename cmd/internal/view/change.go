package view

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"hardway/provision/plan"
	"hardway/provision/resource"
)

const (
	// shortText is the number of lines up to which a new text is always shown.
	shortText = 4
	// longDiff is the number of lines after which a diff is cut without --verbose.
	longDiff = 120
)

// change writes one change: the sentence, the reason, what it does to what
// runs, then the attributes.
func (t *planText) change(c plan.Change) {
	t.line("  %s", t.bold("# "+Escape(c.Addr.String())+" "+t.sentence(c.Action)))
	if c.Action == plan.NoOp {
		return
	}
	if c.Reason != "" {
		t.note("(" + Escape(c.Reason) + ")")
	}
	if n := effect(c); n != "" {
		t.note(n)
	}
	switch {
	case t.dense(c):
		t.packed(c)
	default:
		t.attributes(c)
	}
}

// note writes a comment line below a change's sentence.
func (t *planText) note(text string) {
	t.line("  # %s", wrap(text, t.o.Width-4, "  # "))
}

func (t *planText) sentence(a plan.Action) string {
	switch a {
	case plan.Create:
		return "will be created"
	case plan.Update:
		return "will be updated in place"
	case plan.Replace:
		return "must be " + t.red("replaced")
	case plan.Delete:
		return "will be " + t.red("destroyed")
	case plan.Forget:
		return "will no longer be managed, and stays as it is"
	case plan.Read:
		return "will be read during apply"
	}
	return "is up to date"
}

// effect says what a change does to what runs: "enables and starts kubelet".
func effect(c plan.Change) string {
	var verbs []string
	if u := c.Unit; u != nil {
		for _, v := range []struct {
			on   bool
			verb string
		}{
			{u.Unmask, "unmasks"}, {u.Disable, "disables"}, {u.Enable, "enables"},
			{u.Start == "start" || u.Start == "start-no-block", "starts"},
			{u.Start == "restart", "restarts"}, {u.Start == "stop", "stops"},
		} {
			if v.on {
				verbs = append(verbs, v.verb)
			}
		}
	}
	switch {
	case len(verbs) > 0:
		text := strings.Join(verbs, ", ")
		if i := strings.LastIndex(text, ", "); i >= 0 {
			text = text[:i] + " and " + text[i+2:]
		}
		if c.Disruption == plan.Drain {
			text = "drains the node, then " + text
		}
		return text + " " + Escape(unitName(c))
	case c.Action == plan.Delete && c.Addr.Kind == string(resource.KindUnit):
		return "stops " + Escape(unitName(c))
	case c.Disruption == plan.Drain:
		return "drains the node first"
	case c.Disruption == plan.Restart:
		return "needs a restart"
	case c.Disruption == plan.Reload:
		return "needs a reload"
	}
	return ""
}

// unitName is the unit's name without the suffix that every service has.
func unitName(c plan.Change) string {
	name := c.Addr.Name
	if c.Spec.Unit != nil && c.Spec.Unit.Name != "" {
		name = c.Spec.Unit.Name
	}
	return strings.TrimSuffix(name, ".service")
}

// dense reports whether a change is written on one or two lines: what is
// created or removed as a whole has no before to compare with, and a first plan
// has hundreds of them. Certificates always show their fields one by one.
func (t *planText) dense(c plan.Change) bool {
	if c.Action == plan.NoOp {
		return true
	}
	whole := c.Action == plan.Create || c.Action == plan.Delete || c.Action == plan.Forget || c.Action == plan.Read
	return whole && !t.o.Verbose && c.Addr.Kind != string(resource.KindCertificate)
}

// packed writes the telling attributes of a whole resource next to each other.
func (t *planText) packed(c plan.Change) {
	attrs := c.After
	if c.Action == plan.Delete || c.Action == plan.Forget {
		attrs = c.Before
	}
	var pieces []string
	var texts []plan.Value
	for _, name := range attrNames(attrs) {
		v := attrs[name]
		switch {
		case quiet(name, v):
		case c.Unit != nil && (name == "enabled" || name == "state"): // the line above says it
		case v.Block && !v.Sensitive && !v.Unknown:
			pieces = append(pieces, Escape(name)+" = "+number(lineCount(v.Text), "line"))
			if c.Action == plan.Create && lineCount(v.Text) <= shortText {
				texts = append(texts, v)
			}
		default:
			pieces = append(pieces, Escape(name)+" = "+t.value(v))
		}
	}
	if len(pieces) > 0 {
		lines := fill(pieces, "  ", t.o.Width-6, "      ")
		t.line("    %s %s", t.action(c.Action)(c.Action.Symbol()), strings.Join(lines, "\n"))
	}
	for _, v := range texts {
		t.text(v.Text, t.green, "+")
	}
}

// quiet reports whether an attribute says nothing that a reader of a creation
// needs: what is empty, the usual owner, and digests.
func quiet(name string, v plan.Value) bool {
	switch {
	case v.Unknown || v.Sensitive: // a new serial and a new key say only that it is new
		return name == "serial" || name == "key"
	case v.Text == "":
		return true
	}
	switch name {
	case "owner":
		return v.Text == "root:root" || v.Text == "root"
	case "group":
		return v.Text == "root"
	case "sha256", "archive", "digest", "inputs":
		return true
	}
	return false
}

// attributes writes attributes one below the other, aligned; an update shows
// those that differ and counts the others.
func (t *planText) attributes(c plan.Change) {
	type row struct {
		name          string
		before, after plan.Value
		had, has      bool
	}
	var rows []row
	width, hidden := 0, 0
	for _, name := range attrNames(c.Before, c.After) {
		r := row{name: Escape(name)}
		r.before, r.had = c.Before[name]
		r.after, r.has = c.After[name]
		if c.Action == plan.Create && !t.o.Verbose && quiet(name, r.after) {
			continue
		}
		whole := c.Action == plan.Delete || c.Action == plan.Forget
		if r.had && r.has && r.before == r.after && !r.after.Unknown && !whole {
			if !t.o.Verbose && !identifies(c, name) {
				hidden++
				continue
			}
		}
		if whole {
			r.has = false
		}
		rows = append(rows, r)
		if !r.after.Block && !r.before.Block {
			width = max(width, columns(r.name))
		}
	}
	for _, r := range rows {
		name := r.name + strings.Repeat(" ", max(width-columns(r.name), 0))
		switch {
		case r.had && r.has && r.before == r.after && !r.after.Unknown:
			t.line("      %s = %s", name, t.value(r.after))
		case block(r.before) || block(r.after):
			t.block(r.name, r.before, r.after, r.had, r.has)
		case r.had && r.has && r.before.Sensitive && r.after.Sensitive:
			t.line("    %s %s = (sensitive value)", t.yellow("~"), name)
		case r.had && r.has:
			t.line("    %s %s = %s -> %s", t.yellow("~"), name, t.value(r.before), t.value(r.after))
		case r.has:
			t.line("    %s %s = %s", t.green("+"), name, t.value(r.after))
		default:
			t.line("    %s %s = %s", t.red("-"), name, t.value(r.before))
		}
	}
	if hidden > 0 {
		t.line("      %s", t.faint("# ("+number(hidden, "unchanged attribute")+" hidden)"))
	}
}

// identifies reports whether an attribute is shown although it stays: without
// them nobody would know which certificate it is that is made anew.
func identifies(c plan.Change, name string) bool {
	return c.Addr.Kind == string(resource.KindCertificate) && slices.Contains([]string{"subject", "sans", "issuer", "not_after"}, name)
}

// block reports whether a value is text of several lines that may be shown.
func block(v plan.Value) bool { return v.Block && !v.Sensitive && !v.Unknown }

// value writes one value on one line.
func (t *planText) value(v plan.Value) string {
	switch {
	case v.Sensitive:
		return "(sensitive value)"
	case v.Unknown:
		return "(known after apply)"
	case v.Block:
		return number(lineCount(v.Text), "line")
	}
	return quote(v.Text)
}

// attrNames lists the names of all maps: what identifies a thing first, what
// describes it next, texts last, the rest by name in between.
func attrNames(maps_ ...plan.Attrs) []string {
	all := map[string]plan.Value{}
	for _, m := range maps_ {
		maps.Copy(all, m)
	}
	names := slices.Collect(maps.Keys(all))
	rank := func(name string) int {
		if all[name].Block {
			return 1000
		}
		if i := slices.Index(attrOrder[:], name); i >= 0 && !all[name].Sensitive {
			return i
		}
		return 500
	}
	slices.SortFunc(names, func(a, b string) int { return cmp.Or(rank(a)-rank(b), cmp.Compare(a, b)) })
	return names
}

// attrOrder is the order of the well-known attributes.
var attrOrder = [...]string{
	"path", "object", "node", "ref", "module", "key", "value", "type",
	"subject", "common_name", "sans", "dns", "ips", "issuer", "usages", "algorithm", "not_before", "not_after",
	"version", "arch", "size", "mode", "owner", "group", "enabled", "state",
}

// lineCount counts lines; a last line without a line feed counts too.
func lineCount(s string) int {
	n := strings.Count(s, "\n")
	if s != "" && !strings.HasSuffix(s, "\n") {
		n++
	}
	return n
}

// text writes lines below an attribute, each with a sign in front.
func (t *planText) text(s string, paint func(string) string, sign string) {
	for line := range strings.Lines(EscapeBlock(s)) {
		t.line("        %s", paint(fmt.Sprintf("%s%s", sign, strings.TrimRight(line, "\n"))))
	}
}
