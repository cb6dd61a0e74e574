package config

import (
	"errors"
	"math/big"

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
	elementCost = 16
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

// install puts the meter into the loops and templates of a syntax tree.
func (m *meter) install(root hclsyntax.Node) {
	_ = hclsyntax.VisitAll(root, func(n hclsyntax.Node) hcl.Diagnostics {
		switch e := n.(type) {
		case *hclsyntax.ForExpr:
			e.ValExpr = m.wrap(e.ValExpr, true)
		case *hclsyntax.SplatExpr:
			e.Each = m.wrap(e.Each, true)
		case *hclsyntax.TemplateExpr:
			for i, part := range e.Parts {
				if _, literal := part.(*hclsyntax.LiteralValueExpr); !literal {
					e.Parts[i] = m.wrap(part, false)
				}
			}
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
	loop  bool // one iteration of a loop; otherwise a part of a template
}

func (m *meter) wrap(e hclsyntax.Expression, loop bool) hclsyntax.Expression {
	if w, ok := e.(*metered); ok {
		e = w.Expression
	}
	return &metered{&hclsyntax.ParenthesesExpr{Expression: e, SrcRange: e.Range()}, m, loop}
}

func (e *metered) Value(ctx *hcl.EvalContext) (cty.Value, hcl.Diagnostics) {
	if e.loop {
		if !e.meter.pay(loopCost, e.Range()) {
			return cty.DynamicVal, nil
		}
		return e.Expression.Value(ctx)
	}
	v, diags := e.Expression.Value(ctx)
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

func exponent(f *big.Float) int {
	if f.IsInf() {
		return maxExponentBits + 1
	}
	return f.MantExp(nil)
}
