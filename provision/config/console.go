package config

import (
	"path/filepath"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/typeexpr"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"hardway/provision/addr"
)

// consoleName stands for the typed line in diagnostics.
const consoleName = "<console>"

// Evaluator evaluates single expressions against a configuration: what
// `hardway console` asks. It is not safe for concurrent use.
type Evaluator struct{ l *loader }

// NewEvaluator loads a configuration as Load does and keeps what expressions
// refer to. It is nil when a diagnostic is an error.
func NewEvaluator(opts Options) (*Evaluator, *Files, hcl.Diagnostics) {
	l := newLoader(opts)
	l.load()
	diags := l.diags.sorted()
	if l.diags.errors {
		return nil, l.files, diags
	}
	return &Evaluator{l}, l.files, diags
}

// Evaluate evaluates one expression. What is sensitive in the value carries
// marks; a value that is shown must be looked through for them. The files are
// what the diagnostics quote. type(EXPRESSION) gives the name of a type, which
// there is no use for in a configuration.
func (e *Evaluator) Evaluate(text string) (cty.Value, *Files, hcl.Diagnostics) {
	l := e.l
	l.diags, *l.meter = collector{}, meter{} // each line has the whole budget
	l.files.put(consoleName, []byte(text), nil)
	v := e.evaluate(text)
	if l.meter.spent {
		l.diags.add(tooExpensive(l.meter.place))
	}
	return v, l.files, l.diags.sorted()
}

func (e *Evaluator) evaluate(text string) cty.Value {
	l := e.l
	if diags := prescan(consoleName, []byte(text), false); diags.HasErrors() {
		l.diags.add(diags...)
		return cty.DynamicVal
	}
	expr, diags := hclsyntax.ParseExpression([]byte(text), consoleName, hcl.InitialPos)
	if l.diags.add(diags...); diags.HasErrors() {
		return cty.DynamicVal
	}
	l.files.maskSensitiveCalls(expr)
	call, typeOf := expr.(*hclsyntax.FunctionCallExpr)
	if typeOf = typeOf && call.Name == "type" && len(call.Args) == 1; typeOf {
		expr = call.Args[0]
	}
	l.meter.install(expr)
	v, _ := l.scope.eval(expr, nil)
	if typeOf && !l.diags.errors {
		return cty.StringVal(typeexpr.TypeString(v.Type()))
	}
	return v
}

// Line is what a line is for somebody who reads expressions line by line.
type Line int

// The kinds of lines.
const (
	WholeLine Line = iota // an expression, right or wrong
	BlankLine             // nothing but space and comments
	OpenLine              // a bracket or a heredoc is open: the next line belongs to it
)

// LineOf looks at the lines typed so far, without evaluating them.
func LineOf(text string) Line {
	if len(text) > maxFileSize {
		return WholeLine // and the evaluator refuses it
	}
	tokens, _ := hclsyntax.LexConfig([]byte(text), consoleName, hcl.InitialPos)
	kind, depth := BlankLine, 0
	for _, t := range tokens {
		switch t.Type {
		case hclsyntax.TokenEOF, hclsyntax.TokenNewline, hclsyntax.TokenComment:
			continue
		case hclsyntax.TokenOBrace, hclsyntax.TokenOBrack, hclsyntax.TokenOParen, hclsyntax.TokenOHeredoc:
			depth++
		case hclsyntax.TokenCBrace, hclsyntax.TokenCBrack, hclsyntax.TokenCParen, hclsyntax.TokenCHeredoc:
			depth--
		}
		kind = WholeLine
	}
	if depth > 0 {
		return OpenLine
	}
	return kind
}

// Names are the names that an expression can begin with, sorted: functions with
// their bracket, and every variable, local value and attribute of the cluster.
func (e *Evaluator) Names() []string {
	names := map[string]bool{"path.module": true}
	for _, group := range []struct {
		root  string
		names []string
	}{
		{"var.", sortedKeys(e.l.decl.variables)}, {"local.", sortedKeys(e.l.decl.locals)}, {"cluster.", clusterNames()},
	} {
		for _, n := range group.names {
			names[group.root+n] = true
		}
	}
	for n := range e.l.functions {
		names[n+"("] = true
	}
	for _, h := range e.l.hosts {
		names[addr.Host{Role: h.role, Name: h.name}.String()] = true
	}
	return sortedKeys(names)
}

// VariableNames lists the variables that a configuration declares, sorted, also
// when it does not load: a variable without a value is the commonest reason.
func VariableNames(opts Options) []string {
	l := newLoader(opts)
	sources, _, err := configFiles(opts.Dir)
	if err != nil || len(sources) > maxFiles {
		return nil
	}
	names := map[string]bool{}
	for _, name := range sources {
		body := l.parse(filepath.Join(opts.Dir, name), l.shown(name))
		if body == nil {
			continue
		}
		for _, b := range body.Blocks {
			if b.Type == "variable" && len(b.Labels) == 1 {
				names[b.Labels[0]] = true
			}
		}
	}
	return sortedKeys(names)
}
