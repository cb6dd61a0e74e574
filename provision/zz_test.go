package provision_test
import ("testing";"hardway/provision";"hardway/provision/host/hosttest")
func TestZZ(t *testing.T){
	w := newWorld(t, "testdata/one")
	w.mustConverge(provision.PlanOptions{})
	steps := w.record(removal)
	for h, s := range steps { t.Log(h, s[len(s)-3:]) }
	for _, mode := range []hosttest.Mode{0,1,2,3} {
	w = newWorld(t, "testdata/one")
	fresh := w.snapshots()
	w.mustConverge(provision.PlanOptions{})
	f := fault{n1, len(steps[n1]), "x", mode}
	hit := w.inject(f)
	_, err := w.apply(t.Context(), w.plan(removal), nil)
	t.Log(hit(), err)
	t.Log(says(w.plan(removal)))
	w.cleared(fresh)
	}
}
