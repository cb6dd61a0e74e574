package view

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/netip"
	"os"
	"path"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/invopop/jsonschema"

	"hardway/provision/addr"
	"hardway/provision/facts"
	"hardway/provision/health"
	"hardway/provision/plan"
)

// schemaDir is where the published schemas lie.
const schemaDir = "../../../docs/reference/schemas"

// TestSchemas makes the schemas from the types that are written, with -update,
// and holds the published ones against them.
func TestSchemas(t *testing.T) {
	for name, s := range schemas(t) {
		b, err := json.MarshalIndent(s, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		b = append(b, '\n')
		file := filepath.Join(schemaDir, name+".json")
		if *update {
			if err := os.MkdirAll(schemaDir, 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, b, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := os.ReadFile(file); err != nil || !bytes.Equal(got, b) {
			t.Errorf("%s is not what the types say (%v); run go test ./cmd/internal/view -update and read the diff", file, err)
		}
	}
}

// schemas are the published documents by name.
func schemas(t *testing.T) map[string]*jsonschema.Schema {
	t.Helper()
	r := reflector(t)
	document := func(name, title, version string, v any) *jsonschema.Schema {
		s := r.Reflect(v)
		s.ID = jsonschema.ID("urn:hardway:schema:" + name + ":" + version)
		s.Title = title
		return s
	}
	p := document("plan", "hardway plan --json, hardway show --json PLAN, and the file of hardway plan --out", plan.FormatVersion, &plan.Plan{})
	p.Properties.Set("sha256", &jsonschema.Schema{Type: "string", Pattern: "^[0-9a-f]{64}$", Description: "of the whole document, with 64 zeros in this place"})
	p.Required = append(p.Required, "sha256")
	spec := p.Definitions["resource.Spec"]
	one := uint64(1)
	spec.MinProperties, spec.MaxProperties = &one, &one
	out := map[string]*jsonschema.Schema{
		"plan":     p,
		"drift":    document("drift", "hardway drift --json", plan.FormatVersion, &plan.Drift{}),
		"verify":   document("verify", "hardway verify --json", reportVersion, &reportJSON{}),
		"validate": document("validate", "hardway validate --json", "1.0", &Validation{}),
		"events":   events(r),
	}
	for _, name := range []string{"validate", "events"} { // as Terraform's have it
		orNull(out[name].Definitions["view.Snippet"], "context")
	}
	orNull(out["events"].Definitions["view.Resource"], "resource_key")
	return out
}

// orNull lets a property be null as well: a pointer that is always written.
func orNull(s *jsonschema.Schema, name string) {
	was, _ := s.Properties.Get(name)
	s.Properties.Set(name, &jsonschema.Schema{AnyOf: []*jsonschema.Schema{was, {Type: "null"}}})
}

// events is the schema of one line of `apply --json`: one of the messages.
func events(r *jsonschema.Reflector) *jsonschema.Schema {
	bodies := r.Reflect(&struct {
		Hook       hookJSON              `json:"hook"`
		Change     changeJSON            `json:"change"`
		Deferred   deferredJSON          `json:"deferred"`
		Changes    summaryJSON           `json:"changes"`
		Diagnostic Diagnostic            `json:"diagnostic"`
		Outputs    map[string]outputJSON `json:"outputs"`
	}{})
	s := &jsonschema.Schema{
		Version: jsonschema.Version, ID: jsonschema.ID("urn:hardway:schema:events:" + UIVersion),
		Title:       "one line of hardway apply --json, destroy --json, rollback --json and certs renew --json",
		Definitions: bodies.Definitions,
	}
	text := &jsonschema.Schema{Type: "string"}
	for _, body := range slices.Sorted(maps.Keys(messages())) {
		for _, kind := range messages()[body] {
			m := &jsonschema.Schema{Type: "object", Title: kind, AdditionalProperties: jsonschema.FalseSchema, Properties: jsonschema.NewProperties()}
			set := func(name string, s *jsonschema.Schema) {
				m.Properties.Set(name, s)
				m.Required = append(m.Required, name)
			}
			set("@level", &jsonschema.Schema{Enum: []any{"info", "warn", "error"}})
			set("@message", text)
			set("@module", &jsonschema.Schema{Const: "hardway.ui"})
			set("@timestamp", &jsonschema.Schema{Type: "string", Format: "date-time"})
			set("type", &jsonschema.Schema{Const: kind})
			if body == "" {
				set("hardway", text)
				set("ui", text)
			} else {
				b, _ := bodies.Properties.Get(body)
				set(body, b)
			}
			s.OneOf = append(s.OneOf, m)
		}
	}
	return s
}

// messages are the types of messages by the name of their body; "version" has none.
func messages() map[string][]string {
	return map[string][]string{
		"":       {"version"},
		"change": {"planned_change"}, "deferred": {"deferred_change"}, "changes": {"change_summary"}, "diagnostic": {"diagnostic"}, "outputs": {"outputs"},
		"hook": {"refresh_start", "refresh_complete", "refresh_errored", "apply_start", "apply_progress", "apply_complete", "apply_errored", "apply_skipped",
			"restore_start", "restore_complete", "restore_errored"},
	}
}

// reflector makes schemas as our documents are: no field that is not named, and
// what the types' comments say as descriptions.
func reflector(t *testing.T) *jsonschema.Reflector {
	t.Helper()
	r := &jsonschema.Reflector{
		Anonymous: true, ExpandedStruct: true, Mapper: mapped,
		Namer: func(ty reflect.Type) string {
			if ty.Name() == "" { // a map or a list is written out in its place
				return ""
			}
			name := []rune(strings.TrimSuffix(ty.Name(), "JSON"))
			name[0] = unicode.ToUpper(name[0])
			return path.Base(ty.PkgPath()) + "." + string(name)
		},
	}
	wd, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir("../../..")
	for _, dir := range []string{"./provision", "./cmd/internal/view"} {
		if err := r.AddGoComments("hardway", dir); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(wd)
	return r
}

// mapped is the schema of types whose JSON is not what their fields say.
func mapped(ty reflect.Type) *jsonschema.Schema {
	enum := func(values ...any) *jsonschema.Schema { return &jsonschema.Schema{Type: "string", Enum: values} }
	const host = `cluster|(?:master|node)\["[^"]+"\]`
	switch ty {
	case reflect.TypeFor[addr.Address]():
		return &jsonschema.Schema{Type: "string", Pattern: `^(?:` + host + `)(?:\.[a-z]+(?:\[".+"\])?)?$`}
	case reflect.TypeFor[addr.Host]():
		return &jsonschema.Schema{Type: "string", Pattern: `^(?:` + host + `)$`}
	case reflect.TypeFor[time.Duration]():
		return &jsonschema.Schema{Type: "integer", Minimum: "0", Description: "in nanoseconds"}
	case reflect.TypeFor[netip.Prefix]():
		return &jsonschema.Schema{Type: "string", Description: "a range of addresses, such as 10.244.1.0/24"}
	case reflect.TypeFor[json.RawMessage]():
		return jsonschema.TrueSchema
	case reflect.TypeFor[plan.Action]():
		return enum(plan.NoOp, plan.Create, plan.Update, plan.Replace, plan.Delete, plan.Forget, plan.Read)
	case reflect.TypeFor[plan.Disruption]():
		return enum(plan.None, plan.Reload, plan.Restart, plan.Drain)
	case reflect.TypeFor[plan.Mode]():
		return enum(plan.Normal, plan.Destroy, plan.Rollback)
	case reflect.TypeFor[health.Status]():
		return enum(health.Healthy, health.Unhealthy, health.Unknown, health.Skipped)
	case reflect.TypeFor[facts.FileType]():
		return enum(facts.Absent, facts.Regular, facts.Directory, facts.Symlink, facts.Other)
	}
	return nil
}
