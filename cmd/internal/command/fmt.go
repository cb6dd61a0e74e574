package command

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/renameio/v2"
	"github.com/spf13/cobra"

	"hardway/cmd/internal/view"
	"hardway/provision/config"
)

// formatter is one run of fmt.
type formatter struct {
	a                      *app
	check, diff, recursive bool
	write                  bool
	unformatted            int
	failed                 []error
}

func newFmt(a *app) *cobra.Command {
	f := formatter{a: a}
	cmd := &cobra.Command{
		Use:   "fmt [DIR|FILE|-]...",
		Short: "Bring configuration files into canonical form",
		Long: `Rewrites the *.hcl and *.hclvars files of the directory, or those named, in
canonical form, and prints the names of those that it changed. With "-" it
formats its input to its output. A file that does not parse is left alone.`,
		Example: `  hardway fmt
  hardway fmt --check --diff --recursive
  hardway fmt - < cluster.hcl`,
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				args = []string{"."}
			}
			return f.run(args)
		},
	}
	cmd.Flags().BoolVar(&f.check, "check", false, "change nothing; exit with 1 when a file is not in canonical form")
	cmd.Flags().BoolVar(&f.diff, "diff", false, "show what changes")
	cmd.Flags().BoolVar(&f.recursive, "recursive", false, "format files in subdirectories too")
	cmd.Flags().BoolVar(&f.write, "write", true, "write the files; --write=false only names them")
	return cmd
}

func (f *formatter) run(args []string) error {
	for _, arg := range args {
		if arg == "-" {
			src, err := io.ReadAll(f.a.env.Stdin)
			if err != nil {
				return fmt.Errorf("reading the input: %w", err)
			}
			f.note(f.stdin(src))
			continue
		}
		files, err := f.files(arg)
		if err != nil {
			return err
		}
		for _, path := range files {
			f.note(f.file(path))
		}
	}
	if err := errors.Join(f.failed...); err != nil {
		return err
	}
	if f.check && f.unformatted > 0 {
		return exitCode(ExitError)
	}
	return nil
}

func (f *formatter) note(err error) {
	if err != nil {
		f.failed = append(f.failed, err)
	}
}

// files lists what an argument stands for, in order.
func (f *formatter) files(arg string) ([]string, error) {
	info, err := os.Stat(arg)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &view.Problem{Summary: "There is no file or directory " + quoted(arg), Err: err}
	}
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return []string{arg}, nil
	}
	var out []string
	err = filepath.WalkDir(arg, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != arg && (!f.recursive || strings.HasPrefix(d.Name(), ".")):
			return filepath.SkipDir
		case !d.IsDir() && formatted(d.Name()):
			out = append(out, path)
		}
		return nil
	})
	slices.Sort(out)
	return out, err
}

// formatted reports whether fmt is for a file of this name; lock files are
// written by init, which has its own form.
func formatted(name string) bool {
	return !strings.HasPrefix(name, ".") && !strings.HasSuffix(name, ".lock.hcl") &&
		(strings.HasSuffix(name, ".hcl") || strings.HasSuffix(name, ".hclvars"))
}

func (f *formatter) file(path string) error {
	src, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	out, diags := config.FormatSource(path, src)
	if diags.HasErrors() {
		return &configError{diags, config.NewFiles(path, src)}
	}
	if string(out) == string(src) {
		return nil
	}
	f.unformatted++
	if _, err := fmt.Fprintln(f.a.env.Stdout, view.Escape(path)); err != nil {
		return err
	}
	if f.diff {
		if err := view.Diff(f.a.env.Stdout, "old/"+path, "new/"+path, string(src), string(out), f.a.style(f.a.env.Stdout)); err != nil {
			return err
		}
	}
	if f.check || !f.write {
		return nil
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if err := renameio.WriteFile(path, out, info.Mode().Perm(), renameio.IgnoreUmask()); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return nil
}

// stdin formats the input to the output, or, with --check, says nothing.
func (f *formatter) stdin(src []byte) error {
	const name = "<stdin>"
	out, diags := config.FormatSource(name, src)
	if diags.HasErrors() {
		return &configError{diags, config.NewFiles(name, src)}
	}
	if string(out) != string(src) {
		f.unformatted++
	}
	switch {
	case f.diff:
		return view.Diff(f.a.env.Stdout, "old/"+name, "new/"+name, string(src), string(out), f.a.style(f.a.env.Stdout))
	case f.check:
		return nil
	}
	_, err := f.a.env.Stdout.Write(out)
	return err
}
