package command

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"hardway/provision"
	"hardway/provision/addr"
	"hardway/provision/config"
)

// commands lists the whole tree, the root first.
func commands(root *cobra.Command) []*cobra.Command {
	list := []*cobra.Command{root}
	for i := 0; i < len(list); i++ {
		list = append(list, list[i].Commands()...)
	}
	return list
}

// TestEverythingCompletes: no option and no argument falls back to the names of
// files unless it is one.
func TestEverythingCompletes(t *testing.T) {
	options, arguments := 0, 0
	for _, c := range commands(newRoot(testApp)) {
		c.Flags().VisitAll(func(f *pflag.Flag) {
			if f.NoOptDefVal != "" {
				return
			}
			options++
			word, _ := pflag.UnquoteUsage(f)
			if complete, ok := c.GetFlagCompletionFunc(f.Name); ok != (word != "file" || f.Name == "var-file") || ok && complete == nil {
				t.Errorf("%s --%s: completion %v for a %q", c.CommandPath(), f.Name, ok, word)
			}
		})
		if c.Runnable() && c.ValidArgsFunction == nil {
			t.Errorf("%s: its arguments complete to files", c.CommandPath())
		}
		arguments++
	}
	if options < 40 || arguments < 25 {
		t.Errorf("only %d options and %d commands were seen", options, arguments)
	}
}

func TestSegments(t *testing.T) {
	var list []addr.Address
	for _, text := range []string{`cluster.authority["etcd"]`, `cluster.authority["kubernetes"]`, `master["m1"].cert["a"]`, `master["m1"].unit["etcd"]`, `master["m1"].unit["kubelet"]`, `node["n1"].unit["kubelet"]`} {
		a, err := addr.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, a)
	}
	for _, tt := range []struct {
		typed string
		want  []string
		space bool
	}{
		{"", []string{"cluster", `master["m1"]`, `node["n1"]`}, false},
		{"m", []string{`master["m1"].cert`, `master["m1"].unit`}, false},
		{`master["m1"].u`, []string{`master["m1"].unit["etcd"]`, `master["m1"].unit["kubelet"]`}, true},
		{`master["m1"].unit["k`, []string{`master["m1"].unit["kubelet"]`}, true},
		{"node", []string{`node["n1"].unit["kubelet"]`}, true},
		{"cluster", []string{`cluster.authority["etcd"]`, `cluster.authority["kubernetes"]`}, true},
		{"worker", nil, true},
	} {
		got, directive := segments(list, tt.typed)
		if d := cmp.Diff(tt.want, got); d != "" || (directive&cobra.ShellCompDirectiveNoSpace == 0) != tt.space {
			t.Errorf("%q: directive %d (-want +got):\n%s", tt.typed, directive, d)
		}
	}
}

// TestCompletionIsSilent: whatever is wrong with the directory, a shell hears
// nothing of it, and no file is offered in place of a name.
func TestCompletionIsSilent(t *testing.T) {
	for _, c := range commands(newRoot(testApp)) {
		lines := [][]string{{""}}
		c.Flags().VisitAll(func(f *pflag.Flag) { lines = append(lines, []string{"--" + f.Name, ""}, []string{"--" + f.Name + "="}) })
		for _, line := range lines {
			args := slices.Concat([]string{cobra.ShellCompRequestCmd}, strings.Fields(c.CommandPath())[1:], line)
			r := cliOpening(t, func(provision.Options) (Session, *config.Files, hcl.Diagnostics) {
				return nil, &config.Files{}, hcl.Diagnostics{{Severity: hcl.DiagError, Summary: "Nothing is right"}}
			}, args...)
			if r.code != 0 || strings.Contains(r.stdout+r.stderr, "right") || strings.Contains(r.stderr, "rror") {
				t.Errorf("%v: exit code %d\n%s%s", args, r.code, r.stdout, r.stderr)
			}
		}
	}
}
