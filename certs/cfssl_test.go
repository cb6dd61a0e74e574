package certs

import (
	"bytes"
	"flag"
	"os"
	"os/exec"
	"strings"
	"testing"

	cflog "github.com/cloudflare/cfssl/log"
)

const quietEnv = "CERTS_TEST_QUIET_CHILD"

// TestCfsslIsQuiet runs this test binary again, issues a chain there, and wants
// an empty stderr. A second child with cfssl's own log level shows that the
// test would notice.
func TestCfsslIsQuiet(t *testing.T) {
	if level := os.Getenv(quietEnv); level != "" {
		if level == "loud" {
			cflog.Level = cflog.LevelInfo
		}
		a := testAuthority(t, AuthorityKubernetes)
		if _, err := Issue(a, testRequest(t, LeafAPIServer), testNow); err != nil {
			t.Fatal(err)
		}
		if _, err := NewKeyPair("nonsense"); err == nil {
			t.Fatal("no error")
		}
		return
	}
	run := func(level string) string {
		cmd := exec.Command(os.Args[0], "-test.run=^TestCfsslIsQuiet$")
		cmd.Env = append(os.Environ(), quietEnv+"="+level)
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		if out, err := cmd.Output(); err != nil {
			t.Fatalf("%v\n%s%s", err, out, stderr.String())
		}
		return stderr.String()
	}
	if got := run("quiet"); got != "" {
		t.Errorf("stderr: %q", got)
	}
	if got := run("loud"); !strings.Contains(got, "signed certificate") {
		t.Errorf("with cfssl's own level stderr should speak, but: %q", got)
	}
}

// TestNoForeignFlags: a library that registers command-line flags would show
// them to whoever parses the standard flag set.
func TestNoForeignFlags(t *testing.T) {
	flag.VisitAll(func(f *flag.Flag) {
		if !strings.HasPrefix(f.Name, "test.") && f.Name != "update" {
			t.Errorf("flag -%s was registered by an import", f.Name)
		}
	})
}
