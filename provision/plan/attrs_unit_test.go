package plan

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestSecretFlags: what may be a credential is known by its name, and what only
// sounds like one is shown.
func TestSecretFlags(t *testing.T) {
	for flag, want := range map[string]bool{
		"token=abcdef.0123456789abcdef":               true,
		"bootstrap-token=abc":                         true,
		"TOKEN=abc":                                   true,
		"discovery-token=abc":                         true,
		"oidc-client-secret=abc":                      true,
		"storage-driver-password=root":                true,
		"api-key=abc":                                 true,
		"etcd-servers=https://root:canary@10.0.0.1":   true,
		"token-auth-file=/etc/tokens.csv":             false,
		"initial-cluster-token=prod":                  false,
		"auth-token=jwt,pub-key=/k":                   false,
		"enable-bootstrap-token-auth=true":            false,
		"use-service-account-credentials=true":        false,
		"concurrent-serviceaccount-token-syncs=5":     false,
		"authentication-token-webhook-version=v1":     false,
		"image-credential-provider-bin-dir=/opt/cred": false,
		"image-credential-provider-config=/etc/c":     false,
		"auth-token-ttl=300":                          false,
		"etcd-servers=https://[::1]:2379,https://b":   false,
		"v=2": false,
	} {
		name, v, _ := strings.Cut(flag, "=")
		if got := secretFlag(name, v); got != want {
			t.Errorf("--%s is secret: %v, want %v", flag, got, want)
		}
		if got := secretUnit("[Service]\nExecStart=/bin/x --a=1 \"--" + flag + "\"\n"); got != want {
			t.Errorf("a unit with --%s is secret: %v, want %v", flag, got, want)
		}
	}
	for text, want := range map[string]bool{
		"ExecStartPre=/bin/login --password canary":            true,
		"ExecStartPre=/bin/login --a --token 'canary'":         true,
		"Environment=\"DB_PASSWORD=canary\"":                   true,
		"Environment=A=1 \\\n  AWS_SECRET_ACCESS_KEY=canary":   true,
		"Environment=GITHUB_TOKEN=canary":                      true,
		"Environment=HTTPS_PROXY=http://me:canary@proxy:3128/": true,
		"# -----BEGIN EC PRIVATE KEY-----":                     true,
		"Environment=PATH=/usr/local/bin:/usr/bin":             false,
		"Environment=HARDWAY_INPUTS=0123":                      false,
		"# a word about the token and the password":            false,
		"ExecStartPre=/bin/login --token":                      false,
	} {
		if got := secretUnit("[Service]\n" + text + "\n"); got != want {
			t.Errorf("%q is secret: %v, want %v", text, got, want)
		}
	}
}

// TestOurUnitsAreShown: every unit that hardway writes is taken apart into flags;
// none is taken for a secret.
func TestOurUnitsAreShown(t *testing.T) {
	flags := 0
	for _, name := range []string{"lab", "three"} {
		for _, r := range newWorld(t, example(t, name)).want().Set.All() {
			if r.Spec.Unit == nil {
				continue
			}
			u := readUnit(r.Spec.Unit.Content)
			if u.flags == nil {
				t.Errorf("%s: flags %v", r.Addr, u.flags)
			}
			if u.inputs != r.Spec.Unit.Inputs || u.options == nil {
				t.Errorf("%s: inputs %q, want %q", r.Addr, u.inputs, r.Spec.Unit.Inputs)
			}
			for name, v := range u.attrs() {
				if v.Sensitive || u.flags != nil && strings.Contains(v.Text, u.inputs) {
					t.Errorf("%s: %s is %+v", r.Addr, name, v)
				}
				if name == "unit" && u.flags != nil && strings.Contains(v.Text, "ExecStart=") {
					t.Errorf("%s: the command line stands in the rest too:\n%s", r.Addr, v.Text)
				}
			}
			flags += len(u.flags)
		}
	}
	if flags < 200 {
		t.Errorf("only %d flags", flags)
	}
}

// TestSameSettings: a unit whose flags stand in another order, with other
// comments and white space, is the same; one with any other setting is not.
func TestSameSettings(t *testing.T) {
	for _, r := range newWorld(t, example(t, "lab")).want().Set.All() {
		if r.Spec.Unit == nil {
			continue
		}
		text := r.Spec.Unit.Content
		lines := strings.Split(text, " \\\n")
		if len(lines) > 3 {
			middle := lines[1 : len(lines)-1]
			slices.Reverse(middle)
		}
		turned := "; mine\n" + strings.ReplaceAll(strings.Join(lines, " \\\n\t"), "[Service]", "\n [Service] \n")
		if turned == text || !sameSettings(readUnit(text), readUnit(turned)) {
			t.Errorf("%s: not the same:\n%s", r.Addr, turned)
		}
		for _, other := range []string{strings.Replace(text, "[Install]", "RestartSec=99\n[Install]", 1), strings.Replace(text, "ExecStart=", "ExecStart=-", 1), text + "WantedBy=x.target\n"} {
			if sameSettings(readUnit(text), readUnit(other)) {
				t.Errorf("%s: the same:\n%s", r.Addr, other)
			}
		}
	}
	if sameSettings(readUnit("hello"), readUnit("hello")) {
		t.Error("what is no unit file has the same settings")
	}
}

// FuzzReadUnit: whatever stands in a unit file, it is taken apart without a
// panic, a comment changes nothing, and what is shown is text or a digest.
func FuzzReadUnit(f *testing.F) {
	for _, text := range []string{"", "[Service]\nExecStart=/bin/x --a=1 --token=c \\\n# y\n --b\n", "[Service]\nExecStart=/bin/x 1 --a 2\nExecStart=\n", "[Service]\nExecStart=/x \\"} {
		f.Add(text)
	}
	f.Add(string(readFile(f, filepath.Join("..", "desired", "testdata", "lab.hcl"))))
	f.Fuzz(func(t *testing.T, text string) {
		u := readUnit(text)
		if u.options != nil && !sameSettings(u, readUnit(text+"\n# x\n")) && !strings.HasSuffix(text, `\`) {
			t.Fatalf("a comment at the end of %q changes what it means", text)
		}
		was, is := compareTexts(u, readUnit("[Service]\nExecStart=/bin/x --a=1\n"))
		for _, attrs := range []Attrs{was, is, u.attrs()} {
			for name, v := range attrs {
				if v.Unknown || v.Sensitive && v.Text != "" && !strings.HasPrefix(v.Text, "sha256:") {
					t.Fatalf("%s: %+v", name, v)
				}
			}
		}
		if rest := withoutExec(text); len(rest) > len(text) {
			t.Fatal("leaving out makes it longer")
		}
	})
}
