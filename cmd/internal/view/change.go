package view

import (
	"strconv"
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

func (t *page) sentence(a plan.Action) string {
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
			{u.Start == "restart" || u.Start == "restart-no-block", "restarts"}, {u.Start == "stop", "stops"},
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
	return strings.TrimSuffix(strings.TrimSuffix(name, ".service"), resource.ProgramSuffix)
}

// dense reports whether a change is written on one or two lines: what is
// created or removed as a whole has no before to compare with, and a first plan
// has hundreds of them. Certificates always show their fields one by one.
func (t *page) dense(c plan.Change) bool {
	if c.Action == plan.NoOp {
		return true
	}
	whole := c.Action == plan.Create || c.Action == plan.Delete || c.Action == plan.Forget || c.Action == plan.Read
	return whole && !t.o.Verbose && c.Addr.Kind != string(resource.KindCertificate)
}

// packed writes the telling attributes of a whole resource next to each other.
func (t *page) packed(c plan.Change) {
	attrs := c.After
	if c.Action == plan.Delete || c.Action == plan.Forget {
		attrs = c.Before
	}
	var pieces []string
	var texts []plan.Value
	flags := 0
	for _, name := range attrNames(attrs) {
		v := attrs[name]
		switch {
		case isFlag(name): // of a whole unit nobody reads thirty of them unasked
			flags++
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
	if flags > 0 {
		pieces = append(pieces, "flags = "+strconv.Itoa(flags))
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
	case "sha256", "archive", "digest", "inputs", "not_before", "key_mode", "key_owner":
		return true
	}
	return false
}
