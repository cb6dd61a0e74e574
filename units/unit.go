package units

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"

	sdunit "github.com/coreos/go-systemd/v22/unit"

	"hardway/units/unitfile"
)

// Header is the first line of every file that this package renders.
const Header = "# Managed by hardway; edits are shown by `hardway plan` and replaced by `hardway apply`."

// Values of Unit.Type that this package uses.
const (
	// TypeNotify is for a process that sends READY=1: etcd, kube-apiserver,
	// kubelet and containerd do.
	TypeNotify = "notify"
	// TypeExec is for one that never does: kube-controller-manager,
	// kube-scheduler and kube-proxy have no sd_notify call, so that
	// Type=notify would hang until TimeoutStartSec and then kill them. Unlike
	// Type=simple it reports a missing executable when the unit is started.
	TypeExec = "exec"
	// TypeOneshot is for commands that end.
	TypeOneshot = "oneshot"
)

// Command is one more command of a unit beside the main one.
type Command struct {
	Argv []string
	// IgnoreFailure renders systemd's "-" prefix.
	IgnoreFailure bool
}

// Unit is a systemd service. An empty field is not rendered. Times and limits
// are in systemd's own notation ("5s", "infinity").
type Unit struct {
	Name    string   // file name: kubelet.service
	Comment []string // lines under the header: why the unit is as it is

	Description           string
	Documentation         []string
	Wants, Requires       []string
	After, Before, PartOf []string
	// StartLimitIntervalSec "0" lets systemd try for ever: a component whose
	// dependency comes back late must not stay in state failed.
	StartLimitIntervalSec string

	Type            string
	RemainAfterExit bool
	User            string
	EnvironmentFile []string // absolute paths; a leading "-" allows absence
	Environment     map[string]string
	ExecStartPre    []Command
	// Exec is the argument vector of the main process; the first is an absolute path.
	Exec     []string
	ExecStop []Command

	Restart, RestartSec             string
	TimeoutStartSec, WatchdogSec    string
	KillMode                        string
	Delegate                        bool
	LimitNOFILE, LimitNPROC         string
	LimitCORE, TasksMax             string
	OOMScoreAdjust                  *int
	CPUAccounting, MemoryAccounting bool
	WantedBy                        []string
}

// Render returns the unit file. A non-empty inputs is written as the
// environment variable HARDWAY_INPUTS; render with "" to get the text from
// which that digest is computed. The same unit gives the same bytes. A value
// that systemd could not carry unchanged is an error.
func (u Unit) Render(inputs string) (string, error) {
	if !strings.HasSuffix(u.Name, ".service") || strings.ContainsAny(u.Name, "/ \t\n") {
		return "", fmt.Errorf("rendering unit %q: the name has to be a file name that ends in .service", u.Name)
	}
	w := unitWriter{}
	w.section = "Unit"
	w.text("Description", u.Description)
	w.words("Documentation", u.Documentation)
	w.words("Wants", u.Wants)
	w.words("Requires", u.Requires)
	w.words("After", u.After)
	w.words("Before", u.Before)
	w.words("PartOf", u.PartOf)
	w.text("StartLimitIntervalSec", u.StartLimitIntervalSec)

	w.section = "Service"
	w.text("Type", u.Type)
	w.flag("RemainAfterExit", u.RemainAfterExit)
	w.text("User", u.User)
	for _, path := range u.EnvironmentFile {
		w.path("EnvironmentFile", path)
	}
	for _, name := range slices.Sorted(maps.Keys(u.Environment)) {
		w.variable(name, u.Environment[name])
	}
	if inputs != "" {
		w.variable(unitfile.InputsVariable, inputs)
	}
	w.commands("ExecStartPre", u.ExecStartPre)
	w.commands("ExecStart", []Command{{Argv: u.Exec}})
	w.commands("ExecStop", u.ExecStop)
	w.text("Restart", u.Restart)
	w.text("RestartSec", u.RestartSec)
	w.text("TimeoutStartSec", u.TimeoutStartSec)
	w.text("WatchdogSec", u.WatchdogSec)
	w.text("KillMode", u.KillMode)
	w.flag("Delegate", u.Delegate)
	w.text("LimitNOFILE", u.LimitNOFILE)
	w.text("LimitNPROC", u.LimitNPROC)
	w.text("LimitCORE", u.LimitCORE)
	w.text("TasksMax", u.TasksMax)
	if u.OOMScoreAdjust != nil {
		w.text("OOMScoreAdjust", strconv.Itoa(*u.OOMScoreAdjust))
	}
	w.flag("CPUAccounting", u.CPUAccounting)
	w.flag("MemoryAccounting", u.MemoryAccounting)

	w.section = "Install"
	w.words("WantedBy", u.WantedBy)
	if w.err != nil {
		return "", fmt.Errorf("rendering unit %s: %w", u.Name, w.err)
	}

	var out strings.Builder
	size := len(Header) + 128
	for _, o := range w.options {
		size += len(o.Name) + len(o.Value) + 2
	}
	out.Grow(size)
	out.WriteString(Header + "\n")
	for _, line := range u.Comment {
		if err := checkText(line); err != nil {
			return "", fmt.Errorf("rendering unit %s: comment: %w", u.Name, err)
		}
		out.WriteString("# " + line + "\n")
	}
	section := "" // as sdunit.Serialize does, which would copy a long unit several times
	for _, o := range w.options {
		if o.Section != section {
			section = o.Section
			out.WriteString("\n[" + section + "]\n")
		}
		out.WriteString(o.Name)
		out.WriteByte('=')
		out.WriteString(o.Value)
		out.WriteByte('\n')
	}
	return out.String(), nil
}

