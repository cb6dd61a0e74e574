package config

import (
	"errors"
	"math/big"
	"regexp"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// Limits on evaluation. The language has no unbounded loops, but for inside for
// inside for over range(1000), or a string doubled thirty times, is a small
// file that eats the machine.
const (
	meterBudget = 64 << 20 // bytes made by templates and functions, and loopCost per iteration
	loopCost    = 512
	// maxValue bounds one value: its string bytes, and elementCost per element.
	maxValue    = 4 << 20
	elementCost = 64
	// maxWidth bounds the elements of one tuple or object, because cty takes
	// quadratic time to find the common type of its elements.
	maxWidth = 10000
	// maxExponentBits bounds a number that becomes a string: 2^4096 has 1234 digits.
	maxExponentBits = 4096
)

var errBudget = errors.New("evaluating the configuration takes too much time or memory; look for loops inside loops and values that are repeated many times")

// meter counts what evaluation costs. When the budget is used up, everything
// metered becomes unknown at once and without a word, since a loop goes on to its
// end whatever its elements say; the loader reports the place in the end.
type meter struct {
	used  int
	spent bool
	place hcl.Range // what used up the budget
}

func (m *meter) charge(n int) error {
	if m.spent || n < 0 || n > meterBudget-m.used {
		m.spent = true
		return errBudget
	}
	m.used += n
	return nil
}

// role is what an expression is metered as.
type role int

const (
	iteration role = iota // the body of a loop: each evaluation costs loopCost
	part                  // of a template: costs its size
	operand               // of an operator: costs nothing, but must be of a sane size
)

// install puts the meter into the loops, templates and operators of a syntax
// tree. Operators are where numbers grow: with their operands bounded, no number
// anywhere takes long to write out.
func (m *meter) install(root hclsyntax.Node) {
	_ = hclsyntax.VisitAll(root, func(n hclsyntax.Node) hcl.Diagnostics {
		switch e := n.(type) {
		case *hclsyntax.ForExpr:
			e.ValExpr = m.wrap(e.ValExpr, iteration)
		case *hclsyntax.SplatExpr:
			e.Each = m.wrap(e.Each, iteration)
		case *hclsyntax.TemplateExpr:
			for i, p := range e.Parts {
				if _, literal := p.(*hclsyntax.LiteralValueExpr); !literal {
					e.Parts[i] = m.wrap(p, part)
				}
			}
		case *hclsyntax.BinaryOpExpr:
			e.LHS, e.RHS = m.wrap(e.LHS, operand), m.wrap(e.RHS, operand)
		case *hclsyntax.UnaryOpExpr:
			e.Val = m.wrap(e.Val, operand)
		}
		return nil
	})
}

// metered is an expression that is paid for whenever it is evaluated. It embeds
// a parenthesis because a syntax tree can be walked only through types of the
// hclsyntax package.
type metered struct {
	*hclsyntax.ParenthesesExpr
	meter *meter
	role  role
}

func (m *meter) wrap(e hclsyntax.Expression, r role) hclsyntax.Expression {
	return &metered{&hclsyntax.ParenthesesExpr{Expression: e, SrcRange: e.Range()}, m, r}
}

// UnwrapExpression lets static analysis see the expression itself.
func (e *metered) UnwrapExpression() hcl.Expression { return e.Expression }

func (e *metered) Value(ctx *hcl.EvalContext) (cty.Value, hcl.Diagnostics) {
	if e.role == iteration && !e.meter.pay(loopCost, e.Range()) {
		return cty.DynamicVal, nil
	}
	v, diags := e.Expression.Value(ctx)
	switch {
	case e.role == iteration:
		return v, diags
	case e.role == operand:
		if excessive(v) {
			return cty.DynamicVal, append(diags, errorAt(e.Range(), "Number too large", "No setting takes a number of this size."))
		}
		return v, diags
	}
	size, err := valueSize(v)
	if err != nil {
		return cty.DynamicVal, append(diags, errorAt(e.Range(), "Value too large", "This value is too large to be part of a text."))
	}
	if !e.meter.pay(size, e.Range()) {
		return cty.DynamicVal, nil
	}
	return v, diags
}

// pay charges for what stands at a place, and says whether the budget held.
func (m *meter) pay(n int, rng hcl.Range) bool {
	if m.charge(n) == nil {
		return true
	}
	if m.place.Filename == "" {
		m.place = rng
	}
	return false
}

func tooExpensive(rng hcl.Range) *hcl.Diagnostic {
	return errorAt(rng, "Configuration too expensive to evaluate", "%s.", sentence(errBudget.Error()))
}

var errValueSize = errors.New("the value is too large")

// valueSize is the size of a value as maxValue counts it, or an error when it is
// more than that, or holds a number too large to be written out. It
// stops early: [x, x] thirty times over is small in memory and huge to walk.
func valueSize(v cty.Value) (int, error) {
	size := 0
	err := addSize(v, &size)
	return size, err
}

func addSize(v cty.Value, size *int) error {
	v, _ = v.Unmark()
	if *size += elementCost; *size > maxValue {
		return errValueSize
	}
	if v == cty.NilVal || v.IsNull() || !v.IsKnown() {
		return nil
	}
	switch ty := v.Type(); {
	case ty == cty.String:
		if *size += len(v.AsString()); *size > maxValue {
			return errValueSize
		}
	case ty == cty.Number:
		if e := exponent(v.AsBigFloat()); e > maxExponentBits || e < -maxExponentBits {
			return errValueSize
		}
	case ty.IsTupleType() && len(ty.TupleElementTypes()) > maxWidth, ty.IsObjectType() && len(ty.AttributeTypes()) > maxWidth:
		return errValueSize
	case ty.IsCollectionType() || ty.IsTupleType() || ty.IsObjectType():
		for it := v.ElementIterator(); it.Next(); {
			key, element := it.Element()
			if !ty.IsSetType() {
				if err := addSize(key, size); err != nil {
					return err
				}
			}
			if err := addSize(element, size); err != nil {
				return err
			}
		}
	}
	return nil
}

// numberText matches what an operator would convert to a number, and in its
// group the digits of the exponent.
var numberText = regexp.MustCompile(`^[-+]?[0-9]*\.?[0-9]*(?:[eE][-+]?0*([0-9]*))?$`)

// excessive reports a number, or a text that an operator would make a number of,
// beyond maxExponentBits.
func excessive(v cty.Value) bool {
	v, _ = v.Unmark()
	if v == cty.NilVal || !v.IsKnown() || v.IsNull() {
		return false
	}
	switch v.Type() {
	case cty.Number:
		e := exponent(v.AsBigFloat())
		return e > maxExponentBits || e < -maxExponentBits
	case cty.String:
		s := v.AsString()
		m := numberText.FindStringSubmatch(s)
		return m != nil && (len(m[1]) > maxExponent || len(s) > maxExponentBits/4)
	}
	return false
}

func exponent(f *big.Float) int {
	if f.IsInf() {
		return maxExponentBits + 1
	}
	return f.MantExp(nil)
}
