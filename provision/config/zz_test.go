package config

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"time"
)

func TestZZ(t *testing.T) {
	debug.SetMaxStack(256 << 20)
	rep := strings.Repeat
	deepchain := "1"
	for i := 0; i < 95; i++ { deepchain = "(" + deepchain + rep("+1", 490) + ")" }
	for name, src := range map[string]string{
		"list": "locals {\n a = [" + rep("1,", 500000) + "]\n}",
		"deep": "locals {\n a = " + deepchain + "\n}",
		"num":  "locals {\n a = \"${\"1e600000000\" * 1}x\"\n}",
		"cond": "locals {\n a = true ? \"1e600000000\" * 1 : \"a\"\n}",
		"sq": "locals {\n a0 = 1e300\n" + func() string { s := ""; for i := 0; i < 40; i++ { s += fmt.Sprintf(" a%d = local.a%d * local.a%d\n", i+1, i, i) }; return s }() + "}",
		"yamlbomb": "locals {\n a = yamldecode(<<EOT\n" + func() string { s := "a0: &a0 [x,x,x,x,x,x,x,x,x]\n"; for i := 1; i < 12; i++ { s += fmt.Sprintf("a%d: &a%d [*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d]\n", i, i, i-1, i-1, i-1, i-1, i-1, i-1, i-1, i-1) }; return s }() + "EOT\n)\n}",
		"tuplelaugh": "locals {\n a = [" + rep("local.b,", 100000) + "]\n b = [for i in range(1000): i]\n}",
		"strlaugh": "locals {\n a = \"" + rep("${local.b}", 100000) + "\"\n b = join(\"\", [for i in range(1000): format(\"%2000s\", \"x\")])\n}",
		"attrs": "locals {\n" + func() string { var b strings.Builder; for i := 0; i < 60000; i++ { fmt.Fprintf(&b, "a%d = 1\n", i) }; return b.String() }() + "}",
		"attrsref": "locals {\n" + func() string { var b strings.Builder; for i := 0; i < 30000; i++ { fmt.Fprintf(&b, "a%d = local.a%d\n", i, i+1) }; return b.String() }() + "}",
		"unknownattrs": "cluster \"x\" {\n" + func() string { var b strings.Builder; for i := 0; i < 60000; i++ { fmt.Fprintf(&b, "a%d = 1\n", i) }; return b.String() }() + "}",
		"unknownrefs": "locals {\n a = [" + rep("var.x,", 150000) + "]\n}",
		"flagsbig": "kubelet {\n flags = {" + func() string { var b strings.Builder; for i := 0; i < 30000; i++ { fmt.Fprintf(&b, "a%d = 1\n", i) }; return b.String() }() + "}\n}",
		"objnest": "kubelet {\n config = " + rep("{ a = ", 95) + "1" + rep("}", 95) + "\n}",
		"regexp": "locals {\n a = regexall(\"(a|b|ab)*{1000}\", \"" + rep("ab", 1000) + "\")\n}",
		"yamldeepblock": "locals {\n a = yamldecode(join(\"\", [for i in range(900): \"${format(\"%${i+1}s\", \"\")}a:\\n\"]))\n}",
		"yamlmap": "locals {\n a = yamldecode(\"" + rep("a: ", 100000) + "\")\n}",
		"jsonkeys": "locals {\n a = jsondecode(\"" + rep("{\\\"a\\\":", 900) + "1" + rep("}", 900) + "\")\n}",
		"setbig": "locals {\n r=range(500)\n a = toset([for i in local.r : [for j in range(200): i*j]])\n}",
		"hosts": "node \"n\" {\n for_each = { for i in range(1000) : \"n${i}\" => i }\n address = cidrhost(\"172.16.0.0/16\", each.value+10)\n labels = { a = master[\"m1\"].address }\n kubelet {\n config = { a = { b = each.key } }\n }\n}",
	} {
		runtime.GC()
		var a, b runtime.MemStats
		runtime.ReadMemStats(&a)
		start := time.Now()
		_, _, diags := loadFiles(t, with(map[string]string{"main.hcl": src}), Options{})
		d := ""
		if len(diags) > 0 { d = diags[0].Summary + ": " + diags[0].Detail }
		took := time.Since(start)
		runtime.ReadMemStats(&b)
		fmt.Printf("%-14s %8v alloc %5d MB sys %5d MB n=%d %.110q\n", name, took.Round(time.Millisecond), (b.TotalAlloc-a.TotalAlloc)>>20, b.Sys>>20, len(diags), d)
	}
}
