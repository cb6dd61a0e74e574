// Package templates renders the files of a host that have no Go type of their
// own to be built from: containerd's configuration, the CNI network, the audit
// policy, and the small files of the system.
//
// It knows formats and their traps, and nothing else: what stands in the files
// is given by the caller. Every function is pure, and the same input gives the
// same bytes. A value that the format could not carry unchanged is an error.
package templates

import (
	"embed"
	"fmt"
	"strings"
	"text/template"
	"unicode"
)

// Header is the first line of every file that this package renders and that
// knows comments.
const Header = "# Managed by hardway; edits are shown by `hardway plan` and replaced by `hardway apply`."

//go:embed files
var files embed.FS

// render fills files/name.tmpl. A key that is not there is an error, never an
// empty word in a file on a host.
func render(name string, data any) (string, error) {
	t, err := template.New(name+".tmpl").Option("missingkey=error").
		Funcs(template.FuncMap{"header": func() string { return Header }}).
		ParseFS(files, "files/"+name+".tmpl")
	if err != nil {
		return "", fmt.Errorf("rendering %s: %w", name, err)
	}
	var out strings.Builder
	if err := t.Execute(&out, data); err != nil {
		return "", fmt.Errorf("rendering %s: %w", name, err)
	}
	return out.String(), nil
}

// word returns an error unless s is one word of printable characters.
func word(what, s string) error {
	if s == "" {
		return fmt.Errorf("the %s is empty", what)
	}
	for _, r := range s {
		if unicode.IsSpace(r) || !unicode.IsPrint(r) || r == '#' {
			return fmt.Errorf("the %s %q contains %q", what, s, r)
		}
	}
	return nil
}
