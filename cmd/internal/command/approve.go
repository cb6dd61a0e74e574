package command

import (
	"bufio"
	"context"
	"strings"

	"hardway/cmd/internal/view"
)

// approval is what is asked before anything changes.
type approval struct {
	auto  bool   // --auto-approve
	input bool   // --input
	ask   string // the question
	why   string // what a yes means
	next  string // what to do where nobody can be asked; about plans when empty
}

// approve asks on the terminal; only the word "yes" is a yes.
func (a *app) approve(ctx context.Context, q approval) error {
	if q.auto {
		return nil
	}
	if !q.input || !a.terminal(a.env.Stdin) {
		next := "Give --auto-approve, or save the plan with \"hardway plan --out FILE\" and apply that."
		if q.next != "" {
			next = q.next
		}
		return &view.Problem{
			Summary: "Nobody can be asked for approval",
			Detail:  "The input is not a terminal, or --input=false was given, and nothing is changed without a yes.",
			Next:    next,
		}
	}
	style := a.style(a.env.Stderr)
	a.say(view.Question(q.ask, q.why+"\nOnly 'yes' will be accepted to approve.", style))
	answer := make(chan string, 1)
	go func() { // a read from a terminal cannot be interrupted, so it is left behind
		line, _ := bufio.NewReader(a.env.Stdin).ReadString('\n')
		answer <- line
	}()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case line := <-answer:
		a.say("\n")
		if strings.TrimSpace(line) != "yes" {
			return &view.Problem{Summary: "Cancelled", Detail: "Nothing was changed."}
		}
		return nil
	}
}