// unitWriter collects options and keeps the first error.
type unitWriter struct {
	section string
	options []*sdunit.UnitOption
	err     error
}

func (w *unitWriter) add(name, value string, err error) {
	if err != nil && w.err == nil {
		w.err = fmt.Errorf("%s: %w", name, err)
	}
	w.options = append(w.options, sdunit.NewUnitOption(w.section, name, value))
}

// text writes a setting in which only the specifiers have to be escaped.
func (w *unitWriter) text(name, value string) {
	if value != "" {
		w.add(name, strings.ReplaceAll(value, "%", "%%"), checkText(value))
	}
}

func (w *unitWriter) flag(name string, on bool) {
	if on {
		w.add(name, "yes", nil)
	}
}

// words writes a list of names that contain no blanks.
func (w *unitWriter) words(name string, list []string) {
	for _, word := range list {
		if word == "" || strings.ContainsAny(word, " \t\"'\\") {
			w.add(name, word, fmt.Errorf("%q is not a single word", word))
			return
		}
	}
	w.text(name, strings.Join(list, " "))
}

func (w *unitWriter) path(name, value string) {
	if !strings.HasPrefix(strings.TrimPrefix(value, "-"), "/") {
		w.add(name, value, fmt.Errorf("%q is not an absolute path", value))
		return
	}
	w.text(name, value)
}

func (w *unitWriter) variable(name, value string) {
	if name == "" || strings.ContainsFunc(name, func(r rune) bool {
		return r != '_' && (r > unicode.MaxASCII || !unicode.IsLetter(r) && !unicode.IsDigit(r))
	}) {
		w.add("Environment", name, fmt.Errorf("%q is not the name of a variable", name))
		return
	}
	// Environment= knows specifiers and quotes, but expands no variables.
	w.add("Environment", unitfile.Quote(name+"="+strings.ReplaceAll(value, "%", "%%")), unitfile.CheckValue(value))
}

func (w *unitWriter) commands(name string, list []Command) {
	for _, c := range list {
		line, err := unitfile.RenderExec(c.Argv)
		if c.IgnoreFailure {
			line = "-" + line
		}
		w.add(name, line, err)
	}
}

// checkText refuses, besides, a backslash at the end: it would join the line
// with the next.
func checkText(s string) error {
	if strings.HasSuffix(strings.TrimRight(s, " "), `\`) {
		return fmt.Errorf("the value %q ends in a backslash", s)
	}
	return unitfile.CheckValue(s)
}
