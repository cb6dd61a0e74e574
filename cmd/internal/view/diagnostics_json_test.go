package view

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// terraform is the shape of `terraform validate -json` as
// developer.hashicorp.com/terraform/cli/commands/validate documents it for
// format_version 1.0: the type of each property, with "?" where it may be left
// out and "|null" where it may be null.
func terraform() map[string]string {
	return map[string]string{
		"format_version": "string", "valid": "bool", "error_count": "number", "warning_count": "number", "diagnostics": "array",
		"diagnostics[].severity": "string", "diagnostics[].summary": "string", "diagnostics[].detail": "string?",
		"diagnostics[].range": "object?", "diagnostics[].range.filename": "string",
		"diagnostics[].range.start": "object", "diagnostics[].range.start.byte": "number", "diagnostics[].range.start.line": "number", "diagnostics[].range.start.column": "number",
		"diagnostics[].range.end": "object", "diagnostics[].range.end.byte": "number", "diagnostics[].range.end.line": "number", "diagnostics[].range.end.column": "number",
		"diagnostics[].snippet": "object?", "diagnostics[].snippet.context": "string?|null", "diagnostics[].snippet.code": "string",
		"diagnostics[].snippet.start_line":             "number",
		"diagnostics[].snippet.highlight_start_offset": "number", "diagnostics[].snippet.highlight_end_offset": "number",
		"diagnostics[].snippet.values": "array", "diagnostics[].snippet.values[].traversal": "string", "diagnostics[].snippet.values[].statement": "string",
	}
}

// TestValidationIsTerraforms holds the document of `validate --json` against
// Terraform's: nothing is missing, nothing is of another type, nothing is ours alone.
func TestValidationIsTerraforms(t *testing.T) {
	diags, files := bad(t)
	var b bytes.Buffer
	if err := DiagnosticsJSON(&b, diags, files); err != nil {
		t.Fatal(err)
	}
	var doc map[string]any
	if err := json.Unmarshal(b.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	shape := terraform()
	objects(doc, "", func(at string, o map[string]any) {
		prefix := strings.TrimPrefix(at+".", ".")
		for name, v := range o {
			want, documented := shape[prefix+name]
			kind := strings.NewReplacer("map[string]interface {}", "object", "[]interface {}", "array", "float64", "number", "<nil>", "null").Replace(fmt.Sprintf("%T", v))
			if !documented || kind != strings.TrimSuffix(strings.TrimSuffix(want, "|null"), "?") && !(kind == "null" && strings.HasSuffix(want, "|null")) {
				t.Errorf("%s%s is %s, and Terraform's %q", prefix, name, kind, want)
			}
		}
		for path, want := range shape {
			if name, ok := strings.CutPrefix(path, prefix); ok && !strings.ContainsAny(name, ".[") && !strings.Contains(want, "?") {
				if _, has := o[name]; !has {
					t.Errorf("%s%s is missing", prefix, name)
				}
			}
		}
	})
	for _, d := range doc["diagnostics"].([]any) {
		d := d.(map[string]any)
		s, ok := d["snippet"].(map[string]any)
		if !ok {
			continue
		}
		at, code := d["range"].(map[string]any)["start"].(map[string]any), s["code"].(string)
		from, to := int(s["highlight_start_offset"].(float64)), int(s["highlight_end_offset"].(float64))
		if from > to || to > len(code) || s["start_line"] != at["line"] {
			t.Errorf("the snippet %v does not fit its range %v", s, at)
		}
	}
}
