package command

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// beingTyped is what a shell asks while a line is being typed: the words before
// the one at the cursor are normalized, and left as they are when they are
// wrong. Descriptions of options lose the marks that only the help reads.
func beingTyped(root *cobra.Command, args []string) []string {
	unmark(root)
	if len(args) < 3 {
		return args
	}
	typed, err := normalize(root, args[1:len(args)-1])
	if err != nil {
		return args
	}
	return slices.Concat(args[:1], typed, args[len(args)-1:])
}

func unmark(cmd *cobra.Command) {
	for _, flags := range []*pflag.FlagSet{cmd.Flags(), cmd.PersistentFlags()} {
		flags.VisitAll(func(f *pflag.Flag) { f.Usage = strings.ReplaceAll(f.Usage, "`", "") })
	}
	for _, sub := range cmd.Commands() {
		unmark(sub)
	}
}

// Of several answers bash puts what they have in common on the line. Cobra's
// script escapes a single answer only, so that lists are without backslashes;
// with addresses, that leaves an open quote on the line, and nothing completes
// behind it.
const (
	escapesOne = `if (( ${#COMPREPLY[@]} == 1 )); then
            COMPREPLY[0]=$(printf "%q" "${COMPREPLY[0]}")
        fi`
	escapesAll = `if (( ${#COMPREPLY[@]} > 0 )); then
            IFS=$'\n' read -ra COMPREPLY -d '' < <(printf "%q\n" "${COMPREPLY[@]}")
        fi`
)

// escapeInBash makes cobra's script for bash escape every answer.
func escapeInBash(root *cobra.Command) {
	bash, _, err := root.Find([]string{"completion", "bash"})
	if err != nil || bash.Name() != "bash" {
		return
	}
	bash.RunE = func(cmd *cobra.Command, _ []string) error {
		plain, err := cmd.Flags().GetBool("no-descriptions")
		if err != nil {
			return err
		}
		var b bytes.Buffer
		if err := root.GenBashCompletionV2(&b, !plain); err != nil {
			return err
		}
		script := strings.Replace(b.String(), escapesOne, escapesAll, 1)
		if script == b.String() {
			return errors.New("cobra's script for bash is another one than hardway was written for")
		}
		_, err = io.WriteString(cmd.OutOrStdout(), script)
		return err
	}
}
