package command

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hardway/cmd/internal/view"
)

var testApp = &app{env: Env{Version: "0.0.0-test"}}

func TestNormalize(t *testing.T) {
	for name, c := range map[string]struct{ in, want string }{
		"nothing":                 {"", ""},
		"pflag's own":             {"plan --out=x --destroy", "plan --out=x --destroy"},
		"terraform's":             {"plan -out=x -destroy", "plan --out=x --destroy"},
		"bool with value":         {"plan -input=false", "plan --input=false"},
		"value apart":             {"plan -out x", "plan --out x"},
		"value like an option":    {"plan -out -destroy -destroy", "plan --out -destroy --destroy"},
		"value of a var":          {"plan -var a=-b -var -c=d", "plan --var a=-b --var -c=d"},
		"global before":           {"-chdir=x plan -json", "--chdir=x plan --json"},
		"global before, apart":    {"-chdir plan apply -auto-approve", "--chdir plan apply --auto-approve"},
		"global behind":           {"plan -no-color", "plan --no-color"},
		"help":                    {"plan -help", "plan --help"},
		"short help":              {"plan -h", "plan -h"},
		"version":                 {"-version", "--version"},
		"short version":           {"-v", "-v"},
		"subcommand":              {"certs renew -auto-approve apiserver", "certs renew --auto-approve apiserver"},
		"double dash":             {"apply -json -- -out", "apply --json -- -out"},
		"stdin":                   {"fmt -check -", "fmt --check -"},
		"argument, then option":   {"apply lab.plan -json", "apply lab.plan --json"},
		"argument like a command": {"apply plan", "apply plan"},
		"help about a command":    {"help certs renew", "help certs renew"},
		"completion":              {"completion bash --no-descriptions", "completion bash --no-descriptions"},
		"a shell asks":            {"__complete plan -de", "__complete plan -de"},
		"address":                 {`plan -target=node["n1"].unit["kubelet"]`, `plan --target=node["n1"].unit["kubelet"]`},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := normalize(newRoot(testApp), strings.Fields(c.in))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, strings.Join(got, " ")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestNormalizeRefuses(t *testing.T) {
	for in, want := range map[string][2]string{
		"plam":                   {`"hardway" has no command "plam"`, `Did you mean "plan"?`},
		"plam -out=x":            {`"hardway" has no command "plam"`, `Did you mean "plan"?`},
		"xyzzy":                  {`"hardway" has no command "xyzzy"`, ""},
		"certs lits":             {`"hardway certs" has no command "lits"`, `Did you mean "list"?`},
		"apply -autoaprove":      {`"hardway apply" has no option -autoaprove`, "Did you mean --auto-approve?"},
		"apply --auto-aprove":    {`"hardway apply" has no option --auto-aprove`, "Did you mean --auto-approve?"},
		"plan -detailed":         {`"hardway plan" has no option -detailed`, "Did you mean --detailed-exitcode?"},
		"plan -target-file=x":    {`"hardway plan" has no option -target-file`, ""},
		"plan -x":                {`"hardway plan" has no option -x`, ""},
		"validate -auto-approve": {`"hardway validate" has no option -auto-approve`, ""},
		"version -jsno=true":     {`"hardway version" has no option -jsno`, "Did you mean --json?"},
	} {
		_, err := normalize(newRoot(testApp), strings.Fields(in))
		p, ok := errors.AsType[*view.Problem](err)
		if !ok {
			t.Errorf("%q: %v, want a Problem", in, err)
			continue
		}
		if diff := cmp.Diff(want, [2]string{p.Summary, p.Detail}); diff != "" {
			t.Errorf("%q (-want +got):\n%s", in, diff)
		}
		if !strings.Contains(p.Next, "--help") {
			t.Errorf("%q: nothing says what comes next: %q", in, p.Next)
		}
	}
}

func TestNearest(t *testing.T) {
	known := []string{"plan", "apply", "validate", "version", "verify"}
	for word, want := range map[string]string{"pln": "plan", "PLAN": "plan", "aply": "apply", "vali": "validate", "verfy": "verify", "destroy": "", "": ""} {
		if got := nearest(word, known); got != want {
			t.Errorf("nearest(%q) = %q, want %q", word, got, want)
		}
	}
}

// Every command has help that a reader can act on.
func TestHelp(t *testing.T) {
	root := newRoot(testApp)
	queue := root.Commands()
	for len(queue) > 0 {
		c := queue[0]
		queue = append(queue[1:], c.Commands()...)
		for what, text := range map[string]string{"Short": c.Short, "Long": c.Long, "Example": c.Example} {
			if text == "" {
				t.Errorf("%s has no %s", c.CommandPath(), what)
			}
		}
		if column := len("  ") + max(len(c.Name()), len("force-unlock")) + len(" "); column+len(c.Short) > 80 {
			t.Errorf("the list of commands has a line of %d columns for %s", column+len(c.Short), c.CommandPath())
		}
		if n := strings.Count(c.Example, "\n") + 1; n < 2 || n > 4 {
			t.Errorf("%s has %d examples", c.CommandPath(), n)
		}
		if !strings.Contains(c.Example, c.CommandPath()) && !strings.Contains(c.Example, " "+c.Name()) {
			t.Errorf("the examples of %s do not show it", c.CommandPath())
		}
		for line := range strings.Lines(c.Long + "\n" + c.Example) {
			if len(line) > 90 {
				t.Errorf("%s: a line of the help has %d columns: %s", c.CommandPath(), len(line), line)
			}
		}
	}
}

// The examples must at least be understood.
func TestExamplesParse(t *testing.T) {
	root := newRoot(testApp)
	queue := root.Commands()
	for len(queue) > 0 {
		c := queue[0]
		queue = append(queue[1:], c.Commands()...)
		for line := range strings.Lines(c.Example) {
			for _, part := range strings.FieldsFunc(line, func(r rune) bool { return strings.ContainsRune("|>&<#\n", r) }) {
				words := strings.Fields(part)
				if len(words) == 0 || words[0] != "hardway" {
					continue
				}
				args, err := normalize(newRoot(testApp), words[1:])
				if err != nil {
					t.Errorf("%q: %v", part, err)
					continue
				}
				cmd, rest, err := newRoot(testApp).Find(args)
				if err == nil {
					err = cmd.ParseFlags(rest)
				}
				if err == nil && cmd.Args != nil {
					err = cmd.Args(cmd, cmd.Flags().Args())
				}
				if err != nil {
					t.Errorf("%q: %v", part, err)
				}
			}
		}
	}
}
