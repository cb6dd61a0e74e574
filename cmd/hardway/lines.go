package main

import (
	"io"
	"os"
	"slices"
	"strings"

	"golang.org/x/term"

	"hardway/cmd/internal/command"
)

// prompt reads lines from the terminal that the process was started on. The
// terminal is raw only while a line is typed, so that what is written in
// between, and a panic, find it as it was.
type prompt struct {
	t *term.Terminal
}

// lines returns the prompt; Tab completes names.
func lines(names []string) command.Lines {
	t := term.NewTerminal(struct {
		io.Reader
		io.Writer
	}{os.Stdin, os.Stdout}, "")
	t.AutoCompleteCallback = func(line string, pos int, key rune) (string, int, bool) {
		if key != '\t' {
			return "", 0, false
		}
		before, ok := complete(line[:pos], names)
		return before + line[pos:], len(before), ok
	}
	return &prompt{t}
}

func (p *prompt) ReadLine(prompt string) (string, error) {
	fd := int(os.Stdin.Fd())
	old, err := term.MakeRaw(fd)
	if err != nil {
		return "", err
	}
	defer func() { _ = term.Restore(fd, old) }() // nothing to be done about it
	if width, height, err := term.GetSize(fd); err == nil {
		_ = p.t.SetSize(width, height) // fails on a size of nothing, and then wraps at 80
	}
	p.t.SetPrompt(prompt)
	line, err := p.t.ReadLine()
	if err == io.EOF {
		_, _ = io.WriteString(os.Stdout, "\r\n") // what comes next begins on a line of its own
	}
	return line, err
}

// complete adds to the word at the end of text what all names that begin with
// it have in common.
func complete(text string, names []string) (string, bool) {
	word := text[strings.LastIndexAny(text, " \t([{,!=<>?:+-*/%&|\"")+1:]
	if word == "" {
		return text, false
	}
	var common string
	found := false
	for _, n := range slices.Sorted(slices.Values(names)) {
		switch {
		case !strings.HasPrefix(n, word):
		case !found:
			common, found = n, true
		default:
			i := 0
			for i < len(common) && i < len(n) && common[i] == n[i] {
				i++
			}
			common = common[:i]
		}
	}
	return text[:len(text)-len(word)] + common, found && common != ""
}
