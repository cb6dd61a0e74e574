package certs

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"

	"github.com/cloudflare/cfssl/config"
)

func TestCatalogueGolden(t *testing.T) {
	var b bytes.Buffer
	w := tabwriter.NewWriter(&b, 0, 8, 2, ' ', 0)
	line := func(cells ...string) { fmt.Fprintln(w, strings.Join(cells, "\t")) }
	line("AUTHORITY", "CN", "FILE", "USED BY")
	for _, a := range Authorities() {
		line(a.Name, a.CN, a.File, a.UsedBy)
	}
	line("")
	line("KEY PAIR", "FILE", "USED BY")
	for _, k := range KeyPairs() {
		line(k.Name, k.File, k.UsedBy)
	}
	line("")
	line("LEAF", "AUTHORITY", "SCOPE", "CN", "O", "USAGES", "SANS", "FILE", "KUBECONFIG", "USED BY")
	for _, r := range Catalogue() {
		var sources []string
		for _, s := range r.SANs {
			sources = append(sources, string(s))
		}
		line(r.Name, r.Authority, string(r.Scope), r.CN, dash(r.O), dash(r.Usages), dash(sources), r.File, dash([]string{r.Kubeconfig}), r.UsedBy)
	}
	w.Flush()
	golden(t, "catalogue.txt", b.Bytes())
}

// TestRequestsGolden shows what each row becomes on a host.
func TestRequestsGolden(t *testing.T) {
	var b bytes.Buffer
	for _, row := range Catalogue() {
		r := testRequest(t, row.Name)
		fmt.Fprintf(&b, "%s\n  authority  %s\n  subject    CN=%s O=%s\n  usages     %s\n  dns        %s\n  ips        %s\n  key        %s, %s\n",
			r.Name, r.Authority, r.Subject.CN, dash(r.Subject.O), dash(r.Usages), dash(r.DNS), dash(r.IPs), r.Algorithm, r.Validity)
	}
	golden(t, "requests.txt", b.Bytes())
}

func dash(list []string) string {
	if s := strings.Join(list, ", "); s != "" {
		return s
	}
	return "-"
}

func TestCatalogueIsSound(t *testing.T) {
	var names, files, kubeconfigs []string
	for _, a := range Authorities() {
		names, files = append(names, a.Name), append(files, a.File)
	}
	for _, r := range Catalogue() {
		if _, ok := LookupAuthority(r.Authority); !ok {
			t.Errorf("%s: authority %q is not in the catalogue", r.Name, r.Authority)
		}
		if got, ok := Lookup(r.Name); !ok || got.File != r.File {
			t.Errorf("Lookup(%q) = %v, %v", r.Name, got, ok)
		}
		if slices.Contains(r.Usages, UsageServerAuth) != (len(r.SANs) > 0) {
			t.Errorf("%s: usages %q with names %q: servers need names, clients have none", r.Name, r.Usages, r.SANs)
		}
		if r.UsedBy == "" || r.Scope == "" {
			t.Errorf("%s: incomplete row", r.Name)
		}
		names, files = append(names, r.Name), append(files, r.File)
		if r.Kubeconfig != "" {
			kubeconfigs = append(kubeconfigs, r.Kubeconfig)
		}
	}
	for _, list := range [][]string{names, files, kubeconfigs} {
		if len(sortedSet(list)) != len(list) {
			t.Errorf("repeats in %q", list)
		}
	}
	if _, ok := Lookup("nothing"); ok {
		t.Error("Lookup found what is not there")
	}
	if _, ok := LookupAuthority("nothing"); ok {
		t.Error("LookupAuthority found what is not there")
	}
}

// TestCfsslKnowsUsages: cfssl drops a usage that it does not know without a
// word, so every string given to it must be in its tables.
func TestCfsslKnowsUsages(t *testing.T) {
	usages := append(authorityUsages(), UsageServerAuth, UsageClientAuth)
	for _, r := range Catalogue() {
		usages = append(usages, r.Usages...)
	}
	for _, u := range usages {
		_, key := config.KeyUsage[u]
		_, ext := config.ExtKeyUsage[u]
		if !key && !ext {
			t.Errorf("cfssl does not know the usage %q", u)
		}
	}
}
