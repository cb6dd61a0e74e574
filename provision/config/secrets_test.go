package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
)

func TestSecretPrintsNothing(t *testing.T) {
	s := NewSecret("hunter2")
	b, err := json.Marshal(map[string]any{"a": s, "b": Become{Password: s}})
	if err != nil {
		t.Fatal(err)
	}
	hidden := struct{ s Secret }{s} // fmt calls no methods of unexported fields
	all := fmt.Sprintf("%v %+v %#v %s %q %d %x %v %s %v %+v %#v", s, s, s, s, s, s, s, Become{Password: s}, b, hidden, hidden, hidden)
	if strings.Contains(all, "hunter2") || strings.Contains(all, fmt.Sprintf("%x", "hunter2")) {
		t.Errorf("a secret was printed: %s", all)
	}
	if s.Reveal() != "hunter2" || !s.IsSet() || NewSecret("").IsSet() {
		t.Error("a secret lost its text")
	}
}

// leaks are configurations that use a secret wrongly. The secret comes from a
// place each of which has its own way to show up in a message.
var leaks = []string{
	`locals { v = parseint(var.pw, 10) }`,
	`locals { v = tonumber(var.pw) }`,
	`locals { v = var.pw + 1 }`,
	`locals { v = { a = 1 }[var.pw] }`,
	`locals { v = [1][var.pw] }`,
	`locals { v = { a = 1 }.b[var.pw] }`,
	`locals { v = jsondecode(var.pw) }`,
	`locals { v = yamldecode("[${var.pw}") }`,
	`locals { v = regex(var.pw, "x") }`,
	`locals { v = regex("x", var.pw) }`,
	`locals { v = file(var.pw) }`,
	`locals { v = templatefile("t.tpl", { x = var.pw }) }`,
	`locals { v = templatefile(var.pw, {}) }`,
	`locals { v = { for x in [var.pw, var.pw] : x => 1 } }`,
	`locals { v = format("%d", var.pw) }`,
	`locals { v = formatdate("YYYY", var.pw) }`,
	`locals { v = cidrsubnet(var.pw, 1, 1) }`,
	`locals { v = cidrsubnet("10.0.0.0/8", 1, var.pw) }`,
	`locals { v = base64decode(var.pw) }`,
	`locals { v = zipmap([var.pw], [1, 2]) }`,
	`locals { v = tobool(var.pw) ? 1 : 2 }`,
	`locals { v = "x${[var.pw]}" }`,
	`locals { v = { for k, v in { (var.pw) = [1, 2] } : k => { for w in v : k => w } } }`,
	`locals { v = [for k, v in { (var.pw) = 1 } : k + 1] }`,
	`locals {
  w = upper(var.pw)
  v = parseint(local.w, 10)
}`,
	`locals { v = setproduct(var.pw, [1]) }`,
	`locals { v = lookup({}, var.pw) }`,
	`locals { v = try(parseint(var.pw, 10)) }`,
	`locals { v = nonexistent(var.pw) }`,
	`node "n1" { address = var.pw }`,
	`node "n1" { address = "10.0.0.${var.pw}" }`,
	`node "n" {
  for_each = { (var.pw) = "10.0.0.1" }
  address  = each.value
}`,
	`node "n" {
  for_each = toset([var.pw])
  address  = each.value
}`,
	`node "n" {
  for_each = { n1 = var.pw }
  address  = each.value
}`,
	`node "n1" {
  address = "192.168.10.31"
  dynamic "kubelet" {
    for_each = [var.pw]
    content { flags = { v = kubelet.value } }
  }
}`,
	`node "n1" {
  address = "192.168.10.31"
  dynamic "runtime" {
    for_each = [1]
    labels   = [var.pw]
    content {}
  }
}`,
	`kubelet { flags = { (var.pw) = 1 } }`,
	`kubelet { config = { a = { b = var.pw } } }`,
	`api "external" { port = var.pw }`,
	`api "external" { extra_sans = [var.pw] }`,
	`host { swap = var.pw }`,
	`pki { certificate_validity = var.pw }`,
	`state { recipients = [var.pw] }`,
	`binaries { source = "https://u:${var.pw}@example.com" }`,
	`runtime "containerd" { images = { x = var.pw } }`,
	`output "o" { value = { a = [var.pw] } }`,
	`output "o" {
  sensitive = var.pw
  value     = 1
}`,
	`output "o" {
  description = var.pw
  value       = 1
}`,
	`variable "o" {
  default = 1
  validation {
    condition     = var.pw == ""
    error_message = var.pw
  }
}`,
	`variable "o" {
  default = 1
  validation {
    condition     = var.pw
    error_message = "x"
  }
}`,
}

