package config

import (
	"strings"
	"testing"
)

const aCluster = `cluster "a" {
  kubernetes_version = "1.37.1"
  pod_cidr           = "10.244.0.0/16"
  service_cidr       = "10.96.0.0/16"
}
ssh {
  user        = "root"
  private_key = "id"
  known_hosts = "known_hosts"
}
master "m" { address = "10.0.0.1" }
`

// TestMachineMistakes: what cannot be meant in the host and binaries blocks is
// said at its place, with what can.
func TestMachineMistakes(t *testing.T) {
	for text, want := range map[string]string{
		`host { preflight = { memroy = "warn" } }`:                          `Did you mean "memory"?`,
		`host { preflight = { memory = "warning" } }`:                       `Did you mean "warn"?`,
		`host { packages = "apt" }`:                                         `it can be "check" or "install"`,
		`host { extra_packages = ["nfs-common"] }`:                          `needs packages = "install" beside it`,
		`host { remove_packages = true }`:                                   `needs packages = "install" beside it`,
		"host {\n  packages = \"install\"\n  extra_packages = [\"-o\"]\n}":  `"-o" is not the name of a package`,
		"host {\n  packages = \"install\"\n  extra_packages = [\"a b\"]\n}": `"a b" is not the name of a package`,
		`host { firewall = "close" }`:                                       `it can be "ignore", "open" or "disable"`,
		`host { selinux = "disabled" }`:                                     `it can be "ignore", "permissive" or "enforcing"`,
		`binaries { proxy = "http://u:secret@proxy:3128" }`:                 "Put the whole address into the environment",
		`binaries { proxy = "proxy:3128" }`:                                 "is not the address of a proxy",
		`binaries { mirrors = ["http://mirror.example.com"] }`:              "is not https",
		`binaries { mirror = "https://mirror.example.com" }`:                "Write mirrors",
	} {
		t.Run(text, func(t *testing.T) {
			_, _, diags := loadFiles(t, map[string]string{"cluster.hcl": aCluster + text, "id": "", "known_hosts": ""}, Options{})
			if len(diags) != 1 || !strings.Contains(diags[0].Detail, want) {
				t.Fatalf("%v, want %q", diags, want)
			}
			if diags[0].Subject == nil || diags[0].Subject.Start.Line < 12 || strings.Contains(diags[0].Detail, "secret") {
				t.Errorf("%v", diags)
			}
		})
	}
}
