package config

import (
	"bytes"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// Limits on source text. The HCL parser and evaluator recurse with the input
// (hashicorp/hcl issue 809), and a Go stack overflow ends the process: no
// recover, no message, no state written. So these are checked on the token
// stream, which the HCL lexer makes without recursion, before anything parses.
const (
	maxFileSize = 1 << 20
	maxNesting  = 100
	// maxChain bounds the operators, indexes and attribute steps in a row that
	// one expression may have outside of brackets: each is one more level of
	// the syntax tree, and so of the evaluator's stack.
	maxChain = 500
	// maxNumber and maxExponent bound a number literal: 1e999999999 is ten
	// bytes of source and a gigabyte when it becomes a string.
	maxNumber   = 100
	maxExponent = 3
)

// prescan reports what must not reach the parser. It errs on the safe side: in
// text that would not parse anyway it may count too much, never too little.
func prescan(filename string, src []byte, template bool) hcl.Diagnostics {
	if len(src) > maxFileSize {
		return hcl.Diagnostics{errorAt(hcl.Range{Filename: filename, Start: hcl.InitialPos, End: hcl.InitialPos}, "File too large",
			"%s has %d bytes; a configuration file may have %d. Split it into several files, or read bulk data with file().",
			filename, len(src), maxFileSize)}
	}
	var tokens hclsyntax.Tokens // lexing errors come up again, better told, in the parser
	if template {
		tokens, _ = hclsyntax.LexTemplate(src, filename, hcl.InitialPos)
	} else {
		tokens, _ = hclsyntax.LexConfig(src, filename, hcl.InitialPos)
	}
	s := scan{frames: []frame{{lines: true}}}
	for i := range tokens {
		if d := s.token(tokens, i); d != nil {
			return hcl.Diagnostics{d}
		}
	}
	return nil
}

// frame is one open bracket, quote, or template directive.
type frame struct {
	closer hclsyntax.TokenType // 0 for the file itself
	// directive marks an if or for of a template: closed by endif or endfor.
	directive bool
	// lines: a newline ends an expression here (bodies and objects).
	lines bool
	chain int
}

type scan struct {
	frames []frame
	// operator: the last token wants an operand, so a newline ends nothing.
	operator bool
}

func (s *scan) token(tokens hclsyntax.Tokens, i int) *hcl.Diagnostic {
	tok := tokens[i]
	top := &s.frames[len(s.frames)-1]
	wasOperator := s.operator
	s.operator = false
	switch tok.Type {
	case hclsyntax.TokenOBrace:
		// { for … } is an expression over several lines, { a = 1 } is not.
		return s.push(tok, frame{closer: hclsyntax.TokenCBrace, lines: !startsFor(tokens[i+1:])})
	case hclsyntax.TokenOParen:
		return s.push(tok, frame{closer: hclsyntax.TokenCParen})
	case hclsyntax.TokenOBrack:
		// An index is a step of the expression before it.
		if d := top.link(tok); d != nil {
			return d
		}
		return s.push(tok, frame{closer: hclsyntax.TokenCBrack})
	case hclsyntax.TokenOQuote:
		return s.push(tok, frame{closer: hclsyntax.TokenCQuote})
	case hclsyntax.TokenOHeredoc:
		return s.push(tok, frame{closer: hclsyntax.TokenCHeredoc})
	case hclsyntax.TokenTemplateInterp:
		return s.push(tok, frame{closer: hclsyntax.TokenTemplateSeqEnd})
	case hclsyntax.TokenTemplateControl:
		if d := s.directive(tok, tokens[i+1:]); d != nil {
			return d
		}
		return s.push(tok, frame{closer: hclsyntax.TokenTemplateSeqEnd})
	case hclsyntax.TokenCBrace, hclsyntax.TokenCParen, hclsyntax.TokenCBrack,
		hclsyntax.TokenCQuote, hclsyntax.TokenCHeredoc, hclsyntax.TokenTemplateSeqEnd:
		s.pop(tok.Type)
	case hclsyntax.TokenComma:
		top.chain = 0
	case hclsyntax.TokenNewline, hclsyntax.TokenComment:
		if s.operator = wasOperator; top.lines && !wasOperator && bytes.HasSuffix(tok.Bytes, []byte("\n")) {
			top.chain = 0
		}
	case hclsyntax.TokenNumberLit:
		return checkNumberLiteral(tok)
	case hclsyntax.TokenDot, hclsyntax.TokenStar, hclsyntax.TokenSlash, hclsyntax.TokenPercent, hclsyntax.TokenPlus,
		hclsyntax.TokenMinus, hclsyntax.TokenBang, hclsyntax.TokenQuestion, hclsyntax.TokenEqualOp, hclsyntax.TokenNotEqual,
		hclsyntax.TokenLessThan, hclsyntax.TokenLessThanEq, hclsyntax.TokenGreaterThan, hclsyntax.TokenGreaterThanEq,
		hclsyntax.TokenAnd, hclsyntax.TokenOr:
		s.operator = true
		return top.link(tok)
	}
	return nil
}

// link counts one more operator or step of the expression.
func (f *frame) link(tok hclsyntax.Token) *hcl.Diagnostic {
	if f.chain++; f.chain > maxChain {
		return errorAt(tok.Range, "Expression too long",
			"This expression has more than %d operators in a row. Split it up with locals.", maxChain)
	}
	return nil
}

func (s *scan) push(tok hclsyntax.Token, f frame) *hcl.Diagnostic {
	if len(s.frames) > maxNesting {
		return errorAt(tok.Range, "Nested too deeply",
			"Brackets, blocks and templates may be nested %d levels deep. Split the value up with locals.", maxNesting)
	}
	s.frames = append(s.frames, f)
	return nil
}

// pop closes the innermost frame if this is its closer; directives left open
// inside end with what they stand in. A stray closer closes nothing, so that
// "(]" repeated counts as it would recurse.
func (s *scan) pop(closer hclsyntax.TokenType) {
	for n := len(s.frames) - 1; n > 0; n-- {
		if f := s.frames[n]; f.closer == closer && !f.directive {
			s.frames = s.frames[:n]
			return
		} else if !f.directive {
			return
		}
	}
}

// directive counts the nesting of %{ if } and %{ for }, which no bracket shows.
func (s *scan) directive(tok hclsyntax.Token, rest hclsyntax.Tokens) *hcl.Diagnostic {
	if len(rest) == 0 || rest[0].Type != hclsyntax.TokenIdent {
		return nil
	}
	switch string(rest[0].Bytes) {
	case "if", "for":
		return s.push(tok, frame{directive: true})
	case "endif", "endfor":
		if n := len(s.frames) - 1; s.frames[n].directive {
			s.frames = s.frames[:n]
		}
	}
	return nil
}

func startsFor(rest hclsyntax.Tokens) bool {
	for _, t := range rest {
		switch t.Type {
		case hclsyntax.TokenNewline, hclsyntax.TokenComment:
		case hclsyntax.TokenIdent:
			return string(t.Bytes) == "for"
		default:
			return false
		}
	}
	return false
}

func checkNumberLiteral(tok hclsyntax.Token) *hcl.Diagnostic {
	digits, exponent := tok.Bytes, []byte(nil)
	if i := bytes.IndexAny(digits, "eE"); i >= 0 {
		digits, exponent = digits[:i], bytes.TrimLeft(digits[i+1:], "+-0")
	}
	if len(digits) > maxNumber || len(exponent) > maxExponent {
		return errorAt(tok.Range, "Number too large", "No setting takes a number of this size.")
	}
	return nil
}
