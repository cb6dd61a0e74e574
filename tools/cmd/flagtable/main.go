// Command flagtable writes the tables of component flags: one file a component, from the constructors of the given
// versions and the hand-entered rows. Usage: flagtable [flags] DIRECTORY
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
	"hardway/tools/internal/flagtable"
	"hardway/tools/internal/progress"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); errors.Is(err, flag.ErrHelp) {
		os.Exit(2)
	} else if err != nil {
		fmt.Fprintln(os.Stderr, "flagtable:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("flagtable", flag.ContinueOnError)
	kubernetes := flags.String("kubernetes", "1.36.3,1.37.1", "versions, comma separated, one a minor")
	etcd := flags.String("etcd", "3.6.16,3.7.3", "versions, comma separated, one a minor")
	if err := flags.Parse(args); err != nil {
		return flag.ErrHelp
	}
	if flags.NArg() != 1 {
		return fmt.Errorf("want the directory of the tables as the only argument, not %d", flags.NArg())
	}
	legacy, err := flagtable.Legacy()
	if err != nil {
		return err
	}
	dir, err := cache.Open(ctx)
	if err != nil {
		return err
	}
	defer dir.Close()
	log, err := dir.Log("flagtable.log")
	if err != nil {
		return err
	}
	defer log.Close()
	builder := flagtable.Builder{Dir: dir.Path("build"), Log: log, Step: progress.New(os.Stderr).Step}

	versions := map[string][]flagtable.Version{}
	for _, version := range strings.Split(*kubernetes, ",") {
		components, err := builder.Kubernetes(ctx, version)
		if err != nil {
			return err
		}
		for component, v := range components {
			versions[component] = append(versions[component], v)
		}
	}
	for _, version := range strings.Split(*etcd, ",") {
		v, err := builder.Etcd(ctx, version)
		if err != nil {
			return err
		}
		versions["etcd"] = append(versions["etcd"], v)
	}
	for component, all := range versions {
		rows, err := flagtable.Merge(component, all, legacy[component])
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(flags.Arg(0), component+".tsv"), flagtable.Format(rows), 0o644); err != nil {
			return fmt.Errorf("writing the table of %s: %w", component, err)
		}
	}
	return nil
}
