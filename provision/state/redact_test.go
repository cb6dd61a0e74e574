package state

import (
	"encoding/json"
	"strings"
	"testing"

	"hardway/provision/resource"
)

func TestRedacted(t *testing.T) {
	file := func(mode uint32, content string) resource.Spec {
		return resource.Spec{File: &resource.File{Path: "/x", Meta: resource.Root(mode), Content: content}}
	}
	key := "-----BEGIN EC PRIVATE KEY-----\nCANARY"
	for _, c := range []struct {
		name  string
		spec  resource.Spec
		shown bool
	}{
		{"a file", file(0o600, "CANARY"), true},
		{"a key", file(0o644, key), false},
		{"a kubeconfig with a token", file(0o600, "users:\n- name: x\n  user:\n    token: CANARY\n"), false},
		{"a password", file(0o600, "password = CANARY\n"), false},
		{"a word that is none", file(0o600, "tokenWebhook: CANARY\n"), true},
		{"a unit", resource.Spec{Unit: &resource.Unit{Content: "CANARY"}}, true},
		{"a unit with a key", resource.Spec{Unit: &resource.Unit{Content: key}}, false},
		{"a block", resource.Spec{Block: &resource.Block{Path: "/etc/hosts", Content: "CANARY"}}, true},
		{"a block with a key", resource.Spec{Block: &resource.Block{Path: "/etc/hosts", Content: key}}, false},
		{"an object", resource.Spec{Object: &resource.Object{Kind: "configmap", Manifest: json.RawMessage(`{"a":"CANARY"}`)}}, true},
		{"a Secret", resource.Spec{Object: &resource.Object{Kind: "Secret", Manifest: json.RawMessage(`{"a":"CANARY"}`)}}, false},
	} {
		r := Record{Spec: c.spec, SpecDigest: c.spec.Digest()}
		text, err := json.Marshal(r.Redacted())
		if err != nil {
			t.Fatal(err)
		}
		if shown := strings.Contains(string(text), "CANARY"); shown != c.shown || !shown && !strings.Contains(string(text), hidden) {
			t.Errorf("%s: %s", c.name, text)
		}
		if c.spec.Digest() != r.SpecDigest {
			t.Errorf("%s: the record itself was changed", c.name)
		}
		if f := r.Redacted().Spec.File; f != nil && !c.shown && f.Digest != resource.SHA256([]byte(c.spec.File.Content)) {
			t.Errorf("%s: no digest stands for the content", c.name)
		}
	}
}
