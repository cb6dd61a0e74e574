// Command versiontable writes the tables of feature gates, admission plugins and config fields over the minors of
// Kubernetes, read from its sources, and what other programs each minor goes with. Usage: versiontable REPOSITORY
package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/mod/semver"

	"hardway/tools/internal/flagscan"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "versiontable:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) != 1 {
		return errors.New("want the top directory of the repository as the only argument")
	}
	gates := history{header: "name\tsince\tdeprecated\tlocked\tvalue\tremoved\tsource"}
	plugins := history{header: "name\tsince\tremoved\tsource"}
	fields := history{header: "component\tfield\tsince\tremoved\tsource"}
	apis := "component\tminor\tapi\tsource\n"
	companions := "minor\tetcd\toldest_etcd\tpause\tcoredns\tsource\n"
	for _, version := range flagscan.Versions {
		minor := strings.TrimPrefix(semver.MajorMinor("v"+version), "v")
		all, err := flagscan.Gates(ctx, version)
		if err != nil {
			return err
		}
		for _, gate := range all {
			gates.see(gate.Name, version, gate.Deprecated, gate.Locked)
		}
		gates.end(version)
		names, err := flagscan.Plugins(ctx, version)
		if err != nil {
			return err
		}
		for _, name := range names {
			plugins.see(name, version, false, "")
		}
		plugins.end(version)
		objects, err := flagscan.ConfigObjects(ctx, version)
		if err != nil {
			return err
		}
		for _, component := range slices.Sorted(maps.Keys(objects)) {
			for field := range objects[component].Fields {
				fields.see(component+"\t"+field, version, false, "")
			}
			apis += strings.Join([]string{component, minor, objects[component].APIVersion, component + " config types of " + version}, "\t") + "\n"
		}
		fields.end(version)
		c, err := flagscan.CompanionsOf(ctx, version)
		if err != nil {
			return err
		}
		companions += strings.Join([]string{minor, c.Etcd, c.OldestEtcd, c.Pause, c.CoreDNS, "kubeadm " + version + ": app/constants"}, "\t") + "\n"
	}
	for name, text := range map[string]string{
		"units/tables/gates": gates.table(func(r *entry) []string {
			return []string{r.since, r.deprecated, r.locked, r.value, r.removed, r.source()}
		}),
		"units/tables/admission": plugins.table(func(r *entry) []string { return []string{r.since, r.removed, r.source()} }),
		"units/tables/fields": fields.table(func(r *entry) []string {
			if r.since == "" && r.removed == "" {
				return nil // as old as the table and still there: the type says all
			}
			return []string{r.since, r.removed, r.source()}
		}),
		"units/tables/config-apis": apis,
		"versions/companions":      companions,
	} {
		if err := os.WriteFile(filepath.Join(args[0], name+".tsv"), []byte(text), 0o644); err != nil {
			return fmt.Errorf("writing the table of %s: %w", name, err)
		}
	}
	return nil
}
