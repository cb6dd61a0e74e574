package provision_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"hardway/provision"
)

// configurations are the directories of the examples and of testdata.
func configurations(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, parent := range []string{"../examples", "testdata"} {
		entries, err := os.ReadDir(parent)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if e.IsDir() {
				out[filepath.Base(parent)+"/"+e.Name()] = filepath.Join(parent, e.Name())
			}
		}
	}
	if len(out) < 6 {
		t.Fatalf("only %d configurations were found: %v", len(out), out)
	}
	return out
}

// Whatever the configuration: what apply made is what the next plan wants.
func TestApplyThenPlanIsEmpty(t *testing.T) {
	for name, dir := range configurations(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, dir)
			t0 := time.Now()
			w.mustConverge(provision.PlanOptions{})
			t.Log("converge", time.Since(t0))
			w.settled(provision.PlanOptions{})
			w.sound(w.state())
		})
	}
}
