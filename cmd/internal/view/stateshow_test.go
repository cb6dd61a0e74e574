package view

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"hardway/provision/resource"
)

func TestStateResourceGolden(t *testing.T) {
	record := struct {
		Spec       resource.Spec     `json:"spec"`
		SpecDigest string            `json:"spec_digest"`
		DependsOn  []string          `json:"depends_on,omitempty"`
		Prior      map[string]any    `json:"prior"`
		Labels     map[string]string `json:"labels"`
		Applied    time.Time         `json:"applied"`
		Gates      []resource.Gate   `json:"gates"`
		Nothing    *int              `json:"nothing"`
		Share      float64           `json:"share"`
	}{
		Spec: resource.Spec{Unit: &resource.Unit{Name: "kubelet.service", Path: "/etc/systemd/system/kubelet.service", Meta: resource.Root(0o644),
			Content: "[Unit]\nDescription=Kubelet\x1b[2J\n\n[Service]\nExecStart=/usr/local/bin/kubelet \\\n  --v=2\n", Inputs: "abc", Enabled: true,
			Gate: &resource.Gate{Name: "kubelet /healthz", HTTP: "http://127.0.0.1:10248/healthz", Timeout: 90 * time.Second}}},
		SpecDigest: "0123", DependsOn: []string{`node["n1"].file["a"]`, `node["n1"].file["b"]`},
		Prior: map[string]any{"exists": false}, Labels: map[string]string{"tier\x07": "gold"}, Applied: start,
		Gates: []resource.Gate{{Name: "one", Timeout: time.Minute}, {Name: "two", Argv: []string{"true"}}}, Share: 0.5,
	}
	a := at(n1, resource.KindUnit, "kubelet")
	var b, j bytes.Buffer
	if err := StateResource(&b, a, record, Style{Width: 80}); err != nil {
		t.Fatal(err)
	}
	golden(t, "state/resource.txt", b.String())
	if err := StateResourceJSON(&j, a, record); err != nil {
		t.Fatal(err)
	}
	if !json.Valid(j.Bytes()) || !strings.Contains(j.String(), `"address": "node[\"n1\"].unit[\"kubelet\"]"`) {
		t.Errorf("%s", j.String())
	}
}
