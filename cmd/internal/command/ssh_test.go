package command

import (
	"context"
	"errors"
	"strings"
	"testing"

	"hardway/provision"
	"hardway/provision/host/ssh"
	"hardway/provision/host/ssh/sshtest"
)

// strangers is a Session whose machines are given beforehand: what HostKeys returns,
// a round each.
type strangers struct {
	Session
	rounds  [][]provision.HostKeys
	asked   []string
	trusted []provision.HostKeys
}

func (s *strangers) HostKeys(_ context.Context, names []string) ([]provision.HostKeys, error) {
	s.asked = names
	if len(s.rounds) == 0 {
		return nil, errors.New("no more rounds")
	}
	r := s.rounds[0]
	s.rounds = s.rounds[1:]
	return r, nil
}

func (s *strangers) Trust(_ context.Context, keys []provision.HostKeys) error {
	s.trusted = append(s.trusted, keys...)
	return nil
}

func (s *strangers) Close() error { return nil }

func TestSSHTrust(t *testing.T) {
	a, b := ssh.HostKey{Public: sshtest.NewKey(t).PublicKey()}, ssh.HostKey{Public: sshtest.NewKey(t).PublicKey()}
	n1 := provision.HostKeys{Name: `node["n1"]`, Address: "10.0.0.1:22", File: "/k", Keys: []ssh.HostKey{a, b}}
	jump := provision.HostKeys{Name: "bastion jump", Address: "10.0.0.9:22", File: "/k", Keys: []ssh.HostKey{b}, Bastion: true}
	known := provision.HostKeys{Name: `node["n2"]`, Address: "10.0.0.2:22", File: "/k", Keys: []ssh.HostKey{a}, Known: true}
	changed := provision.HostKeys{Name: `node["n3"]`, Address: "10.0.0.3:22", File: "/k", Err: errors.New("the host key is not the known one: /k:7")}
	other := ssh.HostKey{Public: sshtest.NewKey(t).PublicKey()}.Fingerprint()
	for _, c := range []struct {
		name    string
		rounds  [][]provision.HostKeys
		answer  string
		args    []string
		code    int
		trusted int // keys
		says    []string
		not     string
	}{
		{"yes", [][]provision.HostKeys{{n1}}, "yes", nil, 0, 2, []string{"256 " + a.Fingerprint() + " (ED25519)", "10.0.0.1:22", "/k", "Added the keys of this machine"}, ""},
		{"no", [][]provision.HostKeys{{n1}}, "no", nil, 1, 0, []string{a.Fingerprint(), "Cancelled"}, "Added"},
		{"nobody to ask", [][]provision.HostKeys{{n1}}, "", nil, 1, 0, []string{"Nobody can be asked", "--fingerprint"}, ""},
		{"known already", [][]provision.HostKeys{{known}}, "", nil, 0, 0, []string{"is known"}, a.Fingerprint()},
		{"by fingerprint", [][]provision.HostKeys{{n1}}, "", []string{"n1", "--auto-approve", "--fingerprint", a.Fingerprint()}, 0, 1, []string{a.Fingerprint()}, b.Fingerprint()},
		{"by a fingerprint with padding", [][]provision.HostKeys{{n1}}, "", []string{"--auto-approve", "--fingerprint=" + a.Fingerprint() + "="}, 0, 1, nil, ""},
		{"by another fingerprint", [][]provision.HostKeys{{n1}}, "", []string{"--auto-approve", "--fingerprint", other}, 1, 0, []string{"Not trusted", a.Fingerprint(), "somebody is in between"}, "Added"},
		{"approved without a fingerprint", [][]provision.HostKeys{{n1}}, "", []string{"--auto-approve"}, 1, 0, []string{"Nothing to compare with"}, "Added"},
		{"not a fingerprint", nil, "", []string{"--fingerprint", "MD5:aa"}, 1, 0, []string{"Not a fingerprint"}, ""},
		{"changed", [][]provision.HostKeys{{changed, known}}, "", nil, 1, 0, []string{"Not trusted", "/k:7", "is known"}, "Added"},
		{"changed, and another one unknown", [][]provision.HostKeys{{changed, n1}}, "yes", nil, 1, 2, []string{"/k:7", "Added"}, ""},
		{"a bastion first", [][]provision.HostKeys{{jump}, {jump, n1}}, "", []string{"--auto-approve", "--fingerprint", b.Fingerprint()}, 0, 2, []string{"bastion jump", `node["n1"]`}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := &strangers{rounds: c.rounds}
			r := cli(t, s, noReader{strings.NewReader(c.answer + "\n")}, c.answer != "", nil, append([]string{"ssh", "trust"}, c.args...)...)
			if r.code != c.code {
				t.Errorf("exit code %d, want %d: %s", r.code, c.code, r.stderr)
			}
			n := 0
			for _, k := range s.trusted {
				n += len(k.Keys)
			}
			if n != c.trusted {
				t.Errorf("%d keys were trusted, want %d", n, c.trusted)
			}
			for _, part := range c.says {
				if !strings.Contains(r.stdout+r.stderr, part) {
					t.Errorf("it does not say %q:\n%s%s", part, r.stdout, r.stderr)
				}
			}
			if c.not != "" && strings.Contains(r.stdout+r.stderr, c.not) {
				t.Errorf("it says %q:\n%s%s", c.not, r.stdout, r.stderr)
			}
		})
	}
}
