package state

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hardway/provision/addr"
	"hardway/provision/facts"
	"hardway/provision/resource"
)

var (
	clock   = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	n1      = addr.Host{Role: addr.Node, Name: "n1"}
	confA   = addr.Address{Host: n1, Kind: "file", Name: "/etc/hardway/a"}
	confB   = addr.Address{Host: n1, Kind: "file", Name: "/etc/hardway/b"}
	rbac    = addr.Address{Kind: "object", Name: "clusterrolebinding/x"}
	canary  = "-----BEGIN EC PRIVATE KEY-----\nCANARY-9f2c41\n-----END EC PRIVATE KEY-----\n"
	compare = cmp.Options{cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })}
)

func fileSpec(content string) resource.Spec {
	return resource.Spec{File: &resource.File{Path: "/etc/hardway/a", Meta: resource.Root(0o644), Content: content}}
}

// example is a snapshot with something in every field.
func example(t testing.TB) Snapshot {
	t.Helper()
	s := New("lab", "0.1.0", clock)
	s.Lineage, s.Serial = "5e1f0b6c-0000-4000-8000-000000000001", 7
	for _, e := range []Entry{
		{Begin: &Begin{Addr: confA, Spec: fileSpec("one <&> two\n"), DependsOn: []addr.Address{rbac},
			Prior: PriorFile(facts.File{Type: facts.Regular, Mode: 0o600, Owner: "root", Group: "adm", SHA256: "ab"})}},
		{Done: &Done{Addr: confA, SHA256: "cd"}},
		{Begin: &Begin{Addr: rbac, Spec: resource.Spec{Object: &resource.Object{Kind: "clusterrolebinding", Name: "x", Manifest: json.RawMessage(`{"a":["<b>",1]}`)}}}},
		{Keys: &Keys{Authorities: map[string]Authority{"kubernetes": {Generation: 1, CertPEM: "CERT", KeySHA256: resource.SHA256([]byte(canary)), NotAfter: clock.AddDate(10, 0, 0)}},
			KeyPairs: map[string]KeyPair{"service-account": {Generation: 1, PublicPEM: "PUBLIC", PrivateSHA256: resource.SHA256([]byte("SA"))}}}},
		{Allocations: &Allocations{Pods: map[string]PodRange{"n1": {CIDR: netip.MustParsePrefix("10.244.1.0/24")}}}},
		{Run: &Run{Operation: "apply", ConfigDigest: "c1", Started: clock, Ended: clock.Add(time.Minute), Complete: true}},
		{Held: &Held{Hold: Hold{Unit: "kubelet", ConfigDigest: "c1", Host: n1, Reason: "kubelet: not healthy", Since: clock},
			Records: map[addr.Address]Record{confB: {Spec: fileSpec("before"), SpecDigest: fileSpec("before").Digest(), Applied: clock}}}},
		{Held: &Held{Hold: Hold{ConfigDigest: "c1", Generation: 5, Reason: "rolled back", Since: clock}}},
	} {
		e.Time = clock
		if err := s.Apply(e); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func encode(t testing.TB, s Snapshot) []byte {
	t.Helper()
	data, err := Encode(s)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestEncodeAndBack(t *testing.T) {
	want := example(t)
	data := encode(t, want)
	if !bytes.Equal(data, encode(t, want)) {
		t.Error("two encodings of the same snapshot differ")
	}
	got, err := Decode(data)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got, compare); d != "" {
		t.Error(d)
	}
	if !bytes.Equal(data, encode(t, got)) {
		t.Error("decoding and encoding changes the bytes")
	}
	if r := got.Resources[canonical(rbac)]; r.Spec.Digest() != r.SpecDigest {
		t.Error("the digest of a stored manifest changed")
	}
}

func TestEveryBitFlipAndTruncationOfASnapshotIsDetected(t *testing.T) {
	data := encode(t, example(t))
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		bad := bytes.Clone(data)
		at, bit := rnd.IntN(len(bad)), byte(1)<<rnd.IntN(8)
		bad[at] ^= bit
		if _, err := Decode(bad); err == nil {
			t.Fatalf("bit %#x of byte %d was flipped, and the snapshot was accepted", bit, at)
		}
	}
	for n := range data {
		if _, err := Decode(data[:n]); err == nil {
			t.Fatalf("%d of %d bytes were accepted", n, len(data))
		}
	}
}

// resum puts the right checksum on a changed document.
func resum(data []byte) []byte {
	at := bytes.Index(data, sumPrefix) + len(sumPrefix)
	copy(data[at:], sumZeros)
	copy(data[at:], resource.SHA256(data))
	return data
}

func TestDecodeRefuses(t *testing.T) {
	change := func(old, new string) func([]byte) []byte {
		return func(b []byte) []byte { return resum(bytes.Replace(b, []byte(old), []byte(new), 1)) }
	}
	for _, c := range []struct {
		name   string
		change func([]byte) []byte
		want   string
	}{
		{"empty", func([]byte) []byte { return nil }, "it is empty"},
		{"blank", func([]byte) []byte { return []byte(" \n") }, "it is empty"},
		{"other text", func([]byte) []byte { return []byte(`{"version": 4, "terraform_version": "1.9"}`) }, "no checksum"},
		{"edited", func(b []byte) []byte { return bytes.Replace(b, []byte("lab"), []byte("bal"), 1) }, "checksum does not match"},
		{"newer format", change(`"format": 1`, `"format": 2`), "format 2 (this hardway knows 1) and was written by hardway 0.1.0"},
		{"newer field", change(`"cluster": "lab"`, `"cluster": "lab", "moons": 2`), `unknown field "moons"`},
		{"no lineage", change(`"lineage": "5e1f0b6c-0000-4000-8000-000000000001"`, `"lineage": ""`), "no lineage"},
		{"wrong type", change(`"serial": 7`, `"serial": "7"`), "cannot unmarshal"},
		{"wrong kind", change(`\"/etc/hardway/a\"]": {`, `\"/etc/hardway/a\"].x": {`), "unexpected"},
		{"no JSON", change(`"serial": 7`, `"serial": 7,,`), "invalid character"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Decode(c.change(encode(t, example(t))))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want an error with %q", err, c.want)
			}
		})
	}
}

