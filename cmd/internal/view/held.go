package view

import (
	"slices"

	"hardway/provision/plan"
)

// held lists what the configuration asks for and this plan leaves alone.
func (t *planText) held() {
	if len(t.p.Held) == 0 {
		return
	}
	t.line("%s", t.bold(t.yellow("Held back:")))
	t.line("")
	for _, h := range t.p.Held {
		text := "  " + Escape(h.Addr.String()) + ": " + Escape(h.Reason)
		if HoldsAll([]plan.Held{h}) {
			text = "  everything: " + Escape(h.Reason)
		}
		if !h.Since.IsZero() {
			text += " (since " + h.Since.UTC().Format("2006-01-02 15:04 UTC") + ")"
		}
		t.line("%s", wrapHanging(text, t.o.Width, "    "))
	}
	t.line("")
	t.line("%s", wrap(RetryHint, t.o.Width, ""))
	t.line("")
}

// HoldsAll reports whether everything is held back, as after a rollback, and not
// single units.
func HoldsAll(list []plan.Held) bool {
	return slices.ContainsFunc(list, func(h plan.Held) bool { return h.Addr.Kind == "" && h.Addr.Host.IsCluster() })
}

// RetryHint is what to do about what is held back.
const RetryHint = "It stays as it was applied last. To try it again, change the configuration, or run \"hardway apply --retry\"."
