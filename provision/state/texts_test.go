package state

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hardway/provision/addr"
	"hardway/provision/resource"
)

// fleet is a state in which a text stands on so many hosts.
func fleet(hosts int) Snapshot {
	s := New("fleet", "0.1.0", time.Unix(0, 0))
	s.Resources = map[addr.Address]Record{}
	names := strings.Repeat("10.0.0.1 name\n", 1000)
	for i := range hosts {
		h := addr.Host{Role: addr.Node, Name: "n" + strings.Repeat("x", i+1)}
		for _, spec := range []resource.Spec{
			{Block: &resource.Block{Path: "/etc/hosts", Content: names}},
			{File: &resource.File{Path: "/etc/routes", Content: names}},
			{File: &resource.File{Path: "/etc/own", Content: names + h.Name}},
			{File: &resource.File{Path: "/etc/short", Content: "short"}},
			{Unit: &resource.Unit{Name: "a.service", Content: names + "unit"}},
			{Sysctl: &resource.Sysctl{Key: "a", Value: "1"}},
		} {
			a := addr.Address{Host: h, Kind: string(spec.Kind()), Name: spec.Path()}
			s.Resources[a] = Record{Spec: spec, SpecDigest: spec.Digest()}
		}
	}
	return s
}

// TestSharedTexts: a text that every host has is stored once, comes back
// everywhere, and the snapshot that was stored is left as it was.
func TestSharedTexts(t *testing.T) {
	s, same := fleet(50), fleet(50)
	same.Lineage = s.Lineage
	data, err := Encode(s)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(same, s); d != "" {
		t.Errorf("storing changed the snapshot:\n%s", d)
	}
	if n := strings.Count(string(data), strings.Repeat("10.0.0.1 name\\n", 1000)); n != 50+2 { // each host's own, and two for all
		t.Errorf("the text is stored %d times", n)
	}
	back, err := Decode(data)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(s, back); d != "" {
		t.Errorf("it came back as another:\n%s", d)
	}
	again, err := Encode(back)
	if err != nil || string(again) != string(data) {
		t.Errorf("the same snapshot gave other bytes, %v", err)
	}
}

// TestWrongTexts: a record whose text is missing or another one is damage, also
// when the checksum of the whole is right.
func TestWrongTexts(t *testing.T) {
	data, err := Encode(fleet(3))
	if err != nil {
		t.Fatal(err)
	}
	text := string(data)
	at := strings.Index(text, `"texts": {`)
	digest := text[at+16 : at+16+64]
	for what, wrong := range map[string]string{
		"another text":   text[:at] + strings.ReplaceAll(text[at:], "10.0.0.1", "10.0.0.2"),
		"a missing text": strings.Replace(text, `"text": "`+digest, `"text": "`+strings.Repeat("0", 64), 1),
	} {
		if wrong == text {
			t.Fatalf("%s: nothing was replaced", what)
		}
		from := strings.Index(wrong, string(sumPrefix)) + len(sumPrefix)
		zeroed := wrong[:from] + sumZeros + wrong[from+64:]
		_, err := Decode([]byte(wrong[:from] + resource.SHA256([]byte(zeroed)) + wrong[from+64:]))
		if _, ok := err.(*DamagedError); !ok || !strings.Contains(err.Error(), "text") {
			t.Errorf("%s: %v", what, err)
		}
	}
}
