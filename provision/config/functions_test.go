package config

import (
	"fmt"
	"strings"
	"testing"

	"github.com/zclconf/go-cty/cty"
	ctyjson "github.com/zclconf/go-cty/cty/json"
)

// TestFunctions evaluates expressions as outputs and compares their JSON.
func TestFunctions(t *testing.T) {
	tests := []struct{ expr, want string }{
		{`abs(-2)`, `2`}, {`ceil(1.2)`, `2`}, {`floor(1.8)`, `1`}, {`max(1, 3, 2)`, `3`}, {`min(1, 3)`, `1`},
		{`parseint("ff", 16)`, `255`}, {`pow(2, 10)`, `1024`}, {`signum(-5)`, `-1`}, {`sum([1, 2, 3])`, `6`},
		{`chomp("a\n")`, `"a"`}, {`format("%s-%02d", "n", 7)`, `"n-07"`}, {`formatlist("n%d", [1, 2])`, `["n1","n2"]`},
		{`indent(2, "a\nb")`, `"a\n  b"`}, {`join(",", ["a", "b"])`, `"a,b"`}, {`split(",", "a,b")`, `["a","b"]`},
		{`lower("AB")`, `"ab"`}, {`upper("ab")`, `"AB"`}, {`title("ab cd")`, `"Ab Cd"`}, {`regex("[0-9]+", "ab12")`, `"12"`},
		{`regexall("[a-z]", "a1b")`, `["a","b"]`}, {`replace("a.b", ".", "-")`, `"a-b"`}, {`replace("a1b2", "/[0-9]/", "")`, `"ab"`},
		{`strrev("abc")`, `"cba"`}, {`substr("hello", 1, 3)`, `"ell"`}, {`trim("xax", "x")`, `"a"`}, {`trimspace(" a ")`, `"a"`},
		{`trimprefix("v1.2", "v")`, `"1.2"`}, {`trimsuffix("a.b", ".b")`, `"a"`}, {`startswith("abc", "ab")`, `true`},
		{`endswith("abc", "ab")`, `false`}, {`strcontains("abc", "b")`, `true`},
		{`chunklist(["a", "b", "c"], 2)`, `[["a","b"],["c"]]`}, {`coalesce(null, "", "a")`, `""`}, {`coalescelist([], ["a"])`, `["a"]`},
		{`compact(["a", "", "b"])`, `["a","b"]`}, {`concat([1], [2])`, `[1,2]`}, {`contains(["a"], "a")`, `true`},
		{`distinct(["a", "a"])`, `["a"]`}, {`element(["a", "b"], 3)`, `"b"`}, {`flatten([[1], [2, [3]]])`, `[1,2,3]`},
		{`index(["a", "b"], "b")`, `1`}, {`keys({ b = 1, a = 2 })`, `["a","b"]`}, {`values({ b = 1, a = 2 })`, `[2,1]`},
		{`length("häß")`, `3`}, {`length([1, 2])`, `2`}, {`length({ a = 1 })`, `1`}, {`lookup({ a = 1 }, "b", 2)`, `2`},
		{`merge({ a = 1 }, { b = 2 })`, `{"a":1,"b":2}`}, {`range(3)`, `[0,1,2]`}, {`reverse([1, 2])`, `[2,1]`},
		{`setproduct(["a"], ["b", "c"])`, `[["a","b"],["a","c"]]`}, {`setunion(["a"], ["b"])`, `["a","b"]`},
		{`setintersection(["a", "b"], ["b"])`, `["b"]`}, {`setsubtract(["a", "b"], ["b"])`, `["a"]`}, {`slice([1, 2, 3], 1, 2)`, `[2]`},
		{`sort(["b", "a"])`, `["a","b"]`}, {`zipmap(["a"], [1])`, `{"a":1}`}, {`one(["x"])`, `"x"`}, {`one([]) == null`, `true`},
		{`alltrue([true, false])`, `false`}, {`alltrue([])`, `true`}, {`anytrue([false, true])`, `true`}, {`anytrue([])`, `false`},
		{`tobool("true")`, `true`}, {`tolist(toset(["b", "a"]))`, `["a","b"]`}, {`tomap({ a = "x" })`, `{"a":"x"}`},
		{`tonumber("5")`, `5`}, {`tostring(5)`, `"5"`}, {`csvdecode("a,b\n1,2")`, `[{"a":"1","b":"2"}]`},
		{`jsondecode("{\"a\": [1]}")`, `{"a":[1]}`}, {`jsonencode({ a = [1] })`, `"{\"a\":[1]}"`},
		{`yamldecode("a:\n  - 1\n  - b: c\n")`, `{"a":[1,{"b":"c"}]}`}, {`yamlencode({ a = 1 })`, `"\"a\": 1\n"`},
		{`formatdate("YYYY", "2026-11-20T00:00:00Z")`, `"2026"`}, {`timeadd("2026-11-20T00:00:00Z", "1h")`, `"2026-11-20T01:00:00Z"`},
		{`cidrhost("10.0.0.0/16", 5)`, `"10.0.0.5"`}, {`cidrhost("10.0.0.0/16", -1)`, `"10.0.255.255"`}, {`cidrnetmask("10.0.0.0/12")`, `"255.240.0.0"`},
		{`cidrsubnet("10.0.0.0/16", 8, 3)`, `"10.0.3.0/24"`}, {`cidrsubnets("10.0.0.0/16", 8, 8, 4)`, `["10.0.0.0/24","10.0.1.0/24","10.0.16.0/20"]`},
		{`cidrcontains("10.0.0.0/16", "10.0.5.1")`, `true`},
		{`base64encode("a")`, `"YQ=="`}, {`base64decode("YQ==")`, `"a"`}, {`substr(md5("a"), 0, 4)`, `"0cc1"`}, {`substr(sha1("a"), 0, 4)`, `"86f7"`},
		{`substr(sha256("a"), 0, 8)`, `"ca978112"`}, {`substr(sha512("a"), 0, 8)`, `"1f40fc92"`},
		{`try(local.nothing.here, "fallback")`, `"fallback"`}, {`can(local.nothing.here)`, `false`},
		{`file("data/a.txt")`, `"hello"`}, {`filebase64("data/a.txt")`, `"aGVsbG8="`}, {`fileexists("data/a.txt")`, `true`}, {`fileexists("nope")`, `false`},
		{`substr(filesha256("data/a.txt"), 0, 8)`, `"2cf24dba"`}, {`fileset("data", "*.txt")`, `["a.txt","b.txt"]`},
		{`fileset(".", "data/**/*.txt")`, `["data/a.txt","data/b.txt","data/sub/c.txt"]`}, {`fileset("data", "sub")`, `[]`},
		{`templatefile("t.tpl", { names = ["a", "b"] })`, `"- a\n- b\n"`}, {`basename("/a/b")`, `"b"`}, {`dirname("/a/b")`, `"/a"`},
		{`pathexpand("~/x")`, `"/home/u/x"`}, {`pathexpand("x")`, `"x"`}, {`abspath("x") == "${abspath(".")}/x"`, `true`},
		{`nonsensitive(sensitive("a"))`, `"a"`}, {`issensitive(sensitive("a"))`, `true`}, {`issensitive({ a = sensitive("a") })`, `true`}, {`issensitive("a")`, `false`},
	}
	var main strings.Builder
	main.WriteString("locals {\n  nothing = {}\n}\n")
	for i, tt := range tests {
		fmt.Fprintf(&main, "output \"o%03d\" {\n  value = %s\n}\n", i, tt.expr)
	}
	c := mustLoad(t, map[string]string{
		"main.hcl": main.String(), "data/a.txt": "hello", "data/b.txt": "x", "data/sub/c.txt": "x", "data/d.bin": "x",
		"t.tpl": "%{ for n in names ~}\n- ${n}\n%{ endfor ~}\n",
	}, Options{UserHome: "/home/u"})
	if len(c.Outputs) != len(tests) {
		t.Fatalf("%d outputs, want %d", len(c.Outputs), len(tests))
	}
	for i, tt := range tests {
		v := c.Outputs[i].Value
		got, err := ctyjson.Marshal(v, v.Type())
		if err != nil {
			t.Errorf("%s: %v", tt.expr, err)
			continue
		}
		if string(got) != tt.want {
			t.Errorf("%s = %s, want %s", tt.expr, got, tt.want)
		}
	}
}

