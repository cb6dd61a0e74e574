package view

import "testing"

func TestNamedOnce(t *testing.T) {
	for in, want := range map[string]string{
		"":                                       "",
		"x":                                      "x",
		`master["m1"]: master["m1"]: connecting`: `master["m1"]: connecting`,
		`node["n1"].unit["kubelet"]: node["n1"]: node["n1"]: connecting`:    `node["n1"].unit["kubelet"]: connecting`,
		`node["n1"].unit["kubelet"]: node["n1"].unit["kubelet"]: x`:         `node["n1"].unit["kubelet"]: x`,
		`node["n1"]: node["n2"]: x`:                                         `node["n1"]: node["n2"]: x`,
		`node["n1"]: node["n1"].unit["kubelet"]: x`:                         `node["n1"]: node["n1"].unit["kubelet"]: x`,
		`closing node["n1"]: node["n1"]: x`:                                 `closing node["n1"]: x`,
		`node["n1"]: dial tcp: dial tcp: x`:                                 `node["n1"]: dial tcp: dial tcp: x`,
		`node["n1"]: waiting for node["n1"]: x`:                             `node["n1"]: waiting for node["n1"]: x`,
		`node["n1"]: locking: node["n1"]: the lock is held`:                 `node["n1"]: locking: the lock is held`,
		`node["n1"]: it needs master["m1"]: node["n1"] could not be read`:   `node["n1"]: it needs master["m1"]: node["n1"] could not be read`,
		"cluster: cluster.object[\"x\"]: the API server does not answer: x": "cluster: cluster.object[\"x\"]: the API server does not answer: x",
	} {
		if got := NamedOnce(in); got != want {
			t.Errorf("NamedOnce(%s)\n got %s\nwant %s", in, got, want)
		}
	}
}
