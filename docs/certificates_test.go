package docs_test

import (
	"fmt"
	"strings"
	"testing"

	"hardway/certs"
)

const certificatesPage = "docs/explanation/certificates.md"

// TestCertificates wants a row for every authority and leaf of the catalogue,
// with its common name and groups.
func TestCertificates(t *testing.T) {
	text := read(t, certificatesPage)
	for _, a := range certs.Authorities() {
		if want := fmt.Sprintf("| `%s` | `%s` |", a.Name, a.CN); !strings.Contains(text, want) {
			t.Errorf("%s: no row that begins with %s", certificatesPage, want)
		}
	}
	for _, r := range certs.Catalogue() {
		cn := "`" + strings.ReplaceAll(r.CN, "{host}", "HOST") + "`"
		if r.CN == "{host}" {
			cn = "the host"
		}
		groups := ""
		if len(r.O) > 0 {
			groups = "`" + strings.Join(r.O, "`, `") + "` "
		}
		if want := fmt.Sprintf("| `%s` | %s | %s|", r.Name, cn, groups); !strings.Contains(text, want) {
			t.Errorf("%s: no row that begins with %s", certificatesPage, want)
		}
	}
	for _, k := range certs.KeyPairs() {
		if !strings.Contains(text, "`"+k.Name+"` is a bare key pair") {
			t.Errorf("%s does not speak of the key pair %s", certificatesPage, k.Name)
		}
	}
}
