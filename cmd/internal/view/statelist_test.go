package view

import (
	"bytes"
	"testing"

	"hardway/provision/addr"
	"hardway/provision/resource"
)

func TestStateListGolden(t *testing.T) {
	list := []addr.Address{at(cluster, resource.KindNode, "n1"), at(m1, resource.KindUnit, "etcd"), at(n1, resource.KindFile, "odd\x1b[31m name")}
	var b, j bytes.Buffer
	for _, err := range []error{
		StateList(&b, list), StateListJSON(&j, list), StateListJSON(&j, nil),
		Forgetting(&b, list, []addr.Host{m1, n1}, Style{Width: 80}), Forgot(&b, 3, Style{}), Forgot(&b, 1, Style{}), Pushed(&b, 12, 160, Style{}),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	golden(t, "state/list.txt", b.String())
	golden(t, "state/list.json", j.String())
}
