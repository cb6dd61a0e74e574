package certs

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestSecretsAreNeverPrinted prints everything that carries a key in every
// usual way, also from inside structs whose fields fmt cannot call methods on.
func TestSecretsAreNeverPrinted(t *testing.T) {
	a := testAuthority(t, AuthorityKubernetes)
	leaf, err := Issue(a, testRequest(t, LeafAdmin), testNow)
	if err != nil {
		t.Fatal(err)
	}
	pair, err := NewKeyPair(ECDSAP256)
	if err != nil {
		t.Fatal(err)
	}
	type wrapper struct {
		inner Secret
		list  []Secret
		leaf  Leaf
		ca    *Authority
	}
	values := map[string]struct {
		value  any
		secret Secret
	}{
		"secret":     {leaf.KeyPEM, leaf.KeyPEM},
		"pointer":    {&leaf.KeyPEM, leaf.KeyPEM},
		"leaf":       {leaf, leaf.KeyPEM},
		"authority":  {a, a.KeyPEM},
		"key pair":   {pair, pair.PrivatePEM},
		"combined":   {leaf.Combined(), leaf.KeyPEM},
		"unexported": {wrapper{leaf.KeyPEM, []Secret{leaf.KeyPEM}, leaf, &a}, leaf.KeyPEM},
		"kubeconfig": {KubeconfigSpec{KeyData: leaf.KeyPEM}, leaf.KeyPEM},
		"map":        {map[string]any{"k": []any{leaf.KeyPEM}}, leaf.KeyPEM},
	}
	for name, v := range values {
		t.Run(name, func(t *testing.T) {
			var out []string
			for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%p", "%T", "%10s"} {
				out = append(out, fmt.Sprintf(verb, v.value))
			}
			out = append(out, fmt.Sprint(v.value), fmt.Errorf("x: %v", v.value).Error())
			j, err := json.Marshal(v.value)
			if err != nil {
				t.Fatal(err)
			}
			var logged bytes.Buffer
			slog.New(slog.NewTextHandler(&logged, nil)).Info("x", "v", v.value)
			slog.New(slog.NewJSONHandler(&logged, nil)).Info("x", "v", v.value)
			out = append(out, string(j), logged.String())

			// A line from the middle of the key, as text, in hex and as decimals.
			line := bytes.Split(v.secret.Reveal(), []byte("\n"))[1]
			for _, o := range out {
				for _, form := range []string{string(line), fmt.Sprintf("%x", line), strings.ToUpper(fmt.Sprintf("%x", line)), strings.Trim(fmt.Sprint(line), "[]")} {
					if strings.Contains(o, form) {
						t.Errorf("a key shows in %.200q", o)
					}
				}
			}
		})
	}
}

func TestSecret(t *testing.T) {
	in := []byte("key")
	s := NewSecret(in)
	in[0] = 'X'
	if got := string(s.Reveal()); got != "key" {
		t.Errorf("Reveal() = %q after the caller wiped its copy", got)
	}
	s.Reveal()[0] = 'X'
	if got := string(s.Reveal()); got != "key" {
		t.Errorf("Reveal() = %q after the receiver wiped its copy", got)
	}
	for _, got := range []string{s.String(), s.GoString(), fmt.Sprintf("%s", s), fmt.Sprintf("%#v", &s)} {
		if got != "(sensitive value)" {
			t.Errorf("printed as %q", got)
		}
	}
	if !s.Equal(NewSecret([]byte("key"))) || s.Equal(NewSecret([]byte("kez"))) || s.Equal(Secret{}) {
		t.Error("Equal does not compare the bytes")
	}
	if d := cmp.Diff(s, NewSecret([]byte("key"))); d != "" {
		t.Error(d)
	}
	if (Secret{}).IsSet() || NewSecret(nil).IsSet() || !s.IsSet() || (Secret{}).Reveal() != nil {
		t.Error("IsSet is wrong")
	}
	if got := (Secret{}).String(); got != "(sensitive value)" {
		t.Errorf("the zero secret prints as %q", got)
	}
}
