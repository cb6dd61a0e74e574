package view

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"
	ctyjson "github.com/zclconf/go-cty/cty/json"
)

// Output is one output of the configuration.
type Output struct {
	Name      string
	Value     cty.Value
	Sensitive bool
}

// Outputs writes the outputs as HCL; the value of a sensitive one is shown only
// when it is asked for by name.
func Outputs(w io.Writer, list []Output, s Style) error {
	var b strings.Builder
	for _, o := range list {
		text := "(sensitive value)"
		if !o.Sensitive {
			text = literal(o.Value)
		}
		fmt.Fprintf(&b, "%s = %s\n", Escape(o.Name), text)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// OutputValue writes the value of one output as HCL.
func OutputValue(w io.Writer, o Output) error {
	_, err := fmt.Fprintln(w, literal(o.Value))
	return err
}

// literal writes a value as HCL, strings in quotes and escaped by HCL's rules.
func literal(v cty.Value) string {
	v, _ = v.UnmarkDeep()
	if !v.IsWhollyKnown() {
		return "(known after apply)"
	}
	return EscapeBlock(string(hclwrite.Format(hclwrite.TokensForValue(v).Bytes())))
}

// OutputsJSON writes name, type, value and sensitivity of each output, as
// `terraform output -json` does: the values of sensitive ones included.
func OutputsJSON(w io.Writer, list []Output) error {
	m, err := outputsJSON(list, true)
	if err != nil {
		return err
	}
	return JSON(w, m)
}

// outputJSON is the document of one output.
type outputJSON struct {
	Sensitive bool            `json:"sensitive"`
	Type      json.RawMessage `json:"type,omitempty"`
	Value     json.RawMessage `json:"value,omitempty"`
}

func outputsJSON(list []Output, reveal bool) (map[string]outputJSON, error) {
	out := map[string]outputJSON{}
	for _, o := range list {
		v, _ := o.Value.UnmarkDeep()
		typ, err := ctyjson.MarshalType(v.Type())
		if err != nil {
			return nil, fmt.Errorf("encoding the type of output %q: %w", o.Name, err)
		}
		j := outputJSON{Sensitive: o.Sensitive, Type: typ}
		if !o.Sensitive || reveal {
			if j.Value, err = ctyjson.Marshal(v, v.Type()); err != nil {
				return nil, fmt.Errorf("encoding output %q: %w", o.Name, err)
			}
		}
		out[o.Name] = j
	}
	return out, nil
}

// OutputValueJSON writes the bare value of one output as JSON.
func OutputValueJSON(w io.Writer, o Output) error {
	v, _ := o.Value.UnmarkDeep()
	b, err := ctyjson.Marshal(v, v.Type())
	if err != nil {
		return fmt.Errorf("encoding output %q: %w", o.Name, err)
	}
	_, err = fmt.Fprintf(w, "%s\n", b)
	return err
}

// OutputRaw writes a string, number or bool as it is, without quotes and
// without a line feed, for use in scripts; it is not escaped, since it is a value and no talk.
func OutputRaw(w io.Writer, o Output) error {
	v, _ := o.Value.UnmarkDeep()
	switch {
	case v.IsNull() || !v.IsKnown():
		return fmt.Errorf("output %q has no value", o.Name)
	case v.Type() == cty.String:
		_, err := io.WriteString(w, v.AsString())
		return err
	case v.Type() == cty.Number:
		_, err := io.WriteString(w, v.AsBigFloat().Text('f', -1))
		return err
	case v.Type() == cty.Bool:
		_, err := fmt.Fprint(w, v.True())
		return err
	}
	return fmt.Errorf("output %q is %s; --raw writes a string, a number or a bool, --json writes everything", o.Name, v.Type().FriendlyName())
}
