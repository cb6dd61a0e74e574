package config

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// secret reads a sensitive string.
func (r reader) secret(name string) *Secret {
	a := r.attrs[name]
	if a == nil {
		return nil
	}
	if len(a.Expr.Variables()) == 0 {
		r.l.files.mask(a.Expr)
		if _, literal := hcl.UnwrapExpressionUntil(a.Expr, isSyntax).(*hclsyntax.TemplateExpr); literal {
			r.l.diags.add(warningAt(a.Expr.Range(), "Password in clear", "%s of %s stands in the configuration for everyone to read. Declare a variable with sensitive = true, and give it its value as %sname.", name, r.where, envPrefix))
		}
	}
	v, ok := r.raw(name)
	if !ok {
		return nil
	}
	v, _ = v.UnmarkDeep()
	v, err := convert.Convert(v, cty.String)
	if err != nil || v.IsNull() {
		r.fail(name, "Wrong type of value", "%s of %s must be a string.", name, r.where)
		return nil
	}
	if why := badText(v.AsString()); why != "" {
		r.fail(name, "Control character", "%s of %s has %s, which cannot be typed at a prompt.", name, r.where, why)
		return nil
	}
	if v.AsString() == "" {
		return nil
	}
	secret := NewSecret(v.AsString())
	return &secret
}
