package command

import (
	"fmt"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"hardway/cmd/internal/view"
	"hardway/provision"
	"hardway/provision/addr"
	"hardway/provision/config"
)

// inputs are the options that every command has which loads a configuration.
type inputs struct {
	vars []config.VarInput
}

func (in *inputs) register(cmd *cobra.Command) {
	cmd.Flags().Var(&varFlag{into: &in.vars}, "var", "give a variable a value, as `name=value`; may be repeated")
	cmd.Flags().Var(&varFlag{into: &in.vars, file: true}, "var-file", "read values of variables from a `file`; may be repeated")
}

// varFlag collects --var and --var-file in one list, because their order counts.
type varFlag struct {
	into *[]config.VarInput
	file bool
}

func (v *varFlag) Set(text string) error {
	if v.file {
		*v.into = append(*v.into, config.VarInput{File: text})
		return nil
	}
	in, err := config.ParseVar(text)
	if err != nil {
		return err
	}
	*v.into = append(*v.into, in)
	return nil
}

func (v *varFlag) String() string { return "" } // never printed: values may be secret
func (v *varFlag) Type() string   { return "string" }

// options are the part of the session's options that all commands share.
func (a *app) options(in inputs) (provision.Options, error) {
	log, err := a.log()
	return provision.Options{
		Config:  config.Options{Dir: ".", Vars: in.vars, Environ: a.env.Environ, UserHome: a.getenv("HOME")},
		Version: a.env.Version, Log: log, Getenv: a.getenv, Now: a.env.Now, AskSecret: a.env.Secret,
	}, err
}

// open loads the configuration of the working directory and shows its warnings.
func (a *app) open(in inputs) (Session, error) { return a.openWith(in, 0, 0) }

func (a *app) openWith(in inputs, parallelism int, lockTimeout time.Duration) (Session, error) {
	o, err := a.options(in)
	if err != nil {
		return nil, err
	}
	o.Parallelism, o.LockTimeout = parallelism, lockTimeout
	s, files, diags := a.env.Open(o)
	if diags.HasErrors() {
		return nil, &configError{diags, files}
	}
	if len(diags) > 0 {
		if err := view.Diagnostics(a.env.Stderr, diags, files.HCL(), a.style(a.env.Stderr)); err != nil {
			return nil, err
		}
		a.say("\n")
	}
	return s, nil
}

// addresses parses the values of --target and --replace.
func addresses(flag string, texts []string) ([]addr.Address, error) {
	var out []addr.Address
	for _, text := range texts {
		at, err := addr.Parse(text)
		if err != nil {
			return nil, &view.Problem{Summary: "Bad --" + flag, Detail: err.Error(), Err: err,
				Next: fmt.Sprintf("Name a host or a resource as a plan shows it, in single quotes for the shell:\n  --%s='node[\"n1\"]'\n  --%s='node[\"n1\"].unit[\"kubelet\"]'", flag, flag)}
		}
		out = append(out, at)
	}
	return out, nil
}

// reading returns a callback that shows on a terminal which hosts have
// answered, and the function that removes the line again.
func (a *app) reading(s Session) (onHost func(addr.Host, error), clear func()) {
	line := a.status()
	var mu sync.Mutex
	total, seen, failed := len(s.Config().Hosts), 0, 0
	line.Set("Reading %d hosts...", total)
	return func(h addr.Host, err error) {
		mu.Lock()
		defer mu.Unlock()
		seen++
		if err != nil {
			failed++
		}
		if failed > 0 {
			line.Set("Reading hosts... %d of %d, %d without an answer (last: %s)", seen, total, failed, h)
			return
		}
		line.Set("Reading hosts... %d of %d (last: %s)", seen, total, h)
	}, line.Clear
}
