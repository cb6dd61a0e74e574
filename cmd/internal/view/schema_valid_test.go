package view

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"hardway/provision/plan"
)

// published compiles the published schemas; that they are well-formed by draft
// 2020-12 is checked on the way.
func published(t *testing.T) map[string]*jsonschema.Schema {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(schemaDir, "*.json"))
	if err != nil || len(files) < 5 {
		t.Fatalf("schemas %v: %v", files, err)
	}
	out := map[string]*jsonschema.Schema{}
	for _, file := range files {
		c := jsonschema.NewCompiler()
		c.AssertFormat()
		s, err := c.Compile(file)
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		if s.DraftVersion != 2020 {
			t.Errorf("%s is of draft %d", file, s.DraftVersion)
		}
		out[strings.TrimSuffix(filepath.Base(file), ".json")] = s
	}
	return out
}

// check validates a document.
func check(s *jsonschema.Schema, doc []byte) error {
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(doc))
	if err != nil {
		return err
	}
	return s.Validate(v)
}

// documents are all JSON documents of the fixtures, here and in other packages,
// by schema.
func documents(t *testing.T) map[string][][]byte {
	t.Helper()
	out := map[string][][]byte{}
	file := func(schema, name string) {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		out[schema] = append(out[schema], b)
	}
	file("drift", "testdata/drift/all.json")
	file("verify", "testdata/report/unhealthy.json")
	file("validate", "testdata/diagnostics/valid.json")
	file("validate", "testdata/diagnostics/validate.json")
	b, err := os.ReadFile("../../../provision/plan/testdata/three.plan.json") // without the checksum of a saved one
	if err != nil {
		t.Fatal(err)
	}
	three := &plan.Plan{}
	if err := json.Unmarshal(b, three); err != nil {
		t.Fatal(err)
	}
	add := func(schema string, write func(*bytes.Buffer) error) {
		var b bytes.Buffer
		if err := write(&b); err != nil {
			t.Fatal(err)
		}
		out[schema] = append(out[schema], b.Bytes())
	}
	add("plan", func(b *bytes.Buffer) error { return PlanJSON(b, three) })
	for _, c := range planCases() {
		publish(c.p)
		add("plan", func(b *bytes.Buffer) error { return PlanJSON(b, c.p) })
	}
	for _, d := range drifts() {
		d.Resources = append([]plan.Drifted{}, d.Resources...) // as DriftOf makes it
		add("drift", func(b *bytes.Buffer) error { return DriftJSON(b, d) })
	}
	for _, healthy := range []bool{true, false} {
		add("verify", func(b *bytes.Buffer) error { return ReportJSON(b, report(healthy)) })
	}
	lines, err := os.ReadFile("testdata/progress/events.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(lines) {
		out["events"] = append(out["events"], line)
	}
	return out
}

// TestDocumentsAreValid holds every JSON document that a test has against the
// schema that is published for it.
func TestDocumentsAreValid(t *testing.T) {
	docs := documents(t)
	for name, s := range published(t) {
		if len(docs[name]) < 2 {
			t.Errorf("only %d documents for %s", len(docs[name]), name)
		}
		for _, doc := range docs[name] {
			if err := check(s, doc); err != nil {
				t.Errorf("%s: %v\n%.400s", name, err, doc)
			}
		}
	}
}

// TestUnknownFieldsAreRefused puts a field that there is not into each object of
// each document, one after the other: every one must be noticed. Where names are
// free, as those of attributes, labels and outputs are, the value is the wrong
// one.
func TestUnknownFieldsAreRefused(t *testing.T) {
	for name, s := range published(t) {
		tried := map[string]bool{}
		for _, doc := range documents(t)[name] {
			var v any
			if err := json.Unmarshal(doc, &v); err != nil {
				t.Fatal(err)
			}
			objects(v, "", func(at string, o map[string]any) {
				if strings.Contains(at, ".manifest") || strings.HasSuffix(at, ".value") || strings.HasSuffix(at, ".type") {
					return // what is inside is not ours
				}
				kind, _ := o["type"].(string) // each message is of its own form
				if form := at + " " + kind; tried[form] {
					return
				} else {
					tried[form] = true
				}
				o["unheard-of"] = []any{}
				if err := s.Validate(v); err == nil {
					t.Errorf("%s: an unknown field at %q is not noticed", name, at)
				}
				delete(o, "unheard-of")
			})
		}
		if len(tried) < 2 {
			t.Errorf("%s: only %v was tried", name, tried)
		}
	}
}

// objects calls f for each object in a value.
func objects(v any, at string, f func(at string, o map[string]any)) {
	switch v := v.(type) {
	case map[string]any:
		f(at, v)
		for k, e := range v {
			objects(e, at+"."+k, f)
		}
	case []any:
		for _, e := range v {
			objects(e, at+"[]", f)
		}
	}
}
