package health

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"

	"hardway/provision/host"
)

// The scripts of package templates that ask questions. Their arguments travel as data.
const (
	scriptExec    = "exec"     // runs its arguments as a command, with the script's standard input
	scriptHTTPGet = "http-get" // URL [SECONDS]: prints the status code, a newline and the body
)

// Exit statuses of a script that could not start its command at all.
const (
	exitUsage         = 64
	exitNotExecutable = 126
	exitNotFound      = 127
)

// lineLimit bounds a message, in runes: it stands in a table.
const lineLimit = 360

// AnswerError is a question that was asked and answered, but not with what a
// healthy component says. Not being able to connect to the component counts as
// an answer; not being able to run the question on the host does not.
type AnswerError struct {
	Asked  string // GET http://127.0.0.1:10248/healthz; empty where the check's name says it
	Answer string // one line
}

func (e *AnswerError) Error() string {
	if e.Asked == "" {
		return e.Answer
	}
	return e.Asked + ": " + e.Answer
}

// runArgv runs a command on the host and returns what it printed.
func runArgv(ctx context.Context, h host.Host, argv []string, stdin []byte) ([]byte, error) {
	result, err := h.Run(ctx, host.Script{Name: scriptExec, Args: argv, Stdin: stdin})
	if err != nil {
		return result.Stdout, scriptFailure(strings.Join(argv, " "), result, err)
	}
	return result.Stdout, nil
}

// httpGet asks a URL on the host itself, and returns any status without judging
// it. The whole answer may take wait, in full seconds; with zero the script decides.
func httpGet(ctx context.Context, h host.Host, url string, wait time.Duration) (status int, body []byte, err error) {
	args := []string{url}
	if wait > 0 {
		args = append(args, strconv.Itoa(int(wait/time.Second)))
	}
	result, err := h.Run(ctx, host.Script{Name: scriptHTTPGet, Args: args})
	if err != nil {
		return 0, nil, scriptFailure("GET "+url, result, err)
	}
	first, body, _ := bytes.Cut(result.Stdout, []byte("\n"))
	status, err = strconv.Atoi(strings.TrimSpace(string(first)))
	if err != nil || status < 100 || status > 999 {
		return 0, nil, &AnswerError{Asked: "GET " + clean(url), Answer: "no HTTP answer: " + clean(string(result.Stdout))}
	}
	return status, body, nil
}

// badStatus is the error of a status that is not the wanted one.
func badStatus(url string, status int, body []byte) error {
	answer := strings.TrimSpace(fmt.Sprintf("HTTP %d %s", status, http.StatusText(status)))
	if text := clean(string(body)); text != "" {
		answer += ": " + text
	}
	return &AnswerError{Asked: "GET " + clean(url), Answer: answer}
}

// scriptFailure tells a bad answer from a question that never reached its
// addressee: a lost session, or a host without the command.
func scriptFailure(asked string, result host.Result, err error) error {
	failed, ok := errors.AsType[*host.ScriptError](err)
	if !ok {
		return fmt.Errorf("asking %s: %w", clean(asked), err)
	}
	switch failed.Exit {
	case exitUsage, exitNotExecutable, exitNotFound:
		return fmt.Errorf("asking %s: the host cannot run it: %s", clean(asked), clean(failed.Stderr))
	}
	answer := clean(failed.Stderr)
	if answer == "" {
		answer = clean(string(result.Stdout))
	}
	if answer == "" {
		answer = "no output"
	}
	return &AnswerError{Asked: clean(asked), Answer: fmt.Sprintf("exit status %d: %s", failed.Exit, answer)}
}

// clean makes one short printable line of what a machine said: a message must not
// be able to break a table or to drive a terminal. What is too long loses its
// middle, because causes stand at the end of errors.
func clean(s string) string {
	words := strings.FieldsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) })
	line := []rune(strings.Join(words, " "))
	if len(line) <= lineLimit {
		return string(line)
	}
	head := lineLimit / 3
	tail := len(line) - (lineLimit - head - 3)
	return strings.TrimSpace(string(line[:head])) + " … " + strings.TrimSpace(string(line[tail:]))
}
