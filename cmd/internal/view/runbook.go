package view

import (
	"fmt"
	"io"
	"strings"

	"hardway/provision/runbook"
)

// runbookWidth is where the prose of a runbook is wrapped: it is a document.
const runbookWidth = 100

// Runbook writes a runbook as Markdown. Each block of shell is fenced, and the
// word behind "sh" is the place where it is to be run.
func Runbook(w io.Writer, r runbook.Runbook, st Style) error {
	var b strings.Builder
	para := func(text string) { b.WriteString(wrap(text, runbookWidth, "") + "\n\n") }
	fmt.Fprintf(&b, "# The cluster %s by hand\n\n", markdown(r.Cluster))
	for _, p := range runbookHead {
		para(p)
	}
	b.WriteString("| place | how it is reached |\n|---|---|\n")
	for _, h := range r.Hosts {
		fmt.Fprintf(&b, "| %s | `ssh` as %s to %s, port %d |\n", markdown(h.Addr.Name), markdown(h.User), markdown(h.Address), h.Port)
	}
	for _, s := range r.Steps {
		fmt.Fprintf(&b, "\n## %d. %s\n\n", s.Number, markdown(s.Title))
		para(s.Why)
		for _, l := range s.Links {
			fmt.Fprintf(&b, "- <%s>\n", l)
		}
		if len(s.Links) > 0 {
			b.WriteByte('\n')
		}
		for i, k := range s.Blocks {
			if i > 0 {
				b.WriteByte('\n')
			}
			where := "On the workstation:"
			if !k.OnWorkstation() {
				where = "On " + markdown(k.Place()) + ", as root:"
			}
			fence := "```"
			for strings.Contains(k.Shell, fence) {
				fence += "`"
			}
			fmt.Fprintf(&b, "%s\n\n%ssh %s\n%s%s\n", where, fence, k.Place(), shownShell(k.Shell, st), fence)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// RunbookText writes a runbook as shell with everything else in comments: what
// is not a comment can be pasted as it stands.
func RunbookText(w io.Writer, r runbook.Runbook, st Style) error {
	var b strings.Builder
	comment := func(text string) { b.WriteString("# " + wrap(text, runbookWidth-2, "# ") + "\n") }
	comment("THE CLUSTER " + Escape(r.Cluster) + " BY HAND")
	for _, p := range runbookHead {
		b.WriteString("#\n")
		comment(strings.ReplaceAll(p, "`", ""))
	}
	b.WriteString("#\n")
	for _, h := range r.Hosts {
		comment(fmt.Sprintf("%s: ssh as %s to %s, port %d", Escape(h.Addr.Name), Escape(h.User), Escape(h.Address), h.Port))
	}
	for _, s := range r.Steps {
		b.WriteString("\n" + strings.Repeat("#", runbookWidth) + "\n")
		comment(fmt.Sprintf("%d. %s", s.Number, Escape(s.Title)))
		b.WriteString("#\n")
		comment(s.Why)
		for _, l := range s.Links {
			b.WriteString("# " + l + "\n")
		}
		for _, k := range s.Blocks {
			fmt.Fprintf(&b, "\n# --- on %s ---\n%s", Escape(k.Place()), shownShell(k.Shell, st))
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// runbookHead is what a reader has to know first.
var runbookHead = []string{
	"These are the commands with which a person makes the same cluster as `hardway apply`, from nothing, in an order that apply could take. Files and units are byte for byte those that hardway would write.",
	"Run a block as a whole, in the place that stands above it, one after the other, and stop where a command fails. The workstation is any machine with `openssl`, `tar` and `ssh` that can log in to the hosts; on hosts every block needs root. Each block stands on its own: it needs only the files that those before it left.",
	"No key stands in here. The commands make all of them, so two runs give two clusters. openssl counts lifetimes in days and from now, where hardway counts in seconds and from five minutes ago; all else in the certificates is the same.",
	"`HARDWAY_INPUTS` in a unit is the digest of what the process reads only at its start. It changes nothing for the process.",
}

// shownShell is a block as it may be shown: on a terminal nothing may move the
// cursor, and in a file every byte counts.
func shownShell(text string, st Style) string {
	if st.Whole {
		return text
	}
	return EscapeBlock(text)
}

// markdown escapes a value that stands in the prose of a Markdown document.
func markdown(s string) string {
	return strings.NewReplacer("|", `\|`, "*", `\*`, "`", "\\`", "<", `\<`, "[", `\[`).Replace(Escape(s))
}