// TestFunctionErrors: each call must fail, and fail fast, with a word on why.
func TestFunctionErrors(t *testing.T) {
	deep := strings.Repeat("[", 2000)
	for expr, want := range map[string]string{
		`format("%*d", 5, 1)`: "format", `format("%.99999f", 1)`: "width", `formatlist("%999999s", ["a"])`: "width",
		`indent(1000000000, "a\nb")`: "from 0 to", `join(local.long, range(1000))`: "too large", `replace(local.long, " ", local.long)`: "too large",
		`replace("a", "/(/", "")`: "regular expression", `pow(10, 100000)`: "must not be", `tonumber("1e999999999")`: "too large",
		`jsondecode("` + deep + `")`: "nested", `yamldecode("` + deep + `")`: "nested", `yamldecode("` + strings.Repeat("- ", 2000) + `")`: "nested",
		`templatefile("recursive.tpl", {})`: "no function", `templatefile("absent.tpl", {})`: "does not exist", `templatefile("bad.tpl", {})`: "bad.tpl:1",
		`templatefile("recursive.tpl", 1)`: "object", `file("/dev/zero")`: "not a regular file", `file("binary")`: "not UTF-8", `file("data")`: "not a regular file",
		`file("~root/x")`: "home directory", `file("")`: "empty", `fileset("/proc", "**")`: "/proc", `fileset(".", "[")`: "pattern",
		`cidrsubnets("10.0.0.0/30", 1, 1, 1)`: "no room", `cidrhost("10.0.0.0/30", 1e300)`: "too large", `cidrnetmask("fd00::/8")`: "IPv4",
		`cidrsubnet("x", 1, 1)`: "network", `base64decode("*")`: "base64", `one([1, 2])`: "more than one", `sum([])`: "number", `length(5)`: "string",
	} {
		_, f, diags := loadFiles(t, with(map[string]string{
			"main.hcl":      "locals {\n  long = format(\"%4000s\", join(\"\", [for i in range(20) : format(\"%4000s\", \"x\")]))\n  v = " + expr + "\n}\n",
			"recursive.tpl": `${templatefile("recursive.tpl", {})}`, "bad.tpl": "${", "binary": "\xff\xfe", "data/x": "x",
		}), Options{})
		text := strings.Join(strings.Fields(render(t, f, diags)), " ")
		if !diags.HasErrors() || !strings.Contains(text, want) {
			t.Errorf("%.60s: want an error with %q, got:\n%s", expr, want, text)
		}
	}
}

func TestValueSize(t *testing.T) {
	small := cty.TupleVal([]cty.Value{cty.StringVal("abc"), cty.NumberIntVal(1)})
	if n, err := valueSize(small); err != nil || n == 0 {
		t.Errorf("valueSize = %d, %v", n, err)
	}
	v := small
	for range 60 { // small in memory, endless to walk
		v = cty.TupleVal([]cty.Value{v, v})
	}
	if n, err := valueSize(v); err == nil {
		t.Errorf("valueSize = %d, want an error", n)
	}
}
