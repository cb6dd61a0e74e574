package sshconfig

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// readers are both ways to read a file: ssh itself, if it is there, and the parser.
func readers(t *testing.T, text string) map[string]Reader {
	t.Helper()
	file := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	env := map[string]string{"WORK": "/work dir", "AGENT": "/run/agent"}
	r := Reader{File: file, Home: "/home/me", User: "me", Getenv: func(name string) string { return env[name] }}
	out := map[string]Reader{"parser": r}
	if r.SSH, _ = exec.LookPath("ssh"); r.SSH != "" {
		out["ssh -G"] = r
	} else {
		t.Log("without OpenSSH's client only the parser is tested")
	}
	return out
}

func TestLookup(t *testing.T) {
	text := `
Host m1
  HostName 10.0.0.1
  User bob
  Port 2222
  IdentityFile ~/.ssh/%r_key
  IdentityFile /keys/%h
  IdentitiesOnly yes
  CertificateFile ~/.ssh/bob-cert.pub
  ProxyJump ops@jump1:2200,jump2
  UserKnownHostsFile /k1 /k2
  GlobalKnownHostsFile /g
  HostKeyAlias first
  IdentityAgent /run/agent1
  ConnectTimeout 7
Host short
  HostName %h.example.com
Host v6
  ProxyJump [fd00::1]:22
Host agentless
  IdentityAgent none
Host *
  UserKnownHostsFile /known
  GlobalKnownHostsFile /global
  IdentityFile /keys/all
`
	for name, r := range readers(t, text) {
		for _, c := range []struct {
			host, user string
			port       int
			want       Settings
		}{
			{"m1", "", 0, Settings{
				HostName: "10.0.0.1", Port: 2222, User: "bob", IdentitiesOnly: true, IdentityAgent: "/run/agent1",
				IdentityFiles:    []string{"/home/me/.ssh/bob_key", "/keys/10.0.0.1", "/keys/all"},
				CertificateFiles: []string{"/home/me/.ssh/bob-cert.pub"}, KnownHostsFiles: []string{"/k1", "/k2", "/g"}, HostKeyAlias: "first",
				ProxyJump: []Jump{{"jump1", "ops", 2200}, {"jump2", "", 0}}, ConnectTimeout: 7 * time.Second,
			}},
			{"m1", "eve", 22, Settings{
				HostName: "10.0.0.1", Port: 22, User: "eve", IdentitiesOnly: true, IdentityAgent: "/run/agent1",
				IdentityFiles:    []string{"/home/me/.ssh/eve_key", "/keys/10.0.0.1", "/keys/all"},
				CertificateFiles: []string{"/home/me/.ssh/bob-cert.pub"}, KnownHostsFiles: []string{"/k1", "/k2", "/g"}, HostKeyAlias: "first",
				ProxyJump: []Jump{{"jump1", "ops", 2200}, {"jump2", "", 0}}, ConnectTimeout: 7 * time.Second,
			}},
			{"short", "u", 0, Settings{HostName: "short.example.com", Port: 22, User: "u", IdentityFiles: []string{"/keys/all"}, KnownHostsFiles: []string{"/known", "/global"}}},
			{"v6", "u", 0, Settings{HostName: "v6", Port: 22, User: "u", IdentityFiles: []string{"/keys/all"}, KnownHostsFiles: []string{"/known", "/global"}, ProxyJump: []Jump{{"fd00::1", "", 22}}}},
			{"agentless", "u", 0, Settings{HostName: "agentless", Port: 22, User: "u", IdentityAgent: "none", IdentityFiles: []string{"/keys/all"}, KnownHostsFiles: []string{"/known", "/global"}}},
		} {
			got, err := r.Lookup(t.Context(), c.host, c.user, c.port)
			if err != nil {
				t.Errorf("%s: %s: %v", name, c.host, err)
				continue
			}
			if d := cmp.Diff(c.want, got, cmpopts.EquateEmpty()); d != "" {
				t.Errorf("%s: %s (-want +got):\n%s", name, c.host, d)
			}
		}
	}
}

