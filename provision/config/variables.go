package config

import (
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/typeexpr"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// variable is one variable block.
type variable struct {
	name        string
	rng         hcl.Range
	constraint  cty.Type // DynamicPseudoType when no type is given
	defaults    *typeexpr.Defaults
	fallback    cty.Value // NilVal when the variable is required
	sensitive   bool
	nullable    bool
	validations []validation
}

type validation struct {
	rng                hcl.Range
	condition, message hcl.Expression
}

// declareVariable reads a variable block. All of it but the validations must be
// constant: the declaration is read before any value exists.
func (l *loader) declareVariable(b *hclsyntax.Block) {
	name := b.Labels[0]
	if first := l.decl.variables[name]; first != nil {
		l.diags.add(errorAt(b.DefRange(), "Duplicate variable", "The variable %q is declared already at %s.", name, at(first.rng)))
		return
	}
	v := &variable{name: name, rng: b.DefRange(), constraint: cty.DynamicPseudoType, nullable: true}
	l.decl.variables[name] = v
	if !hclsyntax.ValidIdentifier(name) {
		l.diags.add(errorAt(b.LabelRanges[0], "Invalid variable name",
			"%s is not a name: it has letters, digits, _ and -, and starts with a letter, so that var.name can be written.", quote(name)))
	}
	content := l.content(b.Body, schema{
		attributes: []string{"type", "default", "description", "sensitive", "nullable"},
		blocks:     []childBlock{{name: "validation"}},
		later:      []string{"ephemeral", "deprecated"},
	}, blockTitle(b))

	if a := content.Attributes["type"]; a != nil {
		ty, defaults, diags := typeexpr.TypeConstraintWithDefaults(a.Expr)
		l.diags.add(diags...)
		if !diags.HasErrors() {
			v.constraint, v.defaults = ty, defaults
		}
	}
	r := reader{l: l, attrs: content.Attributes, ctx: &hcl.EvalContext{Functions: l.functions}, where: blockTitle(b)}
	v.sensitive = r.flag("sensitive", false)
	v.nullable = r.flag("nullable", true)
	r.text("description")
	for _, child := range content.Blocks {
		l.declareValidation(v, child)
	}
	if a := content.Attributes["default"]; a != nil {
		if v.sensitive {
			l.files.mask(a.Expr)
		}
		v.fallback = l.defaultValue(v, a)
	}
}

func (l *loader) defaultValue(v *variable, a *hcl.Attribute) cty.Value {
	if refs := a.Expr.Variables(); len(refs) > 0 {
		l.diags.add(errorAt(refs[0].SourceRange(), "Default is not constant",
			"A default cannot refer to anything, since variables come first. Compute the value in locals."))
		return cty.DynamicVal
	}
	val, diags := a.Expr.Value(&hcl.EvalContext{Functions: l.functions})
	l.addFor(v, diags)
	if diags.HasErrors() {
		return cty.DynamicVal
	}
	return l.conform(v, val, a.Expr.Range(), "The default")
}

func (l *loader) declareValidation(v *variable, b *hcl.Block) {
	c := l.content(b.Body, schema{attributes: []string{"condition", "error_message"}}, "validation")
	condition, message := c.Attributes["condition"], c.Attributes["error_message"]
	if condition == nil || message == nil {
		l.diags.add(errorAt(b.DefRange, "Incomplete validation", "A validation has a condition and an error_message."))
		return
	}
	v.validations = append(v.validations, validation{b.DefRange, condition.Expr, message.Expr})
}

// addFor reports diagnostics about a variable's value, withholding the details
// of a sensitive one: they may quote it.
func (l *loader) addFor(v *variable, diags hcl.Diagnostics) {
	for _, d := range diags {
		if v.sensitive {
			c := *d
			c.Detail, c.Expression, c.EvalContext = withheld, nil, nil
			d = &c
		}
		l.diags.add(d)
	}
}

// conform gives a value its variable's type, optional attributes and mark. rng
// is where to point when it does not fit, origin what to call the value.
func (l *loader) conform(v *variable, val cty.Value, rng hcl.Range, origin string) cty.Value {
	if _, err := valueSize(val); err != nil {
		l.diags.add(errorAt(rng, "Value too large", "%s of the variable %q is too large.", origin, v.name))
		return cty.DynamicVal
	}
	if val.IsNull() && !v.nullable {
		if origin == "The default" {
			l.diags.add(errorAt(rng, "Null default", "The variable %q has nullable = false, so its default must not be null.", v.name))
			return cty.DynamicVal
		}
		if v.fallback != cty.NilVal {
			return v.fallback
		}
		l.diags.add(errorAt(rng, "Null value", "%s of the variable %q is null, which its nullable = false forbids.", origin, v.name))
		return cty.DynamicVal
	}
	if v.defaults != nil && !val.IsNull() {
		val = v.defaults.Apply(val)
	}
	out, err := convert.Convert(val, v.constraint)
	if err != nil {
		why := err.Error()
		if v.sensitive {
			why = "the details are withheld, because the variable is sensitive"
		}
		l.diags.add(errorAt(rng, "Wrong type of value", "%s of the variable %q does not fit its type, %s: %s.",
			origin, v.name, typeexpr.TypeString(v.constraint), why))
		return cty.DynamicVal
	}
	if v.sensitive {
		out = out.Mark(sensitiveMark)
	}
	return out
}

// validateVariables runs the validation blocks. They may refer to any variable,
// not only to their own.
func (l *loader) validateVariables() {
	for _, name := range sortedKeys(l.decl.variables) {
		v := l.decl.variables[name]
		for _, check := range v.validations {
			l.validate(v, check)
		}
	}
}

func (l *loader) validate(v *variable, check validation) {
	for _, t := range check.condition.Variables() {
		if root := t.RootName(); root != "var" {
			l.diags.add(errorAt(t.SourceRange(), "Invalid reference", "A validation can refer to variables only (var.%s).", v.name))
			return
		}
	}
	ok, known := l.scope.eval(check.condition, nil)
	if !known {
		return
	}
	ok, _ = ok.Unmark()
	ok, err := convert.Convert(ok, cty.Bool)
	if err != nil || ok.IsNull() || !ok.IsKnown() {
		l.diags.add(errorAt(check.condition.Range(), "Invalid condition", "The condition of a validation must be true or false."))
		return
	}
	if ok.True() {
		return
	}
	text := "The value is not valid."
	if msg, known := l.scope.eval(check.message, nil); known {
		switch {
		case msg.ContainsMarked():
			text = "The error message is withheld, because it contains a sensitive value."
		case !msg.IsNull() && msg.Type() == cty.String:
			text = msg.AsString()
		}
	}
	l.diags.add(errorAt(v.rng, "Invalid value for variable", "%s\n\nThis was checked by the validation of var.%s at %s.",
		strings.TrimSpace(text), v.name, at(check.rng)))
}
