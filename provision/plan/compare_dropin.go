package plan

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
)

// dropIn begins the name of the attribute that holds the text of a drop-in; its
// path follows.
const dropIn = "drop_in "

// foreignDropIns are the drop-ins that change this unit in particular. What a
// distribution or a container's manager lays down for all services at once is
// part of the machine.
func foreignDropIns(paths []string) []string {
	var out []string
	for _, p := range paths {
		everywhere := path.Base(path.Dir(p)) == "service.d"
		if everywhere && !strings.HasPrefix(p, "/etc/") {
			continue
		}
		out = append(out, p)
	}
	slices.Sort(out)
	return out
}

// dropIns says of each unit whether somebody else's file changes it. hardway
// does not remove it, so an apply leaves it: it is a warning; beside what was
// applied it is drift.
func (c *comparison) dropIns() {
	for i := range c.plan.Changes {
		ch := &c.plan.Changes[i]
		others, found := ch.Before["drop_ins"]
		if ch.Spec.Unit == nil || !found || ch.Action == Delete || ch.Action == Forget {
			continue
		}
		if c.in.Mode == ReadDrift {
			ch.note(Update, "a drop-in that hardway did not write changes this unit")
			delete(ch.After, "drop_ins")
			for name := range ch.After {
				if strings.HasPrefix(name, dropIn) {
					ch.After[name] = Value{Block: ch.Before[name].Block} // there was nothing
				}
			}
			continue
		}
		c.plan.Warnings = append(c.plan.Warnings, Warning{Addr: ch.Addr, Detail: dropInTexts(ch.Before), Summary: fmt.Sprintf(
			"%s is changed by a file that hardway did not write, and leaves: %s; put what it sets into the configuration, then remove the file and run `systemctl daemon-reload` there",
			ch.Spec.Unit.Name, others.Text)})
	}
}

// dropInTexts writes down what the drop-ins among the attributes say, each below
// its path.
func dropInTexts(attrs Attrs) string {
	var out strings.Builder
	for _, name := range slices.Sorted(maps.Keys(attrs)) {
		p, ok := strings.CutPrefix(name, dropIn)
		switch {
		case !ok:
		case !attrs[name].Block:
			out.WriteString(p + ": " + masked + "\n")
		default:
			out.WriteString(p + ":\n")
			for line := range strings.Lines(attrs[name].Text) {
				out.WriteString("    " + strings.TrimSuffix(line, "\n") + "\n")
			}
		}
	}
	return out.String()
}

// maskedSettings hand values to a process, and they are often credentials.
var maskedSettings = [...]string{"Environment", "PassEnvironment", "SetCredential", "SetCredentialEncrypted"}

// masked stands in place of what a plan must not hold.
const masked = "(sensitive value)"

// shownDropIn is the text of somebody else's drop-in as a plan may have it. What
// may hold a credential all the same is shown by its digest alone.
func shownDropIn(text string) Value {
	if shown := maskSettings(text); !secretUnit(shown) {
		return Value{Text: shown, Block: true}
	}
	return secretText(text)
}

// maskSettings leaves of some settings only their names, and of what was a setting
// once and is a comment now, nothing.
func maskSettings(text string) string {
	var out strings.Builder
	continued, hiding := false, false
	for line := range strings.Lines(text) {
		body := strings.TrimSpace(strings.TrimPrefix(line, "\ufeff"))
		comment := strings.HasPrefix(body, "#") || strings.HasPrefix(body, ";")
		if comment {
			if once := strings.TrimLeft(body, "#; \t"); strings.Contains(once, "=") || secretUnit(once) {
				line = "# " + masked + "\n"
			}
		} else if !continued {
			name, v, _ := strings.Cut(body, "=")
			name = strings.TrimSpace(name)
			hiding = slices.ContainsFunc(maskedSettings[:], func(s string) bool { return strings.EqualFold(s, name) }) && strings.TrimSpace(v) != ""
			if hiding {
				out.WriteString(name + "=" + masked + "\n")
			}
		}
		if !hiding || comment && !continued {
			out.WriteString(line)
		}
		if !comment { // systemd passes over comments in the middle of a setting
			end := strings.TrimRight(line, "\r\n")
			continued = (len(end)-len(strings.TrimRight(end, `\`)))%2 == 1
		}
	}
	return out.String()
}
