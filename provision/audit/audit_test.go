package audit

import (
	"slices"
	"strings"
	"testing"
)

// TestExamplesPass: a fresh cluster of every example passes each check that
// hardway decides, but for those that its table accepts with a reason.
func TestExamplesPass(t *testing.T) {
	for name, e := range examples(t) {
		t.Run(name, func(t *testing.T) {
			r := compile(t, e[0], e[1], "").audit()
			if !r.Complete || r.Counts.Fail > 0 || r.Counts.Pass < 100 {
				t.Errorf("complete %v, %+v", r.Complete, r.Counts)
			}
			for _, res := range r.Results {
				if res.Status == Fail || res.Status == Unknown {
					t.Errorf("%s on %s: %s: %s", res.Check, res.Host, res.Status, res.Evidence)
				}
				if res.Status == Accepted && res.Reason == "" {
					t.Errorf("%s on %s is accepted without a reason", res.Check, res.Host)
				}
			}
		})
	}
}

// TestTable: ids are unique and in sections that there are, and every row says
// what to do; no scored check is left to a person.
func TestTable(t *testing.T) {
	var sections []string
	for _, s := range Sections() {
		sections = append(sections, s.ID)
	}
	seen := map[string]bool{}
	last := 0
	for _, c := range Checks() {
		if seen[c.ID] {
			t.Errorf("%s is there twice", c.ID)
		}
		seen[c.ID] = true
		at := slices.Index(sections, c.Section())
		if at < last {
			t.Errorf("%s stands in section %q, out of order", c.ID, c.Section())
		}
		last = at
		if c.Title == "" || c.Fix == "" || c.Source == "" || c.Level < 1 || c.Level > 2 {
			t.Errorf("%s lacks something: %+v", c.ID, c)
		}
		if c.Scored && !c.Decided() {
			t.Errorf("%s is scored, and left to a person", c.ID)
		}
		if c.Accepted != "" && !strings.HasSuffix(c.Accepted, ".") {
			t.Errorf("%s: the reason is no sentence: %s", c.ID, c.Accepted)
		}
	}
	for section, count := range map[string]int{"1.1": 21, "1.2": 30, "1.3": 7, "1.4": 2, "2": 7, "3.1": 3, "3.2": 2, "4.1": 10, "4.2": 14, "4.3": 1, "5.1": 13, "5.2": 12, "5.3": 2, "5.4": 2, "5.5": 1, "5.6": 4} {
		n := 0
		for _, c := range Checks() {
			if c.Section() == section {
				n++
			}
		}
		if n != count {
			t.Errorf("section %s has %d checks, the benchmark %d", section, n, count)
		}
	}
}
