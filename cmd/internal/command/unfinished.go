package command

import (
	"errors"
	"fmt"
	"strings"

	"hardway/cmd/internal/view"
	"hardway/provision/plan"
)

// leftOut says, before anything is done, what happens to hosts that could not
// be read and to what depends on them.
func leftOut(hosts int) string {
	if hosts == 1 {
		return "1 host could not be read; what does not depend on it is done, the rest waits."
	}
	return fmt.Sprintf("%d hosts could not be read; what does not depend on them is done, the rest waits.", hosts)
}

// unfinished is the error of a plan after which the cluster is not all that was asked
// for: hosts were not seen, something is held back, or nothing could be
// decided. again is the command that goes on; done says that the rest was done.
func unfinished(p *plan.Plan, again string, done bool) error {
	var errs []error
	if n := len(p.Unknown); n > 0 {
		it, answers := "it", "When it answers again"
		if n > 1 {
			it, answers = "them", "When they answer again"
		}
		next := "Nothing was changed. Check that \"ssh\" reaches " + it + " with the same user and key, then run \"" + again + "\" again."
		if done {
			next = "What does not depend on " + it + " is done. " + answers + ", run \"" + again + "\" for the rest."
		}
		errs = append(errs, unseen(p.Unknown, next))
	}
	if len(p.Held) > 0 {
		errs = append(errs, heldBack(p))
	}
	if len(errs) == 0 {
		return &view.Problem{Summary: "The cluster is not all that the configuration says",
			Detail: "There is nothing to change in what could be seen, but something is left to be decided.",
			Next:   "Run \"hardway plan\" to see what, and \"hardway verify\" to see what is not healthy."}
	}
	return errors.Join(errs...)
}

// unseen is the error of a plan or a drift in which hosts are missing: it is
// shown, but never called unchanged.
func unseen(list []plan.Unknown, next string) error {
	if len(list) == 0 {
		return nil
	}
	var b strings.Builder
	for _, u := range list {
		fmt.Fprintf(&b, "  %s\n", view.NamedOnce(u.Host.String()+": "+u.Reason))
	}
	summary := "A host could not be read"
	if n := len(list); n > 1 {
		summary = fmt.Sprintf("%d hosts could not be read", n)
	}
	return &view.Problem{Summary: summary, Detail: b.String(), Next: next}
}

// heldBack is the error of a plan that leaves something alone which failed
// before: the configuration is not in force.
func heldBack(p *plan.Plan) error {
	summary := "1 change is held back"
	if n := len(p.Held); view.HoldsAll(p.Held) {
		summary = "What the configuration changed is held back"
	} else if n > 1 {
		summary = fmt.Sprintf("%d changes are held back", n)
	}
	const most = 10
	var b strings.Builder
	for i, h := range p.Held {
		if i == most {
			fmt.Fprintf(&b, "  and %d more\n", len(p.Held)-most)
			break
		}
		fmt.Fprintf(&b, "  %s: %s\n", h.Addr, h.Reason)
	}
	return &view.Problem{Summary: summary, Detail: b.String(), Next: view.RetryHint}
}