// What is put right again, as it was, is applied anew and not changed.
func TestRepairIsNoChange(t *testing.T) {
	s := New("lab", "0", clock)
	at := clock
	for _, e := range []Entry{
		{Begin: &Begin{Addr: confA, Spec: fileSpec("1")}}, {Done: &Done{Addr: confA, SHA256: "1"}},
		{Begin: &Begin{Addr: confA, Spec: fileSpec("1")}}, {Done: &Done{Addr: confA, SHA256: "1"}},
	} {
		e.Time = at
		if err := s.Apply(e); err != nil {
			t.Fatal(err)
		}
		at = at.Add(time.Minute)
	}
	if r := s.Resources[confA]; !r.Applied.Equal(clock.Add(3*time.Minute)) || !r.Changed.Equal(clock.Add(time.Minute)) {
		t.Errorf("applied %s, changed %s", r.Applied, r.Changed)
	}
	if err := s.Apply(Entry{Time: at, Begin: &Begin{Addr: confA, Spec: fileSpec("2")}}); err != nil {
		t.Fatal(err)
	}
	if r := s.Resources[confA]; !r.Changed.Equal(at) {
		t.Errorf("another content is no change: %s", r.Changed)
	}
}

func TestApplyKeepsTheFirstPrior(t *testing.T) {
	s := New("lab", "0", clock)
	prior := Prior{Exists: true, Type: facts.Regular, SHA256: "original"}
	steps := []Entry{
		{Begin: &Begin{Addr: confA, Spec: fileSpec("1"), Prior: prior}},
		// a crash; the next run finds our own half-done work
		{Begin: &Begin{Addr: confA, Spec: fileSpec("2"), Prior: Prior{Exists: true, SHA256: "ours"}}},
		{Done: &Done{Addr: confA, SHA256: "2"}},
		{Begin: &Begin{Addr: confA, Spec: fileSpec("3"), Prior: Prior{Exists: true, SHA256: "ours"}}},
		{Failed: &Failed{Addr: confA, Reason: "no space left"}},
	}
	for _, e := range steps {
		e.Time = clock
		if err := s.Apply(e); err != nil {
			t.Fatal(err)
		}
	}
	want := Record{Spec: fileSpec("3"), SpecDigest: fileSpec("3").Digest(), SHA256: "2", Prior: prior, Applied: clock, Changed: clock, Pending: true, Tainted: "no space left"}
	if d := cmp.Diff(want, s.Resources[confA]); d != "" {
		t.Error(d)
	}
	moved := fileSpec("3")
	moved.File.Path = "/etc/hardway/elsewhere"
	if err := s.Apply(Entry{Begin: &Begin{Addr: confA, Spec: moved}}); err != nil {
		t.Fatal(err)
	}
	if s.Resources[confA].Prior.Exists {
		t.Error("another path took over the prior of the first")
	}
}

func TestApplyRefuses(t *testing.T) {
	unknown := addr.Address{Host: n1, Kind: "file", Name: "/nowhere"}
	for name, e := range map[string]Entry{
		"done without begin":    {Done: &Done{Addr: confA}},
		"done of unknown":       {Done: &Done{Addr: unknown}},
		"forget unknown":        {Forget: &unknown},
		"remove unknown":        {Remove: &unknown},
		"failed unknown":        {Failed: &Failed{Addr: unknown}},
		"nothing":               {},
		"held of another kind":  {Held: &Held{Hold: Hold{Unit: "x"}, Records: map[addr.Address]Record{rbac: {Spec: fileSpec("x")}}}},
		"begin of another kind": {Begin: &Begin{Addr: rbac, Spec: fileSpec("x")}},
	} {
		s := example(t)
		before := encode(t, s)
		if err := s.Apply(e); err == nil {
			t.Errorf("%s: no error", name)
		}
		if !bytes.Equal(before, encode(t, s)) {
			t.Errorf("%s: the state changed", name)
		}
	}
}

