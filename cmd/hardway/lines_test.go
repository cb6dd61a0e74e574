package main

import "testing"

func TestComplete(t *testing.T) {
	names := []string{"var.user", "var.usage", "upper(", `node["n1"]`, `node["n2"]`, "cidrhost(", "cidrsubnet("}
	for _, tt := range []struct {
		text, want string
		ok         bool
	}{
		{"var.", "var.us", true}, {"var.use", "var.user", true}, {"up", "upper(", true}, {"1 + cidrs", "1 + cidrsubnet(", true},
		{"upper(va", "upper(var.us", true}, {"no", `node["n`, true}, {"zz", "", false}, {"", "", false}, {"1 + ", "", false},
	} {
		got, ok := complete(tt.text, names)
		if ok != tt.ok || ok && got != tt.want {
			t.Errorf("complete(%q) = %q, %v; want %q, %v", tt.text, got, ok, tt.want, tt.ok)
		}
	}
}
