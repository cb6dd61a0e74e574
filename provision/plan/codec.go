package plan

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"hardway/provision/resource"
)

// MaxSize bounds a saved plan, in bytes: one of a hundred hosts has some ten
// megabytes.
const MaxSize = 256 << 20

// CodecError says why a text is no plan that this hardway can apply.
type CodecError struct {
	Reason string
	// Format is the version of the text's format where that is why; else empty.
	Format string
}

func (e *CodecError) Error() string { return "reading the plan: " + e.Reason }

// document is a plan as it is saved: indented JSON whose first lines,
// format_version and sha256, keep their place in every format to come. The
// checksum covers every byte, itself taken as zeros: a change of any byte is
// found before anything is decoded, let alone applied.
type document struct {
	FormatVersion string `json:"format_version"` // in the place of the plan's own
	SHA256        string `json:"sha256"`
	*Plan
}

var (
	sumPrefix = []byte("\",\n  \"sha256\": \"")
	sumZeros  = strings.Repeat("0", 64)
)

// sumWithin is where the checksum begins at the latest: behind a version of some
// digits. Further down others stand, of what the plan is about.
const sumWithin = 128

// Encode returns the saved form of a plan: the same bytes for the same plan.
func Encode(p *Plan) ([]byte, error) {
	if p.Changes == nil { // readers of JSON want a list, also an empty one
		empty := *p
		empty.Changes = []Change{}
		p = &empty
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(document{FormatVersion: FormatVersion, SHA256: sumZeros, Plan: p}); err != nil {
		return nil, fmt.Errorf("encoding the plan: %w", err)
	}
	data := b.Bytes()
	at, err := findSum(data)
	if err != nil {
		return nil, fmt.Errorf("encoding the plan: %w", err)
	}
	copy(data[at:], resource.SHA256(data))
	return data, nil
}

// Decode reads a saved plan and checks all of it. The error is a *CodecError,
// without a path: whoever read the bytes adds it.
func Decode(data []byte) (*Plan, error) {
	switch {
	case len(bytes.TrimSpace(data)) == 0:
		return nil, &CodecError{Reason: "it is empty"}
	case len(data) > MaxSize:
		return nil, &CodecError{Reason: fmt.Sprintf("it is larger than %d MiB", MaxSize>>20)}
	}
	if err := checkFormat(data); err != nil {
		return nil, err
	}
	at, err := findSum(data)
	if err != nil {
		return nil, err
	}
	zeroed := bytes.Clone(data)
	copy(zeroed[at:], sumZeros)
	if resource.SHA256(zeroed) != string(data[at:at+len(sumZeros)]) {
		return nil, &CodecError{Reason: "its checksum does not match its content: it was edited, cut short or damaged"}
	}
	doc := document{Plan: &Plan{}}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields() // a step that is not understood must not be left out
	if err := d.Decode(&doc); err != nil {
		return nil, &CodecError{Reason: err.Error()}
	}
	p := doc.Plan
	p.FormatVersion = doc.FormatVersion
	if err := p.check(); err != nil {
		return nil, &CodecError{Reason: err.Error()}
	}
	for i := range p.Changes {
		compact(&p.Changes[i])
	}
	return p, nil
}

// checkFormat tells a plan of another format from one that is damaged. Only the
// first lines are read, which are alike in every format.
func checkFormat(data []byte) error {
	var format, tool string
	d := json.NewDecoder(bytes.NewReader(data[:min(len(data), 4096)]))
	for field := map[string]*string{"format_version": &format, "hardway_version": &tool}; format == "" || tool == ""; {
		t, err := d.Token()
		if err != nil {
			break
		}
		name, _ := t.(string)
		if into := field[name]; into != nil {
			v, _ := d.Token()
			*into, _ = v.(string)
		}
	}
	major, _, _ := strings.Cut(FormatVersion, ".")
	if have, _, _ := strings.Cut(format, "."); format == "" || have == major {
		return nil // else the checksum says what is to be said
	}
	return &CodecError{Format: format, Reason: fmt.Sprintf("it has format %q and was written by hardway %q; this one knows format %s", format, tool, FormatVersion)}
}

// findSum returns where the checksum stands.
func findSum(data []byte) (int, error) {
	at := bytes.Index(data[:min(len(data), sumWithin)], sumPrefix)
	if at += len(sumPrefix); at < len(sumPrefix) || at+len(sumZeros) > len(data) {
		return 0, &CodecError{Reason: "it has no checksum; it was not saved by `hardway plan --out`, or by an older version of it"}
	}
	return at, nil
}

// check holds what every plan must be, whoever wrote it.
func (p *Plan) check() error {
	if !slices.Contains([]Mode{Normal, Destroy, Rollback, ReadDrift}, p.Mode) {
		return fmt.Errorf("its mode is %q", p.Mode)
	}
	if p.Cluster == "" || p.Lineage == "" {
		return errors.New("it names no cluster, or no lineage")
	}
	for _, c := range p.Changes {
		if !slices.Contains([]Action{NoOp, Create, Update, Replace, Delete, Forget, Read}, c.Action) {
			return fmt.Errorf("%s: its action is %q", c.Addr, c.Action)
		}
		if string(c.Spec.Kind()) != c.Addr.Kind {
			return fmt.Errorf("%s holds a resource of the kind %q", c.Addr, c.Spec.Kind())
		}
	}
	return nil
}

// compact undoes the indentation that saving gave to a manifest.
func compact(c *Change) {
	if c.Spec.Object == nil {
		return
	}
	var b bytes.Buffer
	if json.Compact(&b, c.Spec.Object.Manifest) == nil {
		c.Spec.Object.Manifest = b.Bytes()
	}
}