func TestMaterial(t *testing.T) {
	p := example(t).Public
	for _, c := range []struct {
		name, content, digest string
		ok                    bool
	}{
		{resource.MaterialCert("kubernetes"), "CERT", resource.SHA256([]byte("CERT")), true},
		{resource.MaterialBundle("kubernetes"), "CERT", resource.SHA256([]byte("CERT")), true},
		{resource.MaterialKey("kubernetes"), "", resource.SHA256([]byte(canary)), true},
		{resource.MaterialPublic("service-account"), "PUBLIC", resource.SHA256([]byte("PUBLIC")), true},
		{resource.MaterialPrivate("service-account"), "", resource.SHA256([]byte("SA")), true},
		{resource.MaterialCert("etcd"), "", "", false},
	} {
		content, digest, ok := p.Material(c.name)
		if string(content) != c.content || digest != c.digest || ok != c.ok {
			t.Errorf("Material(%q) = %q, %q, %v", c.name, content, digest, ok)
		}
	}
}

func TestNewLineage(t *testing.T) {
	a, b := NewLineage(), NewLineage()
	if a == b || len(a) != 36 || a[14] != '4' || strings.Count(a, "-") != 4 {
		t.Errorf("lineages %q and %q", a, b)
	}
}

func TestSecretNeverPrints(t *testing.T) {
	type inside struct{ hidden Secret }
	s := NewSecret(canary)
	keys := Secrets{Keys: map[string]Secret{"key/kubernetes": s}}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "secret", s, "keys", keys)
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "secret", s, "keys", keys, "inside", inside{s})
	j, err := json.Marshal(map[string]any{"a": s, "b": keys})
	if err != nil {
		t.Fatal(err)
	}
	log.Write(j)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&log, verb+verb+verb+verb, s, &s, keys, inside{s})
	}
	if strings.Contains(log.String(), "CANARY") || strings.Contains(log.String(), fmt.Sprintf("%x", "CANARY")) {
		t.Errorf("the secret was printed: %s", log.String())
	}
	if s.Reveal() != canary {
		t.Error("Reveal does not return the text")
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(encode(f, example(f)))
	f.Add([]byte(`{"format": 1, "sha256": "`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if s, err := Decode(data); err == nil {
			if _, err := Decode(encode(t, s)); err != nil {
				t.Fatalf("an accepted snapshot does not survive: %v", err)
			}
		}
		if at := bytes.Index(data, sumPrefix); at >= 0 && at+len(sumPrefix)+64 <= len(data) { // behind the checksum, too
			if s, err := Decode(resum(bytes.Clone(data))); err == nil {
				if _, err := Decode(encode(t, s)); err != nil {
					t.Fatalf("an accepted snapshot does not survive: %v", err)
				}
			}
		}
	})
}

func TestIdentitySource(t *testing.T) {
	home, conf := t.TempDir(), t.TempDir()
	env := map[string]string{}
	src := IdentitySource{Getenv: func(k string) string { return env[k] }, UserDir: home, ConfigDir: conf, Now: func() time.Time { return clock }}

	if _, err := src.Load(); !errors.Is(err, ErrNoIdentity) {
		t.Fatalf("nothing there: %v", err)
	}
	ids, created, err := src.Ensure()
	if err != nil || !created || len(ids.Recipients()) != 1 {
		t.Fatalf("Ensure: %v, %v, %v", ids.Recipients(), created, err)
	}
	path := filepath.Join(home, "hardway", "identity.txt")
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("%v, %v", info, err)
	}
	again, created, err := src.Ensure()
	if err != nil || created || again.Recipients()[0] != ids.Recipients()[0] {
		t.Errorf("the second Ensure: %v, %v, %v", again.Recipients(), created, err)
	}
	if fmt.Sprintf("%v %+v %#v", ids, ids, &ids) != strings.TrimSpace(strings.Repeat(hidden+" ", 3)) {
		t.Errorf("identities print as %v", ids)
	}

	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	refused := func(name, want string, prepare func()) {
		t.Helper()
		clear(env)
		prepare()
		if _, err := src.Load(); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "AGE-SECRET-KEY-1Q") {
			t.Errorf("%s: got %v, want an error with %q", name, err, want)
		}
	}
	refused("world readable", "chmod 600", func() {
		if err := os.Chmod(path, 0o644); err != nil {
			t.Fatal(err)
		}
	})
	inside := filepath.Join(conf, "identity.txt")
	if err := os.WriteFile(inside, text, 0o600); err != nil {
		t.Fatal(err)
	}
	refused("inside the configuration", "inside the configuration directory", func() { env["HW_IDENTITY_FILE"] = inside })
	refused("missing file", "no such file", func() { env["HW_IDENTITY_FILE"] = filepath.Join(home, "none") })
	refused("no identity", "HW_IDENTITY holds no age identity", func() { env["HW_IDENTITY"] = "AGE-SECRET-KEY-1QQQQ" })

	clear(env)
	env["HW_IDENTITY"] = string(text)
	if got, err := src.Load(); err != nil || got.Recipients()[0] != ids.Recipients()[0] || got.From != "HW_IDENTITY" {
		t.Errorf("from the environment: %v, %v", got.Recipients(), err)
	}
}
