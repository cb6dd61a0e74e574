package runbook

import (
	"reflect"
	"testing"

	"hardway/provision/addr"
	"hardway/provision/resource"
)

// Every kind of resource needs a step: a new one that is forgotten here would
// be missing from every runbook.
func TestEveryKindHasATopic(t *testing.T) {
	typ := reflect.TypeFor[resource.Spec]()
	for i := range typ.NumField() {
		var s resource.Spec
		field := reflect.ValueOf(&s).Elem().Field(i)
		field.Set(reflect.New(field.Type().Elem()))
		set, err := resource.NewSet([]resource.Resource{{Addr: addr.Address{Host: workstation, Kind: string(s.Kind()), Name: "x"}, Spec: s}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := topicsOf(Input{Want: set}); err != nil {
			t.Error(err)
		}
	}
}
