package main

import (
	"bytes"
	"path/filepath"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// valid holds a document, or each line of events, against its published schema:
//
//	valid SCHEMA FILE
func valid(dir string) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, _ bool, args []string) {
		c := jsonschema.NewCompiler()
		c.AssertFormat()
		s, err := c.Compile(filepath.Join(dir, args[0]+".json"))
		ts.Check(err)
		docs := [][]byte{[]byte(ts.ReadFile(args[1]))}
		if args[0] == "events" {
			docs = bytes.Split(bytes.TrimSpace(docs[0]), []byte("\n"))
		}
		for _, doc := range docs {
			v, err := jsonschema.UnmarshalJSON(bytes.NewReader(doc))
			ts.Check(err)
			if err := s.Validate(v); err != nil {
				ts.Fatalf("%.300s\nis not what %s.json says: %v", doc, args[0], err)
			}
		}
	}
}
