package config

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/agext/levenshtein"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// maxDiagnostics bounds what one load reports: beyond it the reader has stopped
// reading, and a generated file with a million mistakes must not cost a gigabyte.
const maxDiagnostics = 100

// withheld replaces the detail of a diagnostic that a sensitive value took part in.
const withheld = "The details are withheld, because a sensitive value takes part in this expression."

// unknownCall is HCL's summary of a call to a function that there is not.
const unknownCall = "Call to unknown function"

// collector gathers diagnostics. It drops repetitions, since a block with
// for_each is evaluated once for every host and would complain as often.
type collector struct {
	diags  hcl.Diagnostics
	seen   map[string]bool
	errors bool
	cut    bool
}

func (c *collector) add(diags ...*hcl.Diagnostic) {
	for _, d := range diags {
		if d == nil {
			continue
		}
		d = sanitize(d)
		c.errors = c.errors || d.Severity == hcl.DiagError
		key := fmt.Sprint(d.Severity, d.Subject, d.Summary, "\x00", d.Detail)
		if c.seen[key] {
			continue
		}
		if len(c.diags) >= maxDiagnostics {
			c.cut = true
			continue
		}
		if c.seen == nil {
			c.seen = map[string]bool{}
		}
		c.seen[key] = true
		c.diags = append(c.diags, d)
	}
}

// sorted returns the diagnostics in order of their place, those without one
// first. HCL itself reports from maps, in random order.
func (c *collector) sorted() hcl.Diagnostics {
	slices.SortStableFunc(c.diags, func(a, b *hcl.Diagnostic) int {
		var ra, rb hcl.Range
		if a.Subject != nil {
			ra = *a.Subject
		}
		if b.Subject != nil {
			rb = *b.Subject
		}
		return cmp.Or(cmp.Compare(ra.Filename, rb.Filename), cmp.Compare(ra.Start.Byte, rb.Start.Byte),
			cmp.Compare(a.Summary, b.Summary), cmp.Compare(a.Detail, b.Detail))
	})
	if c.cut {
		c.diags = append(c.diags, &hcl.Diagnostic{Severity: hcl.DiagError, Summary: "Too many problems",
			Detail: fmt.Sprintf("Only the first %d are shown. Correct these and run the command again.", maxDiagnostics)})
		c.cut = false
	}
	return c.diags
}

func errorAt(rng hcl.Range, summary, format string, args ...any) *hcl.Diagnostic {
	return &hcl.Diagnostic{Severity: hcl.DiagError, Summary: summary, Detail: fmt.Sprintf(format, args...), Subject: &rng}
}

func warningAt(rng hcl.Range, summary, format string, args ...any) *hcl.Diagnostic {
	d := errorAt(rng, summary, format, args...)
	d.Severity = hcl.DiagWarning
	return d
}

// at names a place in running text, in the form editors and terminals link.
func at(rng hcl.Range) string {
	return rng.Filename + ":" + strconv.Itoa(rng.Start.Line) + ":" + strconv.Itoa(rng.Start.Column)
}

// sanitize removes the evaluation context from a diagnostic, after turning what
// of it is safe to show into text. Without the context no writer, however it is
// written, can print a value it should not.
func sanitize(d *hcl.Diagnostic) *hcl.Diagnostic {
	if d.Expression == nil && d.EvalContext == nil && d.Extra == nil {
		return d
	}
	out := *d
	out.Expression, out.EvalContext, out.Extra = nil, nil, nil
	if d.Expression == nil || d.EvalContext == nil {
		return &out
	}
	if call, ok := d.Expression.(*hclsyntax.FunctionCallExpr); ok && d.Summary == unknownCall {
		out.Detail = unknownFunction(call.Name, d.EvalContext)
		return &out
	}
	if sensitiveExpr(d.Expression, d.EvalContext) {
		out.Detail = withheld
		return &out
	}
	if with := involved(d.Expression, d.EvalContext); with != "" {
		out.Detail += "\n\nWith " + with + "."
	}
	return &out
}

// addEvaluation reports what went wrong in evaluating a whole expression. It is
// looked at as a whole, because a for expression hands the elements of a
// sensitive collection to its parts without their marks.
func (l *loader) addEvaluation(expr hcl.Expression, ctx *hcl.EvalContext, diags hcl.Diagnostics) {
	if len(diags) > 0 && sensitiveExpr(expr, ctx) {
		for i, d := range diags {
			if d.Summary == unknownCall { // says no more than the name, which is source text
				continue
			}
			c := *d
			c.Detail, c.Expression, c.EvalContext = withheld, nil, nil
			diags[i] = &c
		}
	}
	l.diags.add(diags...)
}

