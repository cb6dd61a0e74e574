package view

import (
	"strings"

	"github.com/zclconf/go-cty/cty"
)

// Value writes a value as HCL that could be read again, laid out as Terraform's
// console does: collections over several lines, texts of several lines as
// heredocs, the kind of a collection that has no syntax of its own as a call.
// What is sensitive, as a whole or inside, is not shown.
func Value(v cty.Value) string { return value(v, 0) }

func value(v cty.Value, indent int) string {
	switch {
	case v.IsMarked():
		return "(sensitive value)"
	case !v.IsKnown():
		return "(known after apply)"
	case v.IsNull():
		return null(v.Type())
	}
	switch ty := v.Type(); {
	case ty == cty.String:
		return textLiteral(v.AsString(), indent)
	case ty.IsPrimitiveType():
		return literal(v)
	case ty.IsObjectType():
		return object(v, indent)
	case ty.IsMapType():
		return "tomap(" + object(v, indent) + ")"
	case ty.IsTupleType():
		return sequence(v, indent)
	case ty.IsListType():
		return "tolist(" + sequence(v, indent) + ")"
	case ty.IsSetType():
		return "toset(" + sequence(v, indent) + ")"
	}
	return v.Type().FriendlyName() // HCL makes no other
}

// null says of which type a null is, where HCL can.
func null(ty cty.Type) string {
	switch ty {
	case cty.String, cty.Number, cty.Bool:
		return "to" + ty.FriendlyName() + "(null)"
	}
	return "null"
}

// textLiteral writes a string: in quotes, or, when it has several lines and an
// indented heredoc says the same, as one.
func textLiteral(s string, indent int) string {
	if !strings.HasSuffix(s, "\n") || strings.Count(s, "\n") < 2 || EscapeBlock(s) != s || shifted(s) {
		return literal(cty.StringVal(s))
	}
	end := "EOT"
	for lines := strings.Split(s, "\n"); contains(lines, end); {
		end += "_"
	}
	pad := strings.Repeat(" ", indent)
	var b strings.Builder
	b.WriteString("<<-" + end + "\n")
	for line := range strings.Lines(strings.NewReplacer("${", "$${", "%{", "%%{").Replace(s)) {
		b.WriteString(pad + line)
	}
	return b.String() + pad + end
}

// shifted reports whether <<- would take blanks away from a text.
func shifted(s string) bool {
	for line := range strings.Lines(s) {
		if line[0] != ' ' && line[0] != '\t' && line[0] != '\n' {
			return false
		}
	}
	return true
}

// contains reports whether a line could be taken for the end of a heredoc.
func contains(lines []string, end string) bool {
	for _, l := range lines {
		if strings.TrimSpace(l) == end {
			return true
		}
	}
	return false
}

func object(v cty.Value, indent int) string {
	if v.LengthInt() == 0 {
		return "{}"
	}
	inner := indent + 2
	var b strings.Builder
	b.WriteString("{\n")
	for it := v.ElementIterator(); it.Next(); {
		k, e := it.Element()
		b.WriteString(strings.Repeat(" ", inner) + literal(k) + " = " + value(e, inner) + "\n")
	}
	return b.String() + strings.Repeat(" ", indent) + "}"
}

func sequence(v cty.Value, indent int) string {
	if v.LengthInt() == 0 {
		return "[]"
	}
	inner := indent + 2
	var b strings.Builder
	b.WriteString("[\n")
	for it := v.ElementIterator(); it.Next(); {
		_, e := it.Element()
		b.WriteString(strings.Repeat(" ", inner) + value(e, inner) + ",\n")
	}
	return b.String() + strings.Repeat(" ", indent) + "]"
}
