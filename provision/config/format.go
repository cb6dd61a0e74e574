package config

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
)

// FormatSource returns a file in canonical form. Text that does not parse is not
// touched: the diagnostics say why. The name is used in them only.
func FormatSource(filename string, src []byte) ([]byte, hcl.Diagnostics) {
	if diags := prescan(filename, src, false); diags.HasErrors() {
		return nil, diags
	}
	if _, diags := hclsyntax.ParseConfig(src, filename, hcl.InitialPos); diags.HasErrors() {
		return nil, diags
	}
	return hclwrite.Format(src), nil
}

// NewFiles returns one file as Files, so that the diagnostics of FormatSource can
// be written with its text.
func NewFiles(filename string, src []byte) *Files {
	f := &Files{}
	f.put(filename, src, nil)
	return f
}
