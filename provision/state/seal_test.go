package state

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"filippo.io/age"

	"hardway/provision/resource"
)

func identities(t *testing.T) Identities {
	t.Helper()
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	return Identities{From: "a test", list: []age.Identity{id}}
}

func withKeys(t *testing.T, ids Identities) Snapshot {
	t.Helper()
	s := example(t)
	secrets := Secrets{Keys: map[string]Secret{
		resource.MaterialKey("kubernetes"):          NewSecret(canary),
		resource.MaterialPrivate("service-account"): NewSecret("SA"),
	}}
	blob, err := s.Seal(ids.Recipients(), secrets)
	if err != nil {
		t.Fatal(err)
	}
	err = s.Apply(Entry{Time: clock, Keys: &Keys{Recipients: ids.Recipients(), Authorities: s.Authorities, KeyPairs: s.KeyPairs, Sealed: blob}})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSealAndOpen(t *testing.T) {
	ids := identities(t)
	data := encode(t, withKeys(t, ids))
	if bytes.Contains(data, []byte("CANARY")) {
		t.Error("the snapshot holds the key in clear")
	}
	s, err := Decode(data)
	if err != nil {
		t.Fatal(err)
	}
	secrets, err := s.Open(ids)
	if err != nil {
		t.Fatal(err)
	}
	if got := secrets.Keys[resource.MaterialKey("kubernetes")].Reveal(); got != canary {
		t.Errorf("opened %q", got)
	}
}

func TestOpenRefuses(t *testing.T) {
	ids := identities(t)
	for _, c := range []struct {
		name   string
		ids    Identities
		change func(*Snapshot)
		want   string
	}{
		{"another identity", identities(t), func(*Snapshot) {}, "a test holds the identity of age1"},
		{"no identity", Identities{}, func(*Snapshot) {}, "no identity was found: set HW_IDENTITY_FILE"},
		{"another cluster's", ids, func(s *Snapshot) { s.Cluster = "prod" }, `belong to cluster "lab"`},
		{"another lineage", ids, func(s *Snapshot) { s.Lineage = NewLineage() }, "two states were mixed"},
		{"an older sealed part", ids, func(s *Snapshot) {
			s.Authorities = map[string]Authority{"kubernetes": {Generation: 2, KeySHA256: "00"}}
		}, `do not hold the "key/kubernetes"`},
		{"no sealed part", ids, func(s *Snapshot) { s.Sealed = nil }, "do not hold"},
		{"damaged", ids, func(s *Snapshot) { s.Sealed[len(s.Sealed)-1] ^= 1 }, "damaged"},
		{"cut off", ids, func(s *Snapshot) { s.Sealed = s.Sealed[:len(s.Sealed)/2] }, "damaged"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := withKeys(t, ids)
			c.change(&s)
			_, err := s.Open(c.ids)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %v, want an error with %q", err, c.want)
			}
			if strings.Contains(err.Error(), "CANARY") || strings.Contains(err.Error(), "AGE-SECRET") {
				t.Errorf("the error shows a secret: %v", err)
			}
		})
	}
	wrong := new(WrongIdentityError)
	if _, err := withKeys(t, ids).Open(identities(t)); !errors.As(err, &wrong) || wrong.SealedTo[0] != ids.Recipients()[0] {
		t.Errorf("got %v", wrong)
	}
}

func TestOpenWithoutKeys(t *testing.T) {
	s, err := New("lab", "0", time.Time{}).Open(Identities{})
	if err != nil || len(s.Keys) != 0 {
		t.Errorf("got %v, %v", s, err)
	}
}

func TestSealRefusesRecipients(t *testing.T) {
	for _, r := range [][]string{nil, {"age1nonsense"}, {"ssh-ed25519 AAAA"}, {""}} {
		if _, err := example(t).Seal(r, Secrets{}); err == nil {
			t.Errorf("sealed to %q", r)
		}
	}
}
