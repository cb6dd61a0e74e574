package state

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSealedCopyAndBack(t *testing.T) {
	mine, theirs := identities(t), identities(t)
	want := withKeys(t, mine)
	sealed, err := SealSnapshot(want, append(mine.Recipients(), theirs.Recipients()...))
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(sealed, []byte("lineage")) || bytes.Contains(sealed, []byte(want.Lineage)) || bytes.Contains(sealed, []byte("CERT")) {
		t.Error("the copy can be read without an identity")
	}
	for _, ids := range []Identities{mine, theirs} {
		got, err := OpenSnapshot(sealed, ids)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, got, compare); d != "" {
			t.Error(d)
		}
		if !bytes.Equal(encode(t, want), encode(t, got)) {
			t.Error("the stored form is another one")
		}
	}
	got, err := OpenSnapshot(sealed, mine)
	if err != nil {
		t.Fatal(err)
	}
	if keys, err := got.Open(mine); err != nil || len(keys.Keys) != 2 {
		t.Errorf("%d keys, %v", len(keys.Keys), err)
	}
}

func TestOpenSnapshotRefuses(t *testing.T) {
	mine := identities(t)
	sealed, err := SealSnapshot(example(t), mine.Recipients())
	if err != nil {
		t.Fatal(err)
	}
	for name, ids := range map[string]Identities{"another identity": identities(t), "none": {}} {
		wrong := new(WrongIdentityError)
		if _, err := OpenSnapshot(sealed, ids); !errors.As(err, &wrong) || !strings.Contains(err.Error(), "the sealed copy of the state is sealed to others") || !strings.Contains(err.Error(), "HW_IDENTITY_FILE") {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, b := range map[string][]byte{"empty": nil, "other text": []byte("hello\n"), "a snapshot in clear": encode(t, example(t))} {
		if _, err := OpenSnapshot(b, mine); !errors.As(err, new(*DamagedError)) || !strings.Contains(err.Error(), "sealed copy") {
			t.Errorf("%s: %v", name, err)
		}
	}
	for n := 0; n < len(sealed); n += 11 {
		if _, err := OpenSnapshot(sealed[:n], mine); err == nil {
			t.Fatalf("%d of %d bytes were accepted", n, len(sealed))
		}
	}
	rnd := rand.New(rand.NewPCG(5, 6))
	for range 200 {
		bad := bytes.Clone(sealed)
		at, bit := rnd.IntN(len(bad)), byte(1)<<rnd.IntN(8)
		bad[at] ^= bit
		if _, err := OpenSnapshot(bad, mine); err == nil {
			t.Fatalf("bit %#x of byte %d was flipped, and the copy was accepted", bit, at)
		}
	}
	for _, r := range [][]string{nil, {"age1nonsense"}} {
		if _, err := SealSnapshot(example(t), r); err == nil {
			t.Errorf("sealed to %q", r)
		}
	}
}
