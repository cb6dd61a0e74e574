package provision_test

import (
	"slices"
	"testing"

	"filippo.io/age"

	"hardway/provision"
)

// Somebody who is added to the configuration can open the keys after the next
// apply, though there is nothing else to do, and so can those who could before.
func TestNewRecipient(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "testdata/one")
	w.mustConverge(provision.PlanOptions{})
	other, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	first := w.state().Recipients
	w.write("state.hcl", "state {\n  recipients = [\""+first[0]+"\", \""+other.Recipient().String()+"\"]\n}\n")
	p := w.plan(provision.PlanOptions{})
	if p.Changed() || !p.Reseal {
		t.Fatalf("reseal %v:\n%s", p.Reseal, says(p))
	}
	if _, err := w.apply(t.Context(), p, nil); err != nil {
		t.Fatal(err)
	}
	if got := w.state().Recipients; !slices.Contains(got, other.Recipient().String()) || len(got) != 2 {
		t.Errorf("sealed for %v", got)
	}
	if p := w.plan(provision.PlanOptions{}); p.Reseal || len(p.Copies) > 0 {
		t.Errorf("reseal %v, copies %v", p.Reseal, p.Copies)
	}
	w.identity = other.String()
	w.update()
	w.sound(w.mustConverge(provision.PlanOptions{}))
}
