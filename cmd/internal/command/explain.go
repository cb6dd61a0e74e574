package command

import (
	"fmt"
	"slices"
	"strings"

	"hardway/cmd/internal/view"
	"hardway/provision/addr"
	"hardway/provision/apply"
	"hardway/provision/binaries"
	"hardway/provision/plan"
	"hardway/provision/resource"
)

// restored tells of a unit that did not become healthy with its change. err
// names it, e says what came of putting back.
func restored(err error, e *apply.RestoredError) error {
	unit := strings.TrimSuffix(strings.TrimSuffix(err.Error(), e.Error()), ": ")
	if unit == "" {
		unit = e.Unit
	}
	if e.Restore != nil {
		return &view.Problem{Summary: unit + " did not become healthy, and putting back what was there before failed too",
			Detail: fmt.Sprintf("With the change:\n  %s\nPutting back:\n  %s", indented(e.Err), indented(e.Restore)), Err: err,
			Next: "Look at it on the host:\n  " + resource.LogCommand(e.Unit) + "\nThe change is held back: the next \"hardway apply\" puts back what was there before."}
	}
	return &view.Problem{Summary: unit + " did not become healthy, and was put back",
		Detail: fmt.Sprintf("%s\n\nWhat was there before is in force and healthy again, %s after the change. Nothing further was restarted.",
			e.Err, view.Brief(e.Elapsed)), Err: err,
		Next: "The change is held back. Mend the configuration and apply it, or try the same once more with \"hardway apply --retry\"."}
}

func indented(err error) string { return strings.ReplaceAll(err.Error(), "\n", "\n  ") }

// mostMoved is how many of the things that have moved are named.
const mostMoved = 10

// stale tells what a saved plan was based on and is no longer so.
func stale(e *plan.StaleError) error {
	var b strings.Builder
	for i, m := range e.Moved {
		if i == mostMoved {
			fmt.Fprintf(&b, "  and %d more\n", len(e.Moved)-mostMoved)
			break
		}
		fmt.Fprintf(&b, "  %s: %s -> %s\n", movedWhat(m), m.Was, m.Is)
	}
	return &view.Problem{Summary: "The plan is stale", Err: e,
		Detail: "Since it was made, this has changed:\n" + b.String() + "Nothing was changed by this apply.",
		Next:   "Run \"hardway plan\" again."}
}

// movedWhat names what has moved.
func movedWhat(m plan.Moved) string {
	switch m.What {
	case "config":
		return "the configuration"
	case "serial":
		return "the serial of the state"
	}
	return m.Addr.String() + ": " + m.What
}

// foreign tells that a plan, or what it is applied to, is another cluster's.
func foreign(e *plan.ForeignError) error {
	return &view.Problem{Summary: "The plan is for another cluster, or was made in another directory", Err: e,
		Detail: fmt.Sprintf("It is of the cluster %q with the lineage %s; this directory is of %q with the lineage %s.", e.Cluster, e.Lineage, e.HereCluster, e.HereLineage),
		Next:   "Apply it in the directory that it was made in, or run \"hardway plan\" here."}
}

// marked tells that the hosts know more than the state, or another cluster.
func marked(e *plan.MarkedError) error {
	summary := "A host belongs to another cluster"
	if len(e.Newer) > 0 {
		summary = "The hosts were changed by a newer state than this one"
	}
	return &view.Problem{Summary: summary, Detail: e.Error(), Err: e}
}

// needsInit ends the errors about what hardway.lock.hcl does not have.
const needsInit = "; run `hardway init`"

// together makes one error of all those about the lock file: a configuration
// that was never initialised has one for each component and host, and one way
// out of them.
func together(list []error) []error {
	var out []error
	var missing []string // in order
	hosts := map[string][]string{}
	count := 0
	for _, err := range list {
		text, ok := strings.CutSuffix(err.Error(), needsInit)
		if !ok || !strings.Contains(text, binaries.LockName) || strings.Contains(text, "\n") {
			out = append(out, err)
			continue
		}
		count++
		host, what := placed(text)
		if _, seen := hosts[what]; !seen {
			missing = append(missing, what)
		}
		hosts[what] = append(hosts[what], host)
	}
	if count < 2 {
		return list
	}
	var b strings.Builder
	for _, what := range missing {
		b.WriteString("  " + what + some(hosts[what]) + "\n")
	}
	return append(out, &view.Problem{Summary: binaries.LockName + " does not have what the configuration needs", Detail: b.String(), Next: "Run \"hardway init\"."})
}

// placed takes the place in the configuration and the host off the front of an
// error's text.
func placed(text string) (host, what string) {
	parts := strings.Split(text, ": ")
	if len(parts) > 1 && strings.Contains(parts[0], ".hcl:") {
		parts = parts[1:]
	}
	if len(parts) > 1 {
		if a, err := addr.Parse(parts[0]); err == nil && a.Kind == "" {
			host, parts = parts[0], parts[1:]
		}
	}
	return host, strings.Join(parts, ": ")
}

// some names the first hosts of a list and counts the others.
func some(hosts []string) string {
	hosts = slices.DeleteFunc(slices.Clone(hosts), func(h string) bool { return h == "" })
	const most = 3
	switch n := len(hosts); {
	case n == 0:
		return ""
	case n > most:
		return fmt.Sprintf(" (%s and %d more)", strings.Join(hosts[:most], ", "), n-most)
	}
	return " (" + strings.Join(hosts, ", ") + ")"
}
