// Command mirror builds Kubernetes, etcd, containerd and the CNI plugins from Go modules into a local directory that
// `hardway init` can install from, for machines that cannot download releases. A second run only verifies.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"hardway/tools/internal/cache"
	"hardway/tools/internal/mirror"
	"hardway/tools/internal/progress"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); errors.Is(err, flag.ErrHelp) {
		os.Exit(2)
	} else if err != nil {
		fmt.Fprintln(os.Stderr, "mirror:", err)
		os.Exit(1)
	}
}

// list is a comma separated flag.
type list []string

// String is the flag as it is written.
func (l *list) String() string { return strings.Join(*l, ",") }

// Set replaces the list; the empty text empties it.
func (l *list) Set(text string) error {
	*l = nil
	for _, version := range strings.Split(text, ",") {
		if version = strings.TrimPrefix(strings.TrimSpace(version), "v"); version != "" {
			*l = append(*l, version)
		}
	}
	return nil
}

func run(ctx context.Context, args []string) error {
	versions := mirror.Versions{
		Kubernetes: list{"1.37.1"}, Etcd: list{"3.7.3"}, Containerd: list{"2.4.2"}, CNI: list{"1.9.1"}, Runc: "1.1.5",
	}
	flags := flag.NewFlagSet("mirror", flag.ContinueOnError)
	flags.Var((*list)(&versions.Kubernetes), "kubernetes", "versions, comma separated; empty for none")
	flags.Var((*list)(&versions.Etcd), "etcd", "versions, comma separated; empty for none")
	flags.Var((*list)(&versions.Containerd), "containerd", "versions, comma separated; empty for none")
	flags.Var((*list)(&versions.CNI), "cni", "versions of the CNI plugins, comma separated; empty for none")
	flags.StringVar(&versions.Runc, "runc", versions.Runc, "upstream version that Debian's runc package must have; empty for none")
	root := flags.String("mirror", "", "the mirror's directory (default: mirror in the cache)")
	if err := flags.Parse(args); err != nil {
		return flag.ErrHelp
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	dir, err := cache.Open(ctx)
	if err != nil {
		return err
	}
	defer dir.Close()
	if *root == "" {
		*root = dir.Path("mirror")
	}
	where, err := filepath.Abs(*root)
	if err != nil {
		return fmt.Errorf("finding the mirror: %w", err)
	}
	log, err := dir.Log("mirror.log")
	if err != nil {
		return err
	}
	defer log.Close()
	report := progress.New(os.Stderr)
	filler := &mirror.Filler{Mirror: mirror.Mirror{Root: where}, BuildDir: dir.Path("build"), Report: report, Log: log}
	sum, err := filler.Fill(ctx, versions)
	if err != nil {
		return fmt.Errorf("%w\nthe full log is %s", err, log.Name())
	}
	report.Line("mirror %s: %d files kept (verified by sha256), %d made", where, sum.Kept, sum.Made)
	fmt.Println(where)
	return nil
}
