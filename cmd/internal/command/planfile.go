package command

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/google/renameio/v2"

	"hardway/cmd/internal/view"
	"hardway/provision/plan"
)

// maxPlanFile bounds what is read as a plan, in bytes: a plan of a hundred
// hosts has some ten megabytes.
const maxPlanFile = 256 << 20

// writePlan saves a plan as its JSON. It holds no secret of ours, but it quotes
// files that stood on hosts, so that it is for its owner's eyes.
func writePlan(path string, p *plan.Plan) error {
	var b bytes.Buffer
	if err := view.PlanJSON(&b, p); err != nil {
		return fmt.Errorf("encoding the plan: %w", err)
	}
	if err := renameio.WriteFile(path, b.Bytes(), 0o600, renameio.IgnoreUmask()); err != nil {
		return fmt.Errorf("saving the plan: %w", err)
	}
	return nil
}

// readPlan reads a saved plan and refuses what this version cannot know.
func readPlan(path string) (*plan.Plan, error) {
	f, err := os.Open(path)
	if err != nil {
		if errors.Is(err, os.ErrNotExist) {
			return nil, &view.Problem{Summary: "There is no plan file " + quoted(path), Next: "Save one with:\n  hardway plan --out " + path, Err: err}
		}
		return nil, fmt.Errorf("reading the plan: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxPlanFile))
	if err != nil {
		return nil, fmt.Errorf("reading the plan %s: %w", path, err)
	}
	return parsePlan(path, b)
}

func parsePlan(path string, b []byte) (*plan.Plan, error) {
	var head struct {
		FormatVersion string `json:"format_version"`
		Tool          string `json:"hardway_version"`
	}
	if err := json.Unmarshal(b, &head); err != nil || head.FormatVersion == "" {
		return nil, &view.Problem{Summary: quoted(path) + " is no plan", Detail: "It was not written by \"hardway plan --out\", or it is damaged.", Err: err}
	}
	major, _, _ := strings.Cut(plan.FormatVersion, ".")
	if have, _, _ := strings.Cut(head.FormatVersion, "."); have != major {
		return nil, &view.Problem{Summary: quoted(path) + " has a format that this hardway does not know",
			Detail: fmt.Sprintf("It has format %s and was written by hardway %s; this one knows format %s.", head.FormatVersion, head.Tool, plan.FormatVersion),
			Next:   "Run \"hardway plan\" again."}
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields() // a step that is not understood must not be left out
	p := &plan.Plan{}
	if err := dec.Decode(p); err != nil {
		return nil, &view.Problem{Summary: quoted(path) + " is damaged or of another version", Detail: err.Error(), Next: "Run \"hardway plan\" again.", Err: err}
	}
	return p, nil
}
