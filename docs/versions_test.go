package docs_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"hardway/units"
	"hardway/versions"
)

const versionsHead = `# Versions

This page is made from the tables of the program by ` + "`go test ./docs -update`" + `; a test compares the two.

` + "`kubernetes_version`" + ` may be any patch of the minors below. *supported*: maintained upstream, and what hardway is tested with.
*ended*: upstream has stopped; ` + "`validate` and `plan`" + ` say so. *untested*: rendered and planned from tables that were read out of the
source of the minor, with a warning, since no cluster of it was run by a test. Older and newer ones are refused.

What is not written in the configuration follows from the minor:

| Kubernetes | support | newest patch | etcd | oldest etcd | containerd | runc | CNI plugins | pause |
|---|---|---|---|---|---|---|---|---|
`

const changesHead = `
## What changed

Flags by component; ` + "`+`" + ` came, ` + "`-`" + ` went. Deprecations, feature gates, admission plugins and config fields are in the tables
` + "`units/flags` and `units/tables`" + ` of the source; ` + "`validate`" + ` judges what a configuration uses of them.

Where a minor lacks what hardway writes for newer ones, it writes what that minor has:

| what | versions | instead |
|---|---|---|
| insecure ports of kube-apiserver, kube-controller-manager, kube-scheduler | up to 1.23 | closed: ` + "`--insecure-port=0`, `--port=0`" + ` |
| ` + "`containerRuntimeEndpoint`" + ` of the kubelet's config | up to 1.26 | ` + "`--container-runtime=remote --container-runtime-endpoint=…`" + ` |
| ` + "`registerWithTaints`" + ` of the kubelet's config | up to 1.22 | ` + "`--register-with-taints`" + ` |
| the pinned sandbox image | up to 1.34 | ` + "`--pod-infra-container-image`" + ` too, so that the kubelet does not collect it |
| containerd 2, which speaks CRI v1 only | up to 1.25 | containerd 1.7 by default |
| ` + "`detectLocal`" + ` of kube-proxy's config | up to 1.23 | ` + "`clusterCIDR`" + ` |
| names of the ChaCha20 cipher suites | up to 1.18 | without ` + "`_SHA256`" + ` |
`

// TestVersions compares reference/versions.md with the tables.
func TestVersions(t *testing.T) {
	var b strings.Builder
	b.WriteString(versionsHead)
	all := versions.All()
	for i := len(all) - 1; i >= 0; i-- {
		m := all[i]
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s | %s | %s | %s |\n", m.Name, m.Support, m.Newest, m.Etcd, m.OldestEtcd, m.Containerd, m.Runc, m.CNIPlugins, m.Pause)
	}
	b.WriteString(changesHead)
	for i := len(all) - 1; i > 0; i-- {
		b.WriteString(changesOf(all[i].Name))
	}
	path := filepath.Join("reference", "versions.md")
	if *update {
		if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got := read(t, filepath.Join("docs", path)); got != b.String() {
		t.Errorf("docs/%s is not what the tables say; run go test ./docs -update and read the diff", path)
	}
}

// changesOf lists the flags that came and went with a minor.
func changesOf(minor string) string {
	text := ""
	for _, component := range []string{
		units.ComponentAPIServer, units.ComponentControllerManager, units.ComponentScheduler, units.ComponentKubelet, units.ComponentKubeProxy,
	} {
		var words []string
		for _, flag := range units.Flags(component) {
			if flag.Since == minor {
				words = append(words, "+`"+flag.Name+"`")
			}
		}
		for _, flag := range units.Flags(component) {
			if flag.Removed == minor {
				word := "-`" + flag.Name + "`"
				if flag.Replacement != "" {
					word += " (use `" + flag.Replacement + "`)"
				}
				words = append(words, word)
			}
		}
		if len(words) > 0 {
			text += "- " + component + ": " + strings.Join(words, ", ") + "\n"
		}
	}
	if text == "" {
		return ""
	}
	return "\n### " + minor + "\n\n" + text
}

// TestEveryMinorIsCompiled compiles a cluster of every minor into its resources,
// with nothing but the version chosen.
func TestEveryMinorIsCompiled(t *testing.T) {
	for _, m := range versions.All() {
		t.Run(m.Name, func(t *testing.T) {
			set := resources(t, fmt.Sprintf("cluster \"docs\" {\n  kubernetes_version = %q\n  pod_cidr           = \"10.244.0.0/16\"\n  service_cidr       = \"10.96.0.0/16\"\n}\n%s", m.Newest, defaults))
			if len(set.All()) < 20 {
				t.Errorf("only %d resources", len(set.All()))
			}
		})
	}
}
