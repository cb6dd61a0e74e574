package plan

import (
	"bytes"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"hardway/provision/resource"
)

func saved(t testing.TB, p *Plan) []byte {
	t.Helper()
	data, err := Encode(p)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// smallPlan is a plan with a change of each of a few kinds, the manifest of an
// object among them.
func smallPlan(t testing.TB) *Plan {
	t.Helper()
	w := newWorld(t, example(t, "lab"))
	p := compute(t, w.input())
	var some []Change
	for _, a := range parse(t, `cluster.authority["etcd"]`, `cluster.object["hardway:cluster-admins"]`, `node["n1"].sysctl["net.ipv4.ip_forward"]`, `node["n1"].unit["kubelet"]`) {
		some = append(some, change(t, p, a))
	}
	p.Changes = some
	return p
}

// TestEncodeAndBack: a saved plan is the plan, and is always saved alike.
func TestEncodeAndBack(t *testing.T) {
	w := applied(t, "three")
	upgrade(w, "etcd", "kubelet")
	w.hosts[n1].Err = "i/o timeout"
	w.hosts[m2].write("/etc/kubernetes/scheduler.yaml", "<&>\u2028 and\tmore\n")
	for name, in := range map[string]Input{"first": fresh(t), "changes": w.input(), "destroy": w.destruction(true)} {
		t.Run(name, func(t *testing.T) {
			p := compute(t, in)
			data := saved(t, p)
			if !bytes.HasPrefix(data, []byte("{\n  \"format_version\": \""+FormatVersion+"\",\n  \"sha256\": \"")) {
				t.Errorf("it begins with %.120s", data)
			}
			if bytes.Contains(data, []byte(`\u003c`)) {
				t.Error("text is escaped for HTML")
			}
			back, err := Decode(data)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(p, back, cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("(-plan +read back):\n%s", diff)
			}
			if !bytes.Equal(data, saved(t, back)) {
				t.Error("saving it again gives other bytes")
			}
		})
	}
}

// TestDamageIsFound: cut at any byte, or with any bit turned, it is no plan.
func TestDamageIsFound(t *testing.T) {
	data := saved(t, smallPlan(t))
	refused := func(bad []byte, format string, args ...any) {
		t.Helper()
		p, err := Decode(bad)
		if _, ok := errors.AsType[*CodecError](err); !ok || p != nil {
			t.Fatalf(format+" was accepted: %v", append(args, err)...)
		}
	}
	for n := range data {
		refused(data[:n], "the first %d of %d bytes", n, len(data))
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 10000 {
		at, bit := rnd.IntN(len(data)), byte(1)<<rnd.IntN(8)
		data[at] ^= bit
		refused(data, "bit %#x of byte %d turned", bit, at)
		data[at] ^= bit
	}
	if _, err := Decode(data); err != nil {
		t.Fatalf("the whole plan: %v", err)
	}
}

// resum puts the right checksum on a changed text, where it has a place for one.
func resum(data []byte) []byte {
	if at, err := findSum(data); err == nil {
		copy(data[at:], sumZeros)
		copy(data[at:], resource.SHA256(data))
	}
	return data
}

func TestDecodeRefuses(t *testing.T) {
	change := func(old, new string) func([]byte) []byte {
		return func(b []byte) []byte {
			if !bytes.Contains(b, []byte(old)) {
				t.Fatalf("the plan has no %q", old)
			}
			return resum(bytes.Replace(b, []byte(old), []byte(new), 1))
		}
	}
	format := `"format_version": "` + FormatVersion + `"`
	for name, c := range map[string]struct {
		change func([]byte) []byte
		want   string
	}{
		"empty":      {func([]byte) []byte { return nil }, "it is empty"},
		"blank":      {func([]byte) []byte { return []byte(" \n\t") }, "it is empty"},
		"other text": {func([]byte) []byte { return []byte("hello\n") }, "no checksum"},
		"other JSON": {func([]byte) []byte { return []byte(`{"format_version": "1.2", "terraform_version": "1.9"}`) }, "no checksum"},
		"of an older one": {func([]byte) []byte {
			return []byte("{\n  \"format_version\": \"1.0\",\n  \"hardway_version\": \"0.1\"\n}\n")
		}, "no checksum"},
		"edited":              {func(b []byte) []byte { return bytes.Replace(b, []byte("kubelet"), []byte("kubecar"), 1) }, "checksum does not match"},
		"another major":       {change(format, `"format_version": "9.1"`), `it has format "9.1" and was written by hardway "test"; this one knows format ` + FormatVersion},
		"a newer field":       {change(format, format+`, "moons": 2`), "no checksum"},
		"a field of a change": {change(`"action": "create"`, `"action": "create", "moons": 2`), `unknown field "moons"`},
		"no such action":      {change(`"action": "create"`, `"action": "make"`), `its action is "make"`},
		"no such mode":        {change(`"mode": "apply"`, `"mode": "play"`), `its mode is "play"`},
		"no cluster":          {change(`"cluster": "lab"`, `"cluster": ""`), "it names no cluster"},
		"bad address":         {change(`"address": "cluster.auth`, `"address": "x.auth`), "want master, node or cluster"},
		"another kind":        {change(`"address": "cluster.authority`, `"address": "cluster.keypair`), `holds a resource of the kind "authority"`},
		"wrong type":          {change(`"serial": 1`, `"serial": "1"`), "cannot unmarshal"},
		"no JSON":             {change(`"serial": 1`, `"serial": 1,,`), "invalid character"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Decode(c.change(saved(t, smallPlan(t))))
			codec, ok := errors.AsType[*CodecError](err)
			if !ok || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %v, want an error with %q", err, c.want)
			}
			if (codec.Format != "") != (name == "another major") {
				t.Errorf("the format is %q", codec.Format)
			}
		})
	}
}

// FuzzDecode: whatever the text is, and even where its checksum is right, the
// answer is a plan that can be saved again, or an error.
func FuzzDecode(f *testing.F) {
	p := smallPlan(f)
	p.Changes = p.Changes[1:3] // an object and a parameter: short ones are turned faster
	f.Add(saved(f, p))
	f.Add(saved(f, &Plan{Mode: Normal, Cluster: "x", Lineage: "y"}))
	f.Add([]byte(`{"format_version":"1.0"}`))
	f.Add([]byte("{\n  \"format_version\": \"1.1\",\n  \"sha256\": \"" + sumZeros + "\",\n  \"changes\": [{\"spec\": {\"object\": {\"manifest\": null}}}]\n}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, text := range [][]byte{data, resum(bytes.Clone(data))} {
			p, err := Decode(text)
			if err != nil {
				if _, ok := errors.AsType[*CodecError](err); !ok {
					t.Fatalf("%T: %v", err, err)
				}
				continue
			}
			again := saved(t, p)
			back, err := Decode(again)
			if err != nil {
				t.Fatalf("what was decoded and saved again: %v", err)
			}
			if !bytes.Equal(again, saved(t, back)) {
				t.Fatal("saving it again gives other bytes")
			}
			if !json.Valid(again) {
				t.Fatal("no JSON")
			}
		}
	})
}
