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

	"golang.org/x/mod/semver"

	"hardway/tools/internal/cache"
	"hardway/tools/internal/flagscan"
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
	kubernetes := flags.String("kubernetes", "1.29.15,1.33.13,1.34.4,1.35.4,1.36.3,1.37.1", "versions to compile, comma separated, one a minor")
	etcd := flags.String("etcd", "3.6.16,3.7.3", "versions to compile, comma separated, one a minor")
	scan := flags.String("scan", strings.Join(flagscan.Versions, ","), "versions of Kubernetes to read the source of, comma separated, one a minor")
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
	compiled := map[string]bool{}
	for _, version := range strings.Split(*kubernetes, ",") {
		compiled[semver.MajorMinor("v"+version)] = true
		components, err := builder.Kubernetes(ctx, version)
		if err != nil {
			return err
		}
		for component, v := range components {
			versions[component] = append(versions[component], v)
		}
	}
	for _, version := range strings.Split(*scan, ",") {
		if compiled[semver.MajorMinor("v"+version)] {
			continue // the constructor knows better
		}
		components, lost, err := flagscan.Kubernetes(ctx, version)
		if err != nil {
			return err
		}
		if len(lost) > 0 {
			return fmt.Errorf("the source of %s cannot be followed:\n%s", version, strings.Join(lost, "\n"))
		}
		for component, v := range components {
			versions[component] = append(versions[component], v)
		}
	}
	old, err := flagscan.Etcd(ctx)
	if err != nil {
		return err
	}
	versions["etcd"] = append(versions["etcd"], old...)
	for _, version := range strings.Split(*etcd, ",") {
		v, err := builder.Etcd(ctx, version)
		if err != nil {
			return err
		}
		versions["etcd"] = append(versions["etcd"], v)
	}
	var problems []error
	for component, all := range versions {
		rows, err := flagtable.Merge(component, all, legacy[component])
		if err != nil {
			problems = append(problems, err)
			continue
		}
		if err := os.WriteFile(filepath.Join(flags.Arg(0), component+".tsv"), flagtable.Format(rows), 0o644); err != nil {
			return fmt.Errorf("writing the table of %s: %w", component, err)
		}
	}
	return errors.Join(problems...)
}