// sensitiveExpr reports whether a sensitive value takes part in an expression.
func sensitiveExpr(expr hcl.Expression, ctx *hcl.EvalContext) bool {
	for _, t := range expr.Variables() {
		if v, ok := traverse(t, ctx); ok && v.ContainsMarked() {
			return true
		}
	}
	found := false
	if node, ok := hcl.UnwrapExpressionUntil(expr, isSyntax).(hclsyntax.Expression); ok {
		_ = hclsyntax.VisitAll(node, func(n hclsyntax.Node) hcl.Diagnostics {
			if call, ok := n.(*hclsyntax.FunctionCallExpr); ok && call.Name == "sensitive" {
				found = true
			}
			return nil
		})
	}
	return found
}

func isSyntax(e hcl.Expression) bool { _, ok := e.(hclsyntax.Expression); return ok }

// traverse follows t as far as it leads. It never stops at a bare root (var,
// local), which would stand for all names behind it.
func traverse(t hcl.Traversal, ctx *hcl.EvalContext) (cty.Value, bool) {
	for n := len(t); n >= min(2, len(t)); n-- {
		if v, diags := t[:n].TraverseAbs(ctx); !diags.HasErrors() {
			return v, true
		}
	}
	return cty.NilVal, false
}

// involved lists the simple values that an expression refers to: in a block
// with for_each the line alone does not say which host went wrong.
func involved(expr hcl.Expression, ctx *hcl.EvalContext) string {
	var out []string
	for _, t := range expr.Variables() {
		if t.RootName() == "each" { // says which host is meant, even where the rest leads nowhere
			t = hcl.Traversal{t[0], hcl.TraverseAttr{Name: "key"}}
		}
		v, diags := t.TraverseAbs(ctx)
		if diags.HasErrors() || v.ContainsMarked() || !v.IsWhollyKnown() || v.IsNull() {
			continue
		}
		var text string
		switch v.Type() {
		case cty.String:
			text = quote(v.AsString())
		case cty.Bool:
			text = strconv.FormatBool(v.True())
		case cty.Number:
			text = v.AsBigFloat().Text('g', 10)
		default:
			continue
		}
		if s := traversalString(t) + " = " + text; !slices.Contains(out, s) && len(out) < 4 {
			out = append(out, s)
		}
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}

func traversalString(t hcl.Traversal) string {
	var b strings.Builder
	for _, step := range t {
		switch s := step.(type) {
		case hcl.TraverseRoot:
			b.WriteString(s.Name)
		case hcl.TraverseAttr:
			b.WriteString("." + s.Name)
		case hcl.TraverseIndex:
			b.WriteByte('[')
			if k := s.Key; !k.IsMarked() && k.IsKnown() && !k.IsNull() && k.Type() == cty.String {
				b.WriteString(quote(k.AsString()))
			} else if !k.IsMarked() && k.IsKnown() && !k.IsNull() && k.Type() == cty.Number {
				b.WriteString(k.AsBigFloat().Text('g', 10))
			}
			b.WriteByte(']')
		}
	}
	return b.String()
}

// quote shows a text of the user's: on one line, and not longer than a line.
func quote(s string) string {
	const most = 80
	if r := []rune(s); len(r) > most {
		s = string(r[:most]) + "…"
	}
	return strconv.Quote(s)
}

// nearest returns the candidate that the user most likely meant, or "".
func nearest(given string, candidates []string) string {
	best, bestDistance := "", min(3, max(1, len(given)/2))+1
	for _, c := range slices.Sorted(slices.Values(candidates)) {
		if abs := len(given) - len(c); abs >= bestDistance || -abs >= bestDistance {
			continue
		}
		if d := levenshtein.Distance(given, c, nil); d < bestDistance {
			best, bestDistance = c, d
		}
	}
	return best
}

// didYouMean is the sentence for nearest, with a leading blank, or "".
func didYouMean(given string, candidates []string) string {
	if n := nearest(given, candidates); n != "" {
		return fmt.Sprintf(" Did you mean %q?", n)
	}
	return ""
}

// enumerate writes "a", "b" or "c".
func enumerate(names []string, last string) string {
	quoted := make([]string, len(names))
	for i, n := range names {
		quoted[i] = strconv.Quote(n)
	}
	switch n := len(quoted); n {
	case 0:
		return "nothing"
	case 1:
		return quoted[0]
	default:
		return strings.Join(quoted[:n-1], ", ") + " " + last + " " + quoted[n-1]
	}
}