// What ssh does without a file is what the parser does.
func TestDefaults(t *testing.T) {
	var all []Settings
	for name, r := range readers(t, "") {
		s, err := r.Lookup(t.Context(), "h", "u", 0)
		if err != nil {
			t.Fatal(name, err)
		}
		if len(s.IdentityFiles) < 3 || len(s.KnownHostsFiles) < 3 || s.Port != 22 {
			t.Errorf("%s: %+v", name, s)
		}
		all = append(all, s)
	}
	if len(all) == 2 {
		if a, b := all[0].HostName, all[1].HostName; a != b {
			t.Errorf("%q and %q", a, b)
		}
	}
}

func TestRefused(t *testing.T) {
	for _, c := range []struct{ name, text, says string }{
		{"a proxy command", "ProxyCommand nc %h %p", "ProxyCommand nc"},
		{"a command for known hosts", "KnownHostsCommand /bin/true", "KnownHostsCommand"},
		{"a list of revoked keys", "RevokedHostKeys /krl", "@revoked"},
		{"a source address", "BindAddress 127.0.0.1", "BindAddress"},
		{"a smart card", "PKCS11Provider /lib/p11.so", "ssh-add -s"},
		{"another user's home", "IdentityFile ~eve/key", "~eve"},
		{"a variable that is not set", "IdentityFile ${NOT_SET_HERE}/key", "NOT_SET_HERE"},
		{"a token that is unknown", "IdentityFile /k%C", "%C"},
	} {
		for name, r := range readers(t, "Host h\n  "+c.text+"\n") {
			_, err := r.Lookup(t.Context(), "h", "u", 0)
			if err == nil || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), "h") {
				t.Errorf("%s, %s: got %v, want it to say %q", c.name, name, err, c.says)
			}
		}
	}
	for _, host := range []string{"-oProxyCommand=x", "a b", "a\nb", ""} {
		for name, r := range readers(t, "") {
			if _, err := r.Lookup(t.Context(), host, "u", 0); err == nil {
				t.Errorf("%s: %q was looked up", name, host)
			}
		}
	}
}

// Conditions that only ssh can evaluate are evaluated by ssh, and an error without it.
func TestMatch(t *testing.T) {
	for name, r := range readers(t, "Match user eve exec \"test -e /\"\n  Port 2022\n") {
		s, err := r.Lookup(t.Context(), "h", "eve", 0)
		switch {
		case name == "parser" && (err == nil || !strings.Contains(err.Error(), "install the client")):
			t.Errorf("parser: %+v, %v", s, err)
		case name != "parser" && (err != nil || s.Port != 2022):
			t.Errorf("%s: %+v, %v", name, s, err)
		}
	}
}

func TestMissingFile(t *testing.T) {
	for name, r := range readers(t, "") {
		r.File += ".not"
		if _, err := r.Lookup(t.Context(), "h", "u", 0); err == nil || !strings.Contains(err.Error(), "config.not") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestUnsupportedNamesTheHost(t *testing.T) {
	for name, r := range readers(t, "Host h\n  ProxyCommand nc x\n") {
		_, err := r.Lookup(t.Context(), "h", "u", 0)
		if e, ok := errors.AsType[*UnsupportedError](err); !ok || e.Host != "h" || e.Directive != "ProxyCommand" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzPrinted(f *testing.F) {
	f.Add("host m1\nport 22\nproxyjump a@b:1,[::1]:2\nidentityfile ~/%h\n")
	f.Add("port x\nconnecttimeout -1\nproxyjump ,\nidentityagent $\n")
	r := Reader{Home: "/h", User: "u", Getenv: func(string) string { return "" }}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := r.settings(parsePrinted(text), "h", "", 0)
		if err != nil {
			return
		}
		if s.Port < 1 || s.Port > 65535 {
			t.Errorf("port %d", s.Port)
		}
		for _, j := range s.ProxyJump {
			if j.Host == "" || strings.HasPrefix(j.Host, "-") {
				t.Errorf("jump %+v", j)
			}
		}
		for _, p := range append(s.IdentityFiles, s.KnownHostsFiles...) {
			if !filepath.IsAbs(p) {
				t.Errorf("path %q", p)
			}
		}
	})
}
