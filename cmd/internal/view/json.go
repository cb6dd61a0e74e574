package view

import (
	"encoding/json"
	"io"

	"hardway/provision/plan"
)

// JSON writes one value as indented JSON and a line feed.
func JSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false) // < and > are everywhere in plans; nobody puts this into HTML
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// PlanJSON writes the plan as it is published: the document that `plan --json`
// and `show --json` print and `plan --out` saves, one and the same, whose
// format_version changes with its meaning.
func PlanJSON(w io.Writer, p *plan.Plan) error {
	b, err := plan.Encode(p)
	if err != nil {
		return err
	}
	_, err = w.Write(b)
	return err
}
