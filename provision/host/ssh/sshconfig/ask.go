package sshconfig

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
)

// ask has OpenSSH's client print what it would do. It connects to nothing, but it
// runs the commands of Match exec, as it does when somebody types ssh.
func (r Reader) ask(ctx context.Context, host, user string, port int) (directives, error) {
	args := []string{"-G"}
	if r.File != "" {
		args = append(args, "-F", r.File)
	}
	if user != "" {
		args = append(args, "-l", user)
	}
	if port != 0 {
		args = append(args, "-p", strconv.Itoa(port))
	}
	cmd := exec.CommandContext(ctx, r.SSH, append(args, "--", host)...)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		if said := strings.TrimSpace(errs.String()); said != "" {
			err = errors.New(said)
		}
		return nil, fmt.Errorf("asking ssh -G %s: %w", host, err)
	}
	return parsePrinted(string(out)), nil
}

// parsePrinted reads the output of ssh -G: a lower-case directive a line, and its
// value.
func parsePrinted(text string) directives {
	d := directives{}
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimRight(line, "\r\n"), " ")
		if name != "" && value != "" {
			name = strings.ToLower(name)
			d[name] = append(d[name], value)
		}
	}
	return d
}
