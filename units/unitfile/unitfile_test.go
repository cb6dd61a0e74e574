package unitfile

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseExec(t *testing.T) {
	for name, c := range map[string]struct {
		line string
		want []string
		err  string
	}{
		"plain":                 {"/bin/x --a=b c", []string{"/bin/x", "--a=b", "c"}, ""},
		"quotes within a word":  {`/bin/x --a="b c" 'd "e"'`, []string{"/bin/x", "--a=b c", `d "e"`}, ""},
		"escapes":               {`/bin/x \x41\101\u00e9\U0001F600\s\t`, []string{"/bin/x", "AAé😀 \t"}, ""},
		"continued, comment":    {"/bin/x \\\n  --a \\\n# gone\n  ; gone too\n  --b", []string{"/bin/x", "--a", "--b"}, ""},
		"semicolon":             {`/bin/x \; ";"`, []string{"/bin/x", ";", ";"}, ""},
		"two commands":          {"/bin/x ; /bin/y", nil, "more than one command"},
		"specifier":             {"/bin/x %i", nil, "specifier"},
		"variable":              {"/bin/x ${X}", nil, "variable"},
		"prefix":                {"-/bin/x", nil, "absolute"},
		"open quote":            {`/bin/x "a`, nil, "quote"},
		"unknown escape":        {`/bin/x \q`, nil, "escape"},
		"short escape":          {`/bin/x \x4`, nil, "escape"},
		"surrogate":             {`/bin/x \ud800`, nil, "character"},
		"nul":                   {`/bin/x \x00`, nil, "escape"},
		"reset, then only one":  {"/bin/x\nExecStart=\nExecStart=/bin/y", []string{"/bin/y"}, ""},
		"more than one setting": {"/bin/x\nExecStart=/bin/y", nil, "2 ExecStart"},
		"empty":                 {"", nil, "0 ExecStart"},
	} {
		got, err := ParseExec("[Service]\nExecStart=" + c.line + "\n")
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%s: got %q, %v; want an error with %q", name, got, err, c.err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	if _, err := ParseExec("[Service]\nExecStart=/bin/x %n\n"); !errors.Is(err, ErrExpansion) {
		t.Errorf("a specifier is %v, not ErrExpansion", err)
	}
}

func TestSplitFlags(t *testing.T) {
	program, flags, rest := SplitFlags([]string{"/bin/x", "--a=1", "--b", "word", "--a=2", "-v", "--", "--c=x=y"})
	if diff := cmp.Diff(map[string]string{"a": "1\n2", "b": "true", "c": "x=y"}, flags); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if program != "/bin/x" || !slices.Equal(rest, []string{"word", "-v", "--"}) {
		t.Errorf("program %q, rest %q", program, rest)
	}
}

func TestParseUnit(t *testing.T) {
	got, err := ParseUnit("# c\n\n[Unit]\nDescription = a  b \nAfter=\\\n  x\n; c\n[Service]\r\nEnvironment=\"A=b\"\r\n")
	if err != nil {
		t.Fatal(err)
	}
	want := []Option{{Section: "Unit", Name: "Description", Value: "a  b"}, {Section: "Unit", Name: "After", Value: "x"}, {Section: "Service", Name: "Environment", Value: `"A=b"`}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, bad := range []string{"A=b", "[Unit\nA=b", "[Unit]\nnonsense", "[Unit]\n=x", "[Unit]\nA=b \\", "[]\n"} {
		if got, err := ParseUnit(bad); err == nil {
			t.Errorf("%q was read as %v", bad, got)
		}
	}
}
