package config

import (
	"errors"
	"fmt"
	"math/big"
	"regexp"
	"strconv"
	"strings"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

// Limits on single calls, checked before the call because the memory would be
// gone after it.
const (
	maxFormatWidth = 4096
	maxCallResult  = 16 << 20
	// maxDecodeNesting bounds JSON and YAML, whose decoders recurse.
	maxDecodeNesting = 1000
)

// guard puts limits around a function, pays for its result, and keeps sensitive
// arguments out of its errors.
func (l *loader) guard(name string, f function.Function) function.Function {
	open := func(p function.Parameter) function.Parameter {
		p.AllowNull, p.AllowUnknown, p.AllowDynamicType, p.AllowMarked = true, true, true, true
		return p
	}
	spec := &function.Spec{
		Description: f.Description(),
		Type:        function.StaticReturnType(cty.DynamicPseudoType),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			v, err := l.call(name, f, args)
			if err == nil {
				return v, nil
			}
			for _, a := range args {
				if a.ContainsMarked() {
					return cty.NilVal, errors.New("the details are withheld, because an argument is sensitive")
				}
			}
			return cty.NilVal, err
		},
	}
	for _, p := range f.Params() {
		spec.Params = append(spec.Params, open(p))
	}
	if p := f.VarParam(); p != nil {
		opened := open(*p)
		spec.VarParam = &opened
	}
	return function.New(spec)
}

func (l *loader) call(name string, f function.Function, args []cty.Value) (cty.Value, error) {
	total := 0
	for i, a := range args {
		n, err := valueSize(a)
		if err != nil {
			return cty.NilVal, function.NewArgError(i, err)
		}
		total += n
	}
	if err := l.meter.charge(loopCost); err != nil {
		return cty.NilVal, err
	}
	if err := explodes(name, args, total); err != nil {
		return cty.NilVal, err
	}
	v, err := f.Call(args)
	if err != nil {
		return v, err
	}
	size, err := valueSize(v)
	if err != nil {
		return cty.NilVal, fmt.Errorf("the result is too large")
	}
	return v, l.meter.charge(size)
}

// formatWidth finds widths, precisions and argument numbers in a format.
var formatWidth = regexp.MustCompile(`%[-+ #0]*\[?([0-9]*)\]?\.?([0-9]*)`)

// explodes reports a call whose result would be out of proportion to its
// arguments. total is the size of all arguments.
func explodes(name string, args []cty.Value, total int) error {
	estimate := 0
	switch name {
	case "format", "formatlist":
		spec, ok := knownString(args, 0)
		if !ok {
			return nil
		}
		for _, m := range formatWidth.FindAllStringSubmatch(spec, -1) {
			for _, digits := range m[1:] {
				if n, err := strconv.Atoi(digits); digits != "" && (err != nil || n > maxFormatWidth) {
					return function.NewArgErrorf(0, "a width of more than %d characters", maxFormatWidth)
				}
			}
		}
		estimate = strings.Count(spec, "%") * (total + maxFormatWidth/64)
		if name == "formatlist" {
			estimate = max(estimate, total*strings.Count(spec, "%"))
		}
	case "indent":
		if len(args) == 2 && isKnown(args[0], cty.Number) {
			n, _ := mustUnmark(args[0]).AsBigFloat().Int64()
			if n < 0 || n > maxFormatWidth {
				return function.NewArgErrorf(0, "it must be from 0 to %d", maxFormatWidth)
			}
			s, _ := knownString(args, 1)
			estimate = strings.Count(s, "\n") * int(n)
		}
	case "replace":
		str, ok1 := knownString(args, 0)
		sub, ok2 := knownString(args, 1)
		with, ok3 := knownString(args, 2)
		if ok1 && ok2 && ok3 {
			hits := len(str) + 1
			if sub != "" && (sub[0] != '/' || len(sub) == 1) {
				hits = strings.Count(str, sub)
			}
			estimate = hits * len(with)
		}
	case "join":
		if sep, ok := knownString(args, 0); ok {
			estimate = len(sep) * total
		}
	case "setproduct":
		estimate = 1
		for _, a := range args {
			if a = mustUnmark(a); a.IsKnown() && !a.IsNull() && a.CanIterateElements() {
				if estimate *= max(a.LengthInt(), 1); estimate > maxCallResult {
					break
				}
			}
		}
		estimate *= max(len(args), 1)
	case "jsondecode", "yamldecode":
		s, ok := knownString(args, 0)
		if ok && decodeNesting(s) > maxDecodeNesting {
			return function.NewArgErrorf(0, "it is nested more than %d levels deep", maxDecodeNesting)
		}
		if ok && name == "yamldecode" {
			estimate = aliasGrowth(s)
		}
	case "pow":
		if len(args) == 2 && isKnown(args[1], cty.Number) && mustUnmark(args[1]).AsBigFloat().Cmp(big.NewFloat(maxExponentBits)) > 0 {
			return function.NewArgErrorf(1, "it must not be more than %d", maxExponentBits)
		}
	}
	if estimate < 0 || estimate > maxCallResult {
		return fmt.Errorf("the result would be too large")
	}
	return nil
}

// decodeNesting bounds the depth of a JSON or YAML text from above. It counts
// all brackets, also those inside of strings, and for YAML's block style the
// indicators "- ", "? " and ": " of one line and the deepest indentation.
func decodeNesting(s string) int {
	depth, deepest, indicators, most, indent := 0, 0, 0, 0, 0
	for line := range strings.SplitSeq(s, "\n") {
		indicators = 0
		for i := range len(line) {
			switch c := line[i]; {
			case c == '[' || c == '{':
				if depth++; depth > deepest {
					deepest = depth
				}
			case c == ']' || c == '}':
				depth = max(depth-1, 0)
			case (c == '-' || c == '?') && (i+1 == len(line) || line[i+1] == ' ' || line[i+1] == '\t'):
				indicators++
			}
		}
		most = max(most, indicators)
		indent = max(indent, len(line)-len(strings.TrimLeft(line, " ")))
	}
	// Block nesting needs an indentation of its own at every level.
	return deepest + most + min(indent, maxDecodeNesting/2)
}

// yamlAlias matches the uses of anchors in YAML.
var yamlAlias = regexp.MustCompile(`(?m)(?:^|[\s\[{,:-])\*[^\s,\[\]{}]`)

// aliasGrowth bounds the size of a YAML text with its aliases replaced: n of
// them, the later in what the earlier stand for, triple it at most n/3 times.
func aliasGrowth(s string) int {
	size := len(s)
	for range (len(yamlAlias.FindAllStringIndex(s, maxDecodeNesting)) + 2) / 3 {
		if size *= 3; size > maxCallResult {
			break
		}
	}
	return size
}

func mustUnmark(v cty.Value) cty.Value { v, _ = v.Unmark(); return v }

func isKnown(v cty.Value, ty cty.Type) bool {
	v = mustUnmark(v)
	return v.IsKnown() && !v.IsNull() && v.Type() == ty
}

func knownString(args []cty.Value, i int) (string, bool) {
	if i >= len(args) || !isKnown(args[i], cty.String) {
		return "", false
	}
	return mustUnmark(args[i]).AsString(), true
}
