package config

import (
	"os"
	"path/filepath"
	"testing"
)

func TestDigest(t *testing.T) {
	base := map[string]string{"main.hcl": "variable \"pw\" {\n  sensitive = true\n  default   = \"a\"\n}\noutput \"pw\" {\n  sensitive = true\n  value     = var.pw\n}\n"}
	change := func(name, text string) map[string]string {
		out := map[string]string{name: text}
		for k, v := range base {
			if _, ok := out[k]; !ok {
				out[k] = v
			}
		}
		return out
	}
	want := mustLoad(t, base, Options{}).Digest

	same := map[string]map[string]string{
		"elsewhere":          base,
		"another layout":     change("base_hosts.hcl", "# moved\n\n\nmaster \"m1\" { address = join(\".\", [192, 168, 10, 21]) }\n"),
		"a default written":  change("more.hcl", "host { swap = \"off\" }\nnetwork \"bridge\" {}\n"),
		"another secret":     change("hardway.hclvars", "pw = \"b\"\n"),
		"an unused variable": change("more.hcl", "variable \"x\" {\n  default = 1\n}\n"),
	}
	for name, files := range same {
		if got := mustLoad(t, files, Options{}).Digest; got != want {
			t.Errorf("%s: the digest changed", name)
		}
	}
	seen := map[string]string{want: "base"}
	for name, text := range map[string]string{
		"address":      "",
		"flag":         "kubelet { flags = { v = 1 } }",
		"other flag":   "kubelet { flags = { v = 2 } }",
		"config":       "kubelet { config = { v = 1 } }",
		"config text":  "kubelet { config = { v = \"1\" } }",
		"config list":  "kubelet { config = { v = [1] } }",
		"scheduler":    "scheduler { flags = { v = 1 } }",
		"pki":          "pki { csr_signing = false }",
		"renew":        "pki { renew_before = \"700h\" }",
		"output":       "output \"x\" {\n  value = 1\n}",
		"output value": "output \"x\" {\n  value = 2\n}",
		"port":         "api \"external\" { port = 7443 }",
	} {
		files := change("more.hcl", text+"\n")
		if name == "address" {
			files = change("base_hosts.hcl", "master \"m1\" {\n  address = \"192.168.10.22\"\n}\n")
		}
		got := mustLoad(t, files, Options{}).Digest
		if other, ok := seen[got]; ok {
			t.Errorf("%s has the digest of %s", name, other)
		}
		seen[got] = name
	}
}

// TestDigestIgnoresPlace: the same directory, reached by another path.
func TestDigestIgnoresPlace(t *testing.T) {
	dir := writeFiles(t, baseFiles())
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	a, _, _ := Load(Options{Dir: dir})
	b, _, _ := Load(Options{Dir: link})
	if a == nil || b == nil || a.Digest != b.Digest {
		t.Error("the digest depends on where the directory is")
	}
}