// TestNoLeaks: whatever is done with a sensitive value, and however its
// diagnostics are written, the text is not in them.
func TestNoLeaks(t *testing.T) {
	const secret = "hunter2-correct-horse"
	for _, src := range leaks {
		files := with(map[string]string{
			"main.hcl": "variable \"pw\" {\n  sensitive = true\n}\n" + src + "\n",
			"t.tpl":    "${x + 1} ${parseint(x, 10)}", "hardway.hclvars": "pw = \"" + secret + "\"\n",
		})
		c, f, diags := loadFiles(t, files, Options{})
		if c != nil || !diags.HasErrors() {
			t.Errorf("no error for:\n%s", src)
		}
		checkNoLeak(t, secret, src, f, diags)
	}
	// Given on the command line or in the environment, and of the wrong type.
	for _, opts := range []Options{
		{Environ: []string{"HW_VAR_pw=" + secret}},
		{Vars: []VarInput{{Name: "pw", Value: secret}}},
		{Vars: []VarInput{{Name: "pw", Value: `["` + secret}}},
		{Vars: []VarInput{{Name: "pw", Value: `nofunc("` + secret + `")`}}},
	} {
		for _, ty := range []string{"number", "list(number)", "object({ a = string })"} {
			_, f, diags := loadFiles(t, with(map[string]string{
				"main.hcl": "variable \"pw\" {\n  type      = " + ty + "\n  sensitive = true\n}\n"}), opts)
			checkNoLeak(t, secret, ty, f, diags)
		}
	}
	// Written where secrets should not be.
	for _, src := range []string{
		"variable \"v\" {\n  sensitive = true\n  type      = number\n  default   = \"" + secret + "\"\n}",
		"variable \"v\" {\n  sensitive = true\n  default   = {\n    a = \"" + secret + "\"\n    a = nofunc()\n  }\n}",
		"locals {\n  a = parseint(sensitive(\"" + secret + "\"), 10)\n}",
		"locals {\n  a = sensitive([\"" + secret + "\"]) + 1\n}",
		"node \"n1\" {\n  address = \"192.168.10.31\"\n  ssh {\n    become {\n      method   = \"none\"\n      password = \"" + secret + "\"\n    }\n  }\n}",
		"state {\n  recipients = [\"AGE-SECRET-KEY-" + secret + "\"]\n}",
	} {
		_, f, diags := loadFiles(t, with(map[string]string{"main.hcl": src + "\n"}), Options{})
		if !diags.HasErrors() {
			t.Errorf("no error for:\n%s", src)
		}
		checkNoLeak(t, secret, src, f, diags)
	}
}

func checkNoLeak(t *testing.T, secret, what string, f *Files, diags hcl.Diagnostics) {
	t.Helper()
	var all bytes.Buffer
	all.WriteString(render(t, f, diags))
	if err := hcl.NewDiagnosticTextWriter(&all, f.HCL(), 0, false).WriteDiagnostics(diags); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(&all, "%+v %v", diags, diags.Error())
	if strings.Contains(strings.ToLower(all.String()), secret) {
		t.Errorf("a secret is in the diagnostics of:\n%s\n\n%s", what, all.String())
	}
	for _, d := range diags {
		if d.EvalContext != nil || d.Expression != nil {
			t.Errorf("%s: a diagnostic carries its evaluation context", what)
		}
	}
}

// TestSensitiveOutput: a sensitive value may leave through a sensitive output.
func TestSensitiveOutput(t *testing.T) {
	c := mustLoad(t, map[string]string{"main.hcl": `
variable "pw" {
  sensitive = true
  type      = string
}
output "pw" {
  sensitive = true
  value     = { a = ["x-${var.pw}"] }
}`}, Options{Environ: []string{"HW_VAR_pw=hunter2"}})
	o := c.Outputs[0]
	if !o.Sensitive || o.Value.ContainsMarked() || o.Value.GetAttr("a").AsValueSlice()[0].AsString() != "x-hunter2" {
		t.Errorf("output %#v", o)
	}
}
