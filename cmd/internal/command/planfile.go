package command

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/google/renameio/v2"

	"hardway/cmd/internal/view"
	"hardway/provision/plan"
)

// writePlan saves a plan as its JSON. It holds no secret of ours, but it quotes
// files that stood on hosts, so that it is for its owner's eyes.
func writePlan(path string, p *plan.Plan) error {
	b, err := plan.Encode(p)
	if err != nil {
		return err
	}
	if err := renameio.WriteFile(path, b, 0o600, renameio.IgnoreUmask()); err != nil {
		return fmt.Errorf("saving the plan: %w", err)
	}
	return nil
}

// readPlan reads a saved plan and refuses what is damaged and what this version
// cannot know.
func readPlan(path string) (*plan.Plan, error) {
	f, err := os.Open(path)
	if err != nil {
		if errors.Is(err, os.ErrNotExist) {
			return nil, &view.Problem{Summary: "There is no plan file " + quoted(path), Next: "Save one with:\n  hardway plan --out " + path, Err: err}
		}
		return nil, fmt.Errorf("reading the plan: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, plan.MaxSize+1))
	if err != nil {
		return nil, fmt.Errorf("reading the plan %s: %w", path, err)
	}
	p, err := plan.Decode(b)
	if e, ok := errors.AsType[*plan.CodecError](err); ok {
		return nil, unreadable(path, e)
	}
	return p, err
}

// unreadable tells why a file is no plan that can be used.
func unreadable(path string, e *plan.CodecError) error {
	summary := quoted(path) + " is no plan, or it is damaged"
	if e.Format != "" {
		summary = quoted(path) + " has a format that this hardway does not know"
	}
	return &view.Problem{Summary: summary, Detail: e.Reason, Err: e, Next: "Make one again with:\n  hardway plan --out " + path}
}
