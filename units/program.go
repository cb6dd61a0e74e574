package units

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"hardway/units/unitfile"
)

// ProgramSuffix ends the name under which a program of supervisord is known,
// as ".service" ends that of a unit of systemd: kubelet.program.
const ProgramSuffix = ".program"

// ProgramOptions are what a program of supervisord needs beside its unit.
type ProgramOptions struct {
	Log      string // absolute path of the file that its output goes to
	Priority int    // programs with lower ones are started first
}

// stopSeconds is how long a process gets between SIGTERM and SIGKILL: systemd's
// own default (TimeoutStopSec, 90 s).
const stopSeconds = 90

// RenderProgram returns the unit as a program of supervisord, for hosts on which
// supervisord keeps processes. inputs is as in Render.
//
// The stop signal is TERM. With QUIT, which many examples have, the Go runtime
// prints every goroutine and ends with status 2, and nothing is shut down in
// order. Only what supervisord cannot do is done by a shell that then becomes
// the program: limits, and an environment file. What ends after it has set
// something up is kept alive, so that stopping it takes that away again.
func (u Unit) RenderProgram(inputs string, o ProgramOptions) (string, error) {
	name, ok := strings.CutSuffix(u.Name, ".service")
	if !ok || strings.ContainsAny(name, "/ \t\n:]") {
		return "", fmt.Errorf("rendering program %q: the name has to be that of a unit that ends in .service", u.Name)
	}
	fail := func(err error) (string, error) { return "", fmt.Errorf("rendering program %s: %w", name, err) }
	if len(u.ExecStartPre) > 0 || u.User != "" {
		return fail(errors.New("a command before the start, and another user than root, have no equivalent yet"))
	}
	command, err := unitfile.RenderProgramExec(u.prepared())
	if err != nil {
		return fail(err)
	}
	environment := maps.Clone(u.Environment)
	if inputs != "" {
		if environment == nil {
			environment = map[string]string{}
		}
		environment[unitfile.InputsVariable] = inputs
	}
	var variables []string
	for _, k := range slices.Sorted(maps.Keys(environment)) {
		v, err := unitfile.RenderProgramVariable(k, environment[k])
		if err != nil {
			return fail(err)
		}
		variables = append(variables, v)
	}
	if err := errors.Join(checkText(o.Log), checkText(u.Description)); err != nil || strings.ContainsAny(o.Log, " ;#\"") {
		return fail(errors.Join(err, fmt.Errorf("the log file %q", o.Log)))
	}
	var b strings.Builder
	set := func(key, value string) { b.WriteString(key + "=" + value + "\n") }
	b.WriteString(Header + "\n")
	for _, line := range slices.Concat([]string{u.Description}, u.Comment) {
		b.WriteString("# " + line + "\n")
	}
	b.WriteString("\n[program:" + name + "]\n")
	set("command", command)
	if len(variables) > 0 {
		set("environment", strings.Join(variables, ","))
	}
	set("directory", "/")
	set("priority", strconv.Itoa(o.Priority))
	set("autostart", "true")
	set("autorestart", "true")
	set("startsecs", "1")
	// As systemd without a limit: what it depends on may come back late.
	set("startretries", "1000000")
	set("stopsignal", "TERM")
	set("stopwaitsecs", strconv.Itoa(stopSeconds))
	// Only the process itself is asked to stop: it stops its own children. What
	// it leaves after its time goes with it, but for a runtime's containers.
	set("stopasgroup", "false")
	set("killasgroup", strconv.FormatBool(u.KillMode != "process"))
	set("redirect_stderr", "true")
	set("stdout_logfile", strings.ReplaceAll(o.Log, "%", "%%"))
	set("stdout_logfile_maxbytes", "50MB")
	set("stdout_logfile_backups", "10")
	return b.String(), nil
}

// prepared is the command line with the shell before it that does what
// supervisord has no setting for.
func (u Unit) prepared() []string {
	var s []string
	if n := u.LimitNOFILE; n != "" {
		s = append(s, "ulimit -n "+n)
	}
	if u.LimitCORE == "infinity" {
		s = append(s, "ulimit -c unlimited")
	}
	if u.OOMScoreAdjust != nil { // not every container may
		s = append(s, "echo "+strconv.Itoa(*u.OOMScoreAdjust)+" 2>/dev/null >/proc/self/oom_score_adj || true")
	}
	for _, f := range u.EnvironmentFile {
		s = append(s, "set -a", ". "+shellWord(f), "set +a")
	}
	switch {
	case u.Type == TypeOneshot:
		stop := []string{"kill $! 2>/dev/null"}
		for _, c := range u.ExecStop {
			var words []string
			for _, w := range c.Argv {
				words = append(words, shellWord(w))
			}
			stop = append(stop, strings.Join(words, " "))
		}
		s = append(s, "stop() { "+strings.Join(stop, "; ")+"; exit 0; }", "trap stop TERM",
			`until "$@"; do sleep 5 & wait $!; done`, "while :; do sleep 86400 & wait $!; done")
	case len(s) == 0:
		return u.Exec
	default:
		s = append(s, `exec "$@"`)
	}
	return append([]string{"/bin/sh", "-c", strings.Join(s, "; "), unitfile.ProgramName}, u.Exec...)
}

// shellWord makes one word of a text.
func shellWord(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }
