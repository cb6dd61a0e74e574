package config

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// reader reads the attributes of one block. Its methods report what is wrong and
// say by their last result whether there is a value to go on with: absent, null
// and already reported are all the same to the caller.
type reader struct {
	l     *loader
	ctx   *hcl.EvalContext
	attrs hcl.Attributes
	rng   hcl.Range // the block's header
	where string    // how messages name the block
}

// has reports whether an attribute is written, whatever its value.
func (r reader) has(name string) bool { return r.attrs[name] != nil }

// rangeOf is the place of an attribute's value, or of the block.
func (r reader) rangeOf(name string) hcl.Range {
	if a := r.attrs[name]; a != nil {
		return a.Expr.Range()
	}
	return r.rng
}

// raw evaluates an attribute.
func (r reader) raw(name string) (cty.Value, bool) {
	a := r.attrs[name]
	if a == nil {
		return cty.NilVal, false
	}
	v, diags := a.Expr.Value(r.ctx)
	r.l.addEvaluation(a.Expr, r.ctx, diags)
	if diags.HasErrors() || v.IsNull() {
		return cty.NilVal, false
	}
	if _, err := valueSize(v); err != nil { // first, since it stops early
		r.fail(name, "Value too large", "No setting takes a value of this size.")
		return cty.NilVal, false
	}
	return v, v.IsWhollyKnown()
}

// value evaluates an attribute to a type. Sensitive values are refused: whatever
// is read here ends up in a plan, a unit or a file on a host.
func (r reader) value(name string, ty cty.Type, kind string) (cty.Value, bool) {
	v, ok := r.raw(name)
	if !ok {
		return v, false
	}
	if v.ContainsMarked() {
		r.fail(name, "Sensitive value not possible here",
			"%s of %s appears in plans and in files on hosts, so it cannot be sensitive. If the value is no secret, write nonsensitive(…).", name, r.where)
		return cty.NilVal, false
	}
	out, err := convert.Convert(v, ty)
	if err != nil {
		r.fail(name, "Wrong type of value", "%s of %s must be %s: %s.", name, r.where, kind, err)
		return cty.NilVal, false
	}
	if out.IsNull() || !out.IsWhollyKnown() {
		return cty.NilVal, false
	}
	return out, true
}

func (r reader) fail(name, summary, format string, args ...any) {
	r.l.diags.add(errorAt(r.rangeOf(name), summary, format, args...))
}

// text reads a string of one line without control characters.
func (r reader) text(name string) (string, bool) {
	v, ok := r.value(name, cty.String, "a string")
	if !ok {
		return "", false
	}
	s := v.AsString()
	if why := badText(s); why != "" {
		r.fail(name, "Control character", "%s of %s has %s. It must be plain text on one line.", name, r.where, why)
		return "", false
	}
	return s, true
}

// word is text that must not be empty.
func (r reader) word(name string) (string, bool) {
	s, ok := r.text(name)
	if ok && strings.TrimSpace(s) == "" {
		r.fail(name, "Empty value", "%s of %s is empty. Leave it out for the default.", name, r.where)
		return "", false
	}
	return s, ok
}

// choice is a word out of a closed set.
func (r reader) choice(name string, fallback string, choices ...string) string {
	s, ok := r.word(name)
	if !ok {
		return fallback
	}
	if !slices.Contains(choices, s) {
		r.fail(name, "Unknown value", "%s of %s is %s; it can be %s.%s", name, r.where, quote(s), enumerate(choices, "or"), didYouMean(s, choices))
		return fallback
	}
	return s
}

// flag reads a bool.
func (r reader) flag(name string, fallback bool) bool {
	v, ok := r.value(name, cty.Bool, "true or false")
	if !ok {
		return fallback
	}
	return v.True()
}

// flagOrPath reads true, false, or the path of a file, which need not be there. With
// a path the flag is true.
func (r reader) flagOrPath(name, what string) (on bool, path string, ok bool) {
	v, ok := r.raw(name)
	if !ok {
		return false, "", false
	}
	if v.Type() == cty.Bool {
		v, ok := r.value(name, cty.Bool, "true or false")
		return ok && v.True(), "", ok
	}
	if v.Type() != cty.String {
		r.fail(name, "Wrong type of value", "%s of %s must be true, false or %s.", name, r.where, what)
		return false, "", false
	}
	text, ok := r.word(name)
	if !ok {
		return false, "", false
	}
	path, err := r.l.path(text)
	if err != nil {
		r.fail(name, "Invalid path", "%s of %s: %v.", name, r.where, err)
		return false, "", false
	}
	return true, path, true
}

// whole reads a whole number in a range.
func (r reader) whole(name string, fallback, low, high int) int {
	v, ok := r.value(name, cty.Number, "a number")
	if !ok {
		return fallback
	}
	n, accuracy := v.AsBigFloat().Int64()
	if accuracy != 0 || n < int64(low) || n > int64(high) {
		r.fail(name, "Number out of range", "%s of %s must be a whole number from %d to %d.", name, r.where, low, high)
		return fallback
	}
	return int(n)
}

// duration reads a positive time.Duration.
func (r reader) duration(name string, fallback time.Duration) time.Duration {
	s, ok := r.word(name)
	if !ok {
		return fallback
	}
	d, err := time.ParseDuration(s)
	if err != nil {
		r.fail(name, "Not a duration", `%s of %s is %s. Write a number with a unit, h, m or s: "8760h" is a year, "10s" ten seconds.`, name, r.where, quote(s))
		return fallback
	}
	if d <= 0 {
		r.fail(name, "Duration not positive", "%s of %s is %s. It must be more than nothing.", name, r.where, s)
		return fallback
	}
	return d
}

// texts reads a list of strings; where single is set, one string stands for a
// list of one.
func (r reader) texts(name string, single bool) ([]string, bool) {
	if v, ok := r.raw(name); ok && single && v.Type() == cty.String {
		s, ok := r.word(name)
		return []string{s}, ok
	} else if !ok {
		return nil, false
	}
	v, ok := r.value(name, cty.List(cty.String), "a list of strings")
	if !ok {
		return nil, false
	}
	var out []string
	for it := v.ElementIterator(); it.Next(); {
		_, e := it.Element()
		if e.IsNull() {
			r.fail(name, "Null in a list", "%s of %s has an element that is null.", name, r.where)
			return nil, false
		}
		s := e.AsString()
		if why := badText(s); why != "" || s == "" {
			r.fail(name, "Invalid list element", "%s of %s has an element with %s.", name, r.where, cmp.Or(why, "no text"))
			return nil, false
		}
		out = append(out, s)
	}
	return out, true
}

// mapping reads a map of strings with the place of each entry.
func (r reader) mapping(name string) (map[string]string, map[string]hcl.Range) {
	v, ok := r.value(name, cty.Map(cty.String), "a map of strings")
	if !ok {
		return nil, nil
	}
	places := entryRanges(r.attrs[name].Expr, r.ctx)
	out, ranges := map[string]string{}, map[string]hcl.Range{}
	for _, key := range sortedKeys(v.AsValueMap()) {
		e := v.Index(cty.StringVal(key))
		rng, ok := places[key]
		if !ok {
			rng = r.rangeOf(name)
		}
		if e.IsNull() {
			continue
		}
		s := e.AsString()
		if why := cmp.Or(badText(key), badText(s)); why != "" {
			r.l.diags.add(errorAt(rng, "Control character", "The entry %s in %s of %s has %s.", quote(key), name, r.where, why))
			continue
		}
		out[key], ranges[key] = s, rng
	}
	return out, ranges
}

// address reads an IP address.
func (r reader) address(name string) (netip.Addr, bool) {
	s, ok := r.word(name)
	if !ok {
		return netip.Addr{}, false
	}
	a, err := netip.ParseAddr(s)
	if err != nil {
		r.fail(name, "Not an IP address", "%s of %s is %s; an IP address such as 192.168.10.21 is wanted.", name, r.where, quote(s))
		return netip.Addr{}, false
	}
	return a, true
}

// absolute reads a path on a host: absolute, clean, without anything that a
// unit file or a shell would take apart.
func (r reader) absolute(name, fallback string) string {
	s, ok := r.word(name)
	if !ok {
		return fallback
	}
	if why := badHostPath(s); why != "" {
		r.fail(name, "Invalid directory", "%s of %s is %s, which %s. Write an absolute path such as %s.", name, r.where, quote(s), why, fallback)
		return fallback
	}
	return s
}

func badHostPath(s string) string {
	switch {
	case !strings.HasPrefix(s, "/"):
		return "is not absolute"
	case s == "/":
		return "is the root directory"
	case strings.HasSuffix(s, "/"), strings.Contains(s, "//"), strings.Contains(s+"/", "/./"), strings.Contains(s+"/", "/../"):
		return "is not in its shortest form"
	case strings.ContainsFunc(s, func(c rune) bool {
		return !unicode.IsLetter(c) && !unicode.IsDigit(c) && !strings.ContainsRune("/._-+@", c)
	}):
		return "has characters that systemd, containerd or a shell would not take literally"
	}
	return ""
}

// badText names what keeps a string from standing in a unit, a flag or a path.
func badText(s string) string {
	if !utf8.ValidString(s) {
		return "bytes that are not UTF-8"
	}
	for _, c := range s {
		switch {
		case c == 0:
			return "a NUL character"
		case c == '\n' || c == '\r' || c == '\u2028' || c == '\u2029' || c == '\u0085':
			return "a line break"
		case unicode.IsControl(c):
			return fmt.Sprintf("the control character U+%04X", c)
		}
	}
	return ""
}

// entryRanges maps the keys of an object expression to their places; it is empty
// for any other expression.
func entryRanges(expr hcl.Expression, ctx *hcl.EvalContext) map[string]hcl.Range {
	out := map[string]hcl.Range{}
	for _, e := range objectEntries(expr, ctx) {
		out[e.key] = e.rng
	}
	return out
}

type objectEntry struct {
	key   string
	rng   hcl.Range // key and value
	value hcl.Expression
}

// objectEntries takes an object expression apart without evaluating its values.
func objectEntries(expr hcl.Expression, ctx *hcl.EvalContext) []objectEntry {
	pairs, diags := hcl.ExprMap(expr)
	if diags.HasErrors() {
		return nil
	}
	var out []objectEntry
	for _, p := range pairs {
		k, diags := p.Key.Value(ctx)
		if k, err := convert.Convert(k, cty.String); err == nil && !diags.HasErrors() && k.IsKnown() && !k.IsNull() && !k.IsMarked() {
			out = append(out, objectEntry{k.AsString(), hcl.RangeBetween(p.Key.Range(), p.Value.Range()), p.Value})
		}
	}
	return out
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
