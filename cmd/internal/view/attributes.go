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

// attribute is one line below a resource.
type attribute struct {
	name          string
	before, after plan.Value
	had, has      bool
}

// same reports whether the attribute stays as it is.
func (a attribute) same() bool { return a.had && a.has && a.before == a.after && !a.after.Unknown }

// attributes writes attributes one below the other, aligned; an update shows
// those that differ and counts the others.
func (t *page) attributes(c plan.Change) {
	var rows []attribute
	hidden := 0
	widths := map[bool]int{} // flags have long names, and are aligned for themselves
	for _, name := range attrNames(c.Before, c.After) {
		r := attribute{name: Escape(name)}
		r.before, r.had = c.Before[name]
		r.after, r.has = c.After[name]
		if c.Action == plan.Create && !t.o.Verbose && quiet(name, r.after) {
			continue
		}
		whole := c.Action == plan.Delete || c.Action == plan.Forget
		if r.same() && !whole && !t.o.Verbose && !identifies(c, name) {
			hidden++
			continue
		}
		if whole {
			r.has = false
		}
		rows = append(rows, r)
		if !r.after.Block && !r.before.Block {
			widths[isFlag(name)] = max(widths[isFlag(name)], columns(r.name))
		}
	}
	for _, r := range rows {
		t.attribute(r, r.name+strings.Repeat(" ", max(widths[isFlag(r.name)]-columns(r.name), 0)))
	}
	if hidden > 0 {
		t.line("      %s", t.faint("# ("+number(hidden, "unchanged attribute")+" hidden)"))
	}
}

// attribute writes one attribute; name is padded.
func (t *page) attribute(r attribute, name string) {
	switch {
	case r.same():
		t.line("      %s = %s", name, t.value(r.after))
	case block(r.before) || block(r.after):
		t.block(r.name, r.before, r.after, r.had, r.has)
	case r.had && r.has && r.before.Sensitive && r.after.Sensitive:
		t.line("    %s %s = (sensitive value)", t.yellow("~"), name)
	case r.had && r.has:
		t.differing(r, name)
	case r.has:
		t.line("    %s %s = %s", t.green("+"), name, t.value(r.after))
	default:
		t.line("    %s %s = %s", t.red("-"), name, t.value(r.before))
	}
}

// differing writes an attribute with another value than before: on one line
// where it fits, else as what a list lost and gained, else on two lines.
func (t *page) differing(r attribute, name string) {
	before, after := t.value(r.before), t.value(r.after)
	if t.o.Width <= 0 || columns(name)+columns(before)+columns(after)+len("    ~  =  -> ") <= t.o.Width {
		t.line("    %s %s = %s -> %s", t.yellow("~"), name, before, after)
		return
	}
	if lost, gained, kept, ok := listDifference(r.before, r.after); ok && !t.o.Verbose {
		t.line("    %s %s:", t.yellow("~"), r.name)
		for _, item := range lost {
			t.line("        %s %s", t.red("-"), quote(item))
		}
		for _, item := range gained {
			t.line("        %s %s", t.green("+"), quote(item))
		}
		if kept > 0 {
			t.line("          %s", t.faint("# ("+number(kept, "unchanged item")+" hidden)"))
		}
		return
	}
	t.line("    %s %s = %s", t.yellow("~"), name, before)
	t.line("    %s-> %s", strings.Repeat(" ", columns(name)+2), after)
}

// listDifference compares two texts as lists with commas between the items. It
// is false where neither is a list, or only the order differs.
func listDifference(before, after plan.Value) (lost, gained []string, kept int, ok bool) {
	if before.Sensitive || after.Sensitive || before.Unknown || after.Unknown {
		return nil, nil, 0, false
	}
	was, is := items(before.Text), items(after.Text)
	left := map[string]int{}
	for _, item := range was {
		left[item]++
	}
	for _, item := range is {
		if left[item] == 0 {
			gained = append(gained, item)
			continue
		}
		left[item]--
		kept++
	}
	for _, item := range was {
		if left[item] > 0 {
			left[item]--
			lost = append(lost, item)
		}
	}
	return lost, gained, kept, max(len(was), len(is)) > 2 && kept > 0 && len(lost)+len(gained) > 0
}

// items splits a list as flags and SANs are written.
func items(s string) []string {
	if s == "" {
		return nil
	}
	list := strings.Split(s, ",")
	for i := range list {
		list[i] = strings.TrimSpace(list[i])
	}
	return list
}

// identifies reports whether an attribute is shown although it stays: without
// them nobody would know which certificate it is that is made anew.
func identifies(c plan.Change, name string) bool {
	return c.Addr.Kind == string(resource.KindCertificate) && slices.Contains([]string{"subject", "sans", "issuer", "not_after"}, name)
}

// isFlag reports whether an attribute is one flag of a unit's command line.
func isFlag(name string) bool { return strings.HasPrefix(name, "-") }

// block reports whether a value is text of several lines that may be shown.
func block(v plan.Value) bool { return v.Block && !v.Sensitive && !v.Unknown }

// value writes one value on one line.
func (t *page) value(v plan.Value) string {
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
// describes it next, then the rest, the flags, and texts last, each by name.
func attrNames(maps_ ...plan.Attrs) []string {
	all := map[string]plan.Value{}
	for _, m := range maps_ {
		maps.Copy(all, m)
	}
	names := slices.Collect(maps.Keys(all))
	rank := func(name string) int {
		switch i := slices.Index(attrOrder[:], name); {
		case all[name].Block:
			return 1000
		case isFlag(name):
			return 600
		case i >= 0 && !all[name].Sensitive:
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
func (t *page) text(s string, paint func(string) string, sign string) {
	for line := range strings.Lines(EscapeBlock(s)) {
		t.line("        %s", paint(fmt.Sprintf("%s%s", sign, strings.TrimRight(line, "\n"))))
	}
}
