package ssh

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"hardway/provision/facts"
)

// programSuffix ends the names of programs of supervisord, which systemctl does
// not know: their blocks stand behind the others.
const programSuffix = ".program"

// finishUnits splits what systemctl showed: a block for each unit in the order
// asked for, with blank lines between.
func (p *observationParser) finishUnits() error {
	if len(p.req.Units) == 0 {
		return nil
	}
	p.obs.Units = map[string]facts.Unit{}
	blocks := strings.Split(strings.Trim(p.units, "\n"), "\n\n")
	if len(blocks) != len(p.req.Units) {
		return fmt.Errorf("%w: systemctl showed %d units, %d were asked for", errProtocol, len(blocks), len(p.req.Units))
	}
	names := slices.Clone(p.req.Units)
	slices.SortStableFunc(names, func(a, b string) int {
		return cmp.Compare(boolInt(strings.HasSuffix(a, programSuffix)), boolInt(strings.HasSuffix(b, programSuffix)))
	})
	for i, name := range names {
		u, err := parseUnit(blocks[i], p.inputs)
		if err != nil {
			return fmt.Errorf("unit %s: %w", name, err)
		}
		for _, path := range u.DropIns {
			if text, ok := p.dropIns[path]; ok && len(text) <= facts.MaxContent {
				if u.DropInTexts == nil {
					u.DropInTexts = map[string]string{}
				}
				u.DropInTexts[path] = text
			}
		}
		u.Argv = p.argv[fmt.Sprintf("/proc/%d/cmdline", u.PID)]
		p.obs.Units[name] = u
	}
	return nil
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// parseUnit reads one block of NAME=VALUE lines. The inputs of a running unit
// are those of its main process. A oneshot unit leaves no process behind: for
// one that succeeded, the environment that systemd has loaded must do.
func parseUnit(block string, inputs map[string]string) (facts.Unit, error) {
	var u facts.Unit
	var err error
	var kind, environment string
	for line := range strings.SplitSeq(block, "\n") {
		key, value, _ := strings.Cut(line, "=")
		switch key {
		case "LoadState":
			u.Load = own(value)
		case "ActiveState":
			u.Active = own(value)
		case "SubState":
			u.Sub = own(value)
		case "UnitFileState":
			u.Enabled = own(value)
		case "FragmentPath":
			u.Fragment = own(value)
		case "DropInPaths":
			for path := range strings.FieldsSeq(value) {
				u.DropIns = append(u.DropIns, own(path))
			}
		case "MainPID":
			u.PID, err = strconv.Atoi(value)
		case "NRestarts":
			u.Restarts, err = strconv.Atoi(value)
		case "Result":
			u.Result = own(value)
		case "NeedDaemonReload":
			u.NeedsReload = value == "yes"
		case "Type":
			kind = value
		case "Environment":
			environment = value
		}
		if err != nil {
			return u, fmt.Errorf("%w: %q", errProtocol, printable(line, 80))
		}
	}
	if u.Load == "" {
		return u, fmt.Errorf("%w: no LoadState", errProtocol)
	}
	switch {
	case u.PID > 0:
		u.Inputs = own(inputs[fmt.Sprintf("/proc/%d/environ", u.PID)])
	case kind == "oneshot" && u.Active == "active":
		for word := range strings.FieldsSeq(environment) {
			if v, ok := strings.CutPrefix(strings.Trim(word, `"`), "HARDWAY_INPUTS="); ok {
				u.Inputs = own(v)
			}
		}
	}
	return u, nil
}

// dropInTexts takes what the files say that add to units. A unit whose file could
// not be read has none.
func (p *observationParser) dropInTexts(text string) error {
	var path string
	var b strings.Builder
	keep := func() {
		if path != "" {
			p.dropIns[path] = own(b.String())
		}
		b.Reset()
	}
	err := tagged(text, func(at, line string) error {
		if line == "" {
			keep()
			path = at
		}
		b.WriteString(line)
		return nil
	})
	keep()
	return err
}

// commandLine takes the words of a process, each of which ends in a NUL.
func (p *observationParser) commandLine(path, encoded string) error {
	if !p.req.Argv {
		return fmt.Errorf("%w: it was not asked for", errProtocol)
	}
	text, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return fmt.Errorf("%w: %w", errProtocol, err)
	}
	if len(text) > 0 {
		p.argv[own(path)] = strings.Split(strings.TrimSuffix(string(text), "\x00"), "\x00")
	}
	return nil
}
