package config

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// declarations are the blocks of all files, sorted by what they declare.
type declarations struct {
	single    map[string]*hclsyntax.Block // blocks that stand once
	hosts     []*hclsyntax.Block          // master and node, in order of file and line
	variables map[string]*variable
	locals    map[string]*hclsyntax.Attribute
	outputs   []*hclsyntax.Block
}

// declare sorts the blocks of all files and refuses what does not belong at the
// top of a file.
func (l *loader) declare(bodies []*hclsyntax.Body) {
	l.decl = declarations{
		single:    map[string]*hclsyntax.Block{},
		variables: map[string]*variable{},
		locals:    map[string]*hclsyntax.Attribute{},
	}
	kinds := topBlocks()
	outputs := map[string]*hclsyntax.Block{}
	for _, body := range bodies {
		for _, a := range sortedAttributes(body) {
			l.diags.add(errorAt(a.NameRange, "Attribute outside of a block",
				"Nothing can be set here. To name a value write locals { %s = … }; to give a variable its value, write this line in hardway.hclvars.", a.Name))
		}
		for _, b := range body.Blocks {
			i := slices.IndexFunc(kinds, func(k topBlock) bool { return k.name == b.Type })
			if i < 0 {
				l.diags.add(unknownBlock(b, kinds))
				continue
			}
			if !l.labelFits(b, kinds[i]) {
				continue
			}
			switch b.Type {
			case "master", "node":
				l.decl.hosts = append(l.decl.hosts, b)
			case "variable":
				l.declareVariable(b)
			case "locals":
				l.declareLocals(b)
			case "output":
				if first := outputs[b.Labels[0]]; first != nil {
					l.diags.add(errorAt(b.DefRange(), "Duplicate output", "The output %q is declared already at %s.", b.Labels[0], at(first.DefRange())))
					continue
				}
				outputs[b.Labels[0]] = b
				l.decl.outputs = append(l.decl.outputs, b)
			default:
				if first := l.decl.single[b.Type]; first != nil {
					l.diags.add(errorAt(b.DefRange(), "Duplicate block",
						"There is a block %q already at %s. Merge the two: a directory is one cluster.", b.Type, at(first.DefRange())))
					continue
				}
				l.decl.single[b.Type] = b
			}
		}
	}
	slices.SortFunc(l.decl.outputs, func(a, b *hclsyntax.Block) int { return cmp.Compare(a.Labels[0], b.Labels[0]) })
}

func unknownBlock(b *hclsyntax.Block, kinds []topBlock) *hcl.Diagnostic {
	if hint := foreignBlocks()[b.Type]; hint != "" {
		return errorAt(b.TypeRange, "Unsupported block", "There is no block %q. %s", b.Type, hint)
	}
	var names []string
	for _, k := range kinds {
		if !k.later {
			names = append(names, k.name)
		}
	}
	hint := didYouMean(b.Type, names)
	if hint == "" {
		hint = " The blocks are " + strings.Join(names, ", ") + "."
	}
	return errorAt(b.TypeRange, "Unsupported block", "There is no block %q.%s", b.Type, hint)
}

// labelFits checks a block's label against what its kind wants.
func (l *loader) labelFits(b *hclsyntax.Block, k topBlock) bool {
	var label string
	var rng = b.TypeRange
	if len(b.Labels) > 0 {
		label, rng = b.Labels[0], b.LabelRanges[0]
	}
	switch {
	case k.later:
		l.diags.add(notYet(b.TypeRange, fmt.Sprintf("The block %q", b.Type)))
	case len(b.Labels) > 1:
		l.diags.add(errorAt(b.LabelRanges[1], "Too many labels", "The block %q has %s.", b.Type, labelCount(k)))
	case label != "" && (slices.Contains(k.soon, label) || k.label == "" && slices.Contains(k.soon, "*")):
		l.diags.add(notYet(rng, fmt.Sprintf("%s %q", b.Type, label)))
	case k.label == "" && len(b.Labels) > 0:
		l.diags.add(errorAt(rng, "Unexpected label", "The block %q has no label. Write %s { … }.", b.Type, b.Type))
	case k.label != "" && len(b.Labels) == 0:
		example := "…"
		if len(k.kinds) > 0 {
			example = k.kinds[0]
		}
		l.diags.add(errorAt(rng, "Missing label", "The block %q has a label, its %s. Write %s %q { … }.", b.Type, k.label, b.Type, example))
	case len(k.kinds) > 0 && !slices.Contains(k.kinds, label):
		l.diags.add(errorAt(rng, "Unknown "+b.Type, "There is no %s %s; this version has %s.%s",
			b.Type, quote(label), enumerate(k.kinds, "and"), didYouMean(label, k.kinds)))
	default:
		return true
	}
	return false
}

func labelCount(k topBlock) string {
	if k.label == "" {
		return "no label"
	}
	return "one label, its " + k.label
}

// blockTitle is how a message names a block: node "n1", etcd.
func blockTitle(b *hclsyntax.Block) string {
	s := b.Type
	for _, label := range b.Labels {
		s += " " + strconv.Quote(label)
	}
	return s
}

func (l *loader) declareLocals(b *hclsyntax.Block) {
	for _, child := range b.Body.Blocks {
		l.diags.add(errorAt(child.TypeRange, "Block in locals", "A locals block holds names and values only. Write %s = { … }.", child.Type))
	}
	for _, a := range sortedAttributes(b.Body) {
		if first := l.decl.locals[a.Name]; first != nil {
			l.diags.add(errorAt(a.NameRange, "Duplicate local value", "local.%s is declared already at %s.", a.Name, at(first.NameRange)))
			continue
		}
		l.decl.locals[a.Name] = a
	}
}

// sortedAttributes lists attributes in the order they are written.
func sortedAttributes(body *hclsyntax.Body) []*hclsyntax.Attribute {
	out := make([]*hclsyntax.Attribute, 0, len(body.Attributes))
	for _, a := range body.Attributes {
		out = append(out, a)
	}
	slices.SortFunc(out, func(a, b *hclsyntax.Attribute) int { return cmp.Compare(a.SrcRange.Start.Byte, b.SrcRange.Start.Byte) })
	return out
}
