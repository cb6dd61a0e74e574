package desired

import (
	"fmt"
	"strings"
	"testing"
)

// large is the configuration of three masters and many nodes.
func large(t testing.TB, nodes int) string {
	var b strings.Builder
	b.WriteString(changed(t, source(t, "three"), "192.168.10.31", "10.1.0.31", "192.168.10.32", "10.1.0.32", `"10.200.0.0/16"`, `"10.64.0.0/12"`))
	fmt.Fprintf(&b, "node \"w\" {\n  for_each = { for i in range(%d) : \"w${i}\" => cidrhost(\"10.2.0.0/16\", i + 1) }\n  address = each.value\n}\n", nodes)
	return b.String()
}

// BenchmarkBuild grows with the square of the hosts: each has a route to every
// other, and a line for it in /etc/hosts.
func BenchmarkBuild(b *testing.B) {
	for _, nodes := range []int{100, 300} {
		b.Run(fmt.Sprint(nodes), func(b *testing.B) {
			in := input(b, large(b, nodes))
			for b.Loop() {
				if _, err := Build(in); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
