package plan

import (
	"strings"
	"testing"
	"time"

	"hardway/provision/addr"
	"hardway/provision/facts"
)

func TestClocks(t *testing.T) {
	n1 := addr.Host{Role: addr.Node, Name: "n1"}
	for _, c := range []struct {
		skew     time.Duration
		warning  string
		refusing string
	}{
		{0, "", ""},
		{-29 * time.Second, "", ""},
		{time.Minute, "1m0s ahead of", ""},
		{-4 * time.Minute, "4m0s behind", ""},
		{6 * time.Minute, "", "6m0s ahead of"},
		{-240 * time.Hour, "", "240h0m0s behind"},
	} {
		for _, mode := range []Mode{Normal, Destroy} {
			p, err := Compute(Input{Mode: mode, Observed: map[addr.Host]facts.Observation{n1: {Skew: c.skew}}})
			switch {
			case c.refusing != "" && mode == Normal:
				if err == nil || !strings.Contains(err.Error(), c.refusing) || !strings.Contains(err.Error(), `node["n1"]`) {
					t.Errorf("%s: error %v, want %q", c.skew, err, c.refusing)
				}
			case err != nil:
				t.Errorf("%s, %s: %v", c.skew, mode, err)
			case c.warning == "" && len(p.Warnings) > 0, c.warning != "" && (len(p.Warnings) != 1 || !strings.Contains(p.Warnings[0].Summary, c.warning)):
				t.Errorf("%s: warnings %v, want %q", c.skew, p.Warnings, c.warning)
			}
		}
	}
}
