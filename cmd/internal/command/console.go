package command

import (
	"bufio"
	"errors"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"hardway/cmd/internal/view"
	"hardway/provision/config"
)

// Lines reads what a person types at a prompt, with editing and a history that
// ends with the process: a typed line may hold a secret.
type Lines interface {
	// ReadLine returns one line without its line feed; io.EOF when there is no
	// more, which is also what Ctrl-C and Ctrl-D mean here.
	ReadLine(prompt string) (string, error)
}

// consoleHelp is what "help" prints.
const consoleHelp = `Type an expression, such as var.NAME, local.NAME, node["n1"].address, cluster.api_url
or cidrsubnet(cluster.pod_cidr, 8, 1), to see its value. type(EXPRESSION) shows its type.
A line that leaves a bracket open goes on in the next one. To leave: exit, or Ctrl-D.
`

func newConsole(a *app) *cobra.Command {
	var in inputs
	cmd := &cobra.Command{
		Use:   "console",
		Short: "Try expressions against the configuration",
		Long: `Reads expressions and prints their values as HCL: variables, local values, hosts, the
cluster, every function. No host is asked and no state is read. What is sensitive is
not shown.

On a terminal it has a prompt, on which Tab completes names and the arrows bring back
earlier lines. From a pipe it reads one expression a line, and ends with 1 at the first
that is wrong.`,
		Example: `  hardway console
  echo 'cidrsubnet(cluster.pod_cidr, 8, 3)' | hardway console
  echo '[for h in node : h.address]' | hardway console`,
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error {
			o, err := a.options(in)
			if err != nil {
				return err
			}
			e, files, diags := config.NewEvaluator(o.Config)
			if e == nil {
				return &configError{diags, files}
			}
			if len(diags) > 0 {
				if err := view.Diagnostics(a.env.Stderr, diags, files.HCL(), a.style(a.env.Stderr)); err != nil {
					return err
				}
				a.say("\n")
			}
			c := &console{app: a, e: e}
			if a.env.Lines != nil && a.terminal(a.env.Stdin) {
				return c.typed(a.env.Lines(e.Names()))
			}
			return c.piped(a.env.Stdin)
		},
	}
	in.register(cmd)
	return cmd
}

// console is one conversation.
type console struct {
	*app
	e    *config.Evaluator
	open string // lines with a bracket that is still open
}

// errLeft ends the conversation.
var errLeft = errors.New("left")

// typed answers a person; a wrong line is told and forgotten.
func (c *console) typed(lines Lines) error {
	for {
		prompt := "> "
		if c.open != "" {
			prompt = ": "
		}
		line, err := lines.ReadLine(prompt)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		err = c.line(line)
		if errors.Is(err, errLeft) {
			return nil
		}
		if wrong, ok := errors.AsType[*configError](err); ok {
			err = view.Diagnostics(c.env.Stderr, wrong.diags, wrong.sources(), c.style(c.env.Stderr))
		}
		if err != nil {
			return err
		}
	}
}

// piped answers a script: the first wrong line ends it.
func (c *console) piped(r io.Reader) error {
	in := bufio.NewReader(r)
	for {
		line, err := in.ReadString('\n')
		if line == "" && errors.Is(err, io.EOF) {
			break
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if err := c.line(strings.TrimRight(line, "\r\n")); errors.Is(err, errLeft) {
			return nil
		} else if err != nil {
			return err
		}
	}
	if c.open != "" { // the parser says what is missing
		return c.evaluate(c.open)
	}
	return nil
}

// line takes one line.
func (c *console) line(text string) error {
	if c.open == "" {
		switch strings.TrimSpace(text) {
		case "exit", "quit":
			return errLeft
		case "help":
			_, err := io.WriteString(c.env.Stdout, consoleHelp)
			return err
		}
	}
	c.open += text + "\n"
	switch config.LineOf(c.open) {
	case config.OpenLine:
		return nil
	case config.BlankLine:
		c.open = ""
		return nil
	}
	text, c.open = c.open, ""
	return c.evaluate(text)
}

func (c *console) evaluate(text string) error {
	v, files, diags := c.e.Evaluate(strings.TrimSuffix(text, "\n"))
	if diags.HasErrors() {
		return &configError{diags, files}
	}
	_, err := io.WriteString(c.env.Stdout, view.Value(v)+"\n")
	return err
}
