package command

import (
	"errors"
	"strings"
	"testing"
	"time"

	"hardway/provision/plan"
	"hardway/provision/state"
	"hardway/provision/state/local"
)

var day = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// kept returns a generation whose run began at an hour of the day.
func kept(serial uint64, operation string, complete bool, hour int) local.Generation {
	started := day.Add(time.Duration(hour) * time.Hour)
	return local.Generation{Serial: serial, Updated: started.Add(time.Minute), Run: &state.Run{Operation: operation, Started: started, Complete: complete}}
}

func rollbackPlan(n int) *plan.Plan {
	p := planOf(n, true)
	p.Mode, p.Generation = plan.Rollback, 7
	return p
}

func TestRollbackChooses(t *testing.T) {
	damaged := local.Generation{Serial: 8, Err: errors.New("damaged")}
	first := local.Generation{Serial: 1, Updated: day}
	killed := kept(10, "apply", false, 10).Run // in the journal alone
	for name, c := range map[string]struct {
		list    []local.Generation
		want    uint64
		err     string
		present *state.Run // nil: that of the first in the list
	}{
		"after one that was killed": {list: []local.Generation{kept(9, "apply", true, 9), kept(8, "apply", true, 8)}, want: 9, present: killed},
		"the one before":            {list: []local.Generation{kept(9, "apply", true, 9), kept(8, "apply", true, 8), kept(7, "apply", true, 7)}, want: 8, err: ""},
		"not what is incomplete":    {list: []local.Generation{kept(9, "apply", false, 9), kept(8, "apply", false, 8), kept(7, "apply", true, 7)}, want: 7, err: ""},
		"not what is damaged":       {list: []local.Generation{kept(9, "apply", true, 9), damaged, kept(7, "apply", true, 7)}, want: 7, err: ""},
		"not the same run":          {list: []local.Generation{kept(9, "apply", true, 8), kept(8, "apply", true, 8), kept(7, "apply", true, 7)}, want: 7, err: ""},
		"not a destruction":         {list: []local.Generation{kept(9, "apply", true, 9), kept(8, "destroy", true, 8), kept(7, "apply", true, 7)}, want: 7, err: ""},
		"nothing before":            {list: []local.Generation{kept(2, "apply", true, 9), first}, want: 0, err: "There is no earlier generation"},
		"nothing at all":            {list: nil, want: 0, err: "There is no earlier generation"},
		"rolled back already":       {list: []local.Generation{kept(9, "rollback", true, 9), kept(8, "apply", true, 8)}, want: 0, err: "was rolled back already"},
		"a rollback goes on":        {list: []local.Generation{kept(9, "rollback", false, 9), kept(8, "apply", true, 8)}, want: 5, err: ""},
	} {
		t.Run(name, func(t *testing.T) {
			if c.present == nil && len(c.list) > 0 {
				c.present = c.list[0].Run
			}
			f := &fake{kept: c.list, plans: []*plan.Plan{rollbackPlan(1)}, state: state.Public{Run: c.present, Holds: []state.Hold{{Unit: "x"}, {Generation: 5}}}}
			r := cli(t, f, nil, false, nil, "rollback", "-auto-approve")
			if c.err != "" {
				if r.code != 1 || !strings.Contains(r.stderr, c.err) || !strings.Contains(r.stderr, "--list") {
					t.Errorf("code %d, want %q\n%s", r.code, c.err, r.stderr)
				}
				return
			}
			if r.code != 0 || len(f.planned) != 1 || f.planned[0].ToGeneration != c.want || f.checked != 1 {
				t.Errorf("code %d, planned %+v, verified %d\n%s", r.code, f.planned, f.checked, r.stderr)
			}
		})
	}
}

func TestRollbackAsks(t *testing.T) {
	f := &fake{kept: []local.Generation{kept(9, "apply", true, 9), kept(7, "apply", true, 7)}, plans: []*plan.Plan{rollbackPlan(2)}}
	r := cli(t, f, noReader{strings.NewReader("yes\n")}, true, nil, "rollback", "-to-generation", "7", "-verify=false")
	if r.code != 0 || len(f.applied) != 1 || f.checked != 0 || f.planned[0].ToGeneration != 7 {
		t.Errorf("code %d, applied %d, verified %d\n%s", r.code, len(f.applied), f.checked, r.stderr)
	}
	wants(t, r, "Going back to generation 7 (apply of 2026-01-02 10:05:05 UTC).", "hardway compared generation 7 with the hosts",
		"Do you want to go back to generation 7?", "is held back", "Rollback complete! Resources: 2 added")
	f = &fake{kept: f.kept, plans: []*plan.Plan{rollbackPlan(2)}}
	if r = cli(t, f, noReader{strings.NewReader("no\n")}, true, nil, "rollback"); r.code != 1 || len(f.applied) != 0 {
		t.Errorf("no: code %d, applied %d", r.code, len(f.applied))
	}
}

func TestRollbackLists(t *testing.T) {
	f := &fake{kept: []local.Generation{kept(9, "apply", false, 9), {Serial: 8, Err: errors.New("is damaged")}, kept(7, "apply", true, 7)}}
	f.kept[0].Run.ConfigDigest = "0123456789abcdef"
	r := cli(t, f, nil, false, nil, "rollback", "-list")
	if r.code != 0 || len(f.planned) != 0 {
		t.Errorf("code %d, planned %d", r.code, len(f.planned))
	}
	wants(t, r, "9            2026-01-02 12:05:05 UTC   apply       0123456789ab    no           present", "unreadable", "Generation 8 cannot be read: is damaged", "7            2026-01-02 10:05:05 UTC   apply       -               yes")
	if r = cli(t, f, nil, false, nil, "rollback", "-list", "-json"); !strings.Contains(r.stdout, `"generation": 7`) {
		t.Errorf("JSON:\n%s", r.stdout)
	}
}

// A saved plan and an apply can go back as well.
func TestApplyToGeneration(t *testing.T) {
	f := &fake{plans: []*plan.Plan{rollbackPlan(1)}}
	r := cli(t, f, noReader{strings.NewReader("yes\n")}, true, nil, "apply", "-to-generation=7")
	if r.code != 0 || f.planned[0].ToGeneration != 7 || !strings.Contains(r.stderr, "go back to generation 7?") {
		t.Errorf("code %d, planned %+v\n%s", r.code, f.planned, r.stderr)
	}
}
