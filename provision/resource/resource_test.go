package resource

import (
	"reflect"
	"strings"
	"testing"

	"hardway/provision/addr"
)

var node = addr.Host{Role: addr.Node, Name: "n1"}

func file(path string, deps ...addr.Address) Resource {
	return Resource{
		Addr: addr.Address{Host: node, Kind: string(KindFile), Name: path},
		Spec: Spec{File: &File{Path: path, Meta: Root(0o644)}}, DependsOn: deps,
	}
}

func TestSetIsSortedAndFound(t *testing.T) {
	set, err := NewSet([]Resource{file("/b"), file("/a")})
	if err != nil {
		t.Fatal(err)
	}
	if got := set.All()[0].Spec.Path(); got != "/a" {
		t.Errorf("first is %s", got)
	}
	if r, ok := set.Get(file("/b").Addr); !ok || r.Spec.Path() != "/b" {
		t.Errorf("Get: %v, %v", r, ok)
	}
	if _, ok := set.Get(file("/c").Addr); ok {
		t.Error("Get finds what is not there")
	}
}

func TestSetRefuses(t *testing.T) {
	wrong := file("/a")
	wrong.Spec = Spec{Swap: &Swap{Off: true}}
	for name, list := range map[string][]Resource{
		"declared twice": {file("/a"), file("/a")},
		"not in the set": {file("/a", file("/b").Addr)},
		"holds a swap":   {wrong},
	} {
		if _, err := NewSet(list); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("NewSet: %v, want %q", err, name)
		}
	}
}

// Every field of Spec must be a kind of its own: a new one that Kind forgets
// would be compared, applied and removed as nothing.
func TestEveryFieldHasAKind(t *testing.T) {
	seen := map[Kind]string{}
	typ := reflect.TypeFor[Spec]()
	for i := range typ.NumField() {
		var s Spec
		field := reflect.ValueOf(&s).Elem().Field(i)
		field.Set(reflect.New(field.Type().Elem()))
		kind := s.Kind()
		if kind == "" {
			t.Errorf("Spec.%s has no kind", typ.Field(i).Name)
		}
		if other, twice := seen[kind]; twice {
			t.Errorf("Spec.%s and Spec.%s are both %s", other, typ.Field(i).Name, kind)
		}
		seen[kind] = typ.Field(i).Name
		if tag := strings.Split(typ.Field(i).Tag.Get("json"), ",")[0]; tag != string(kind) {
			t.Errorf("Spec.%s is %q in JSON and %q in addresses", typ.Field(i).Name, tag, kind)
		}
	}
}

func TestDigestTellsSpecsApart(t *testing.T) {
	a, b := file("/a").Spec, file("/a").Spec
	if a.Digest() != b.Digest() {
		t.Error("equal specs, different digests")
	}
	b.File.Mode = 0o600
	if a.Digest() == b.Digest() {
		t.Error("another mode, the same digest")
	}
}
