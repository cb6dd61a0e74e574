package flagtable

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"hardway/tools/internal/gomodule"
	"hardway/tools/internal/mirror"
)

// Etcd reads the flags of one version of etcd's server. Most come from the constructor; the few that etcd's main package
// adds are found in its help, which also lists flags that are gone: so the server itself, built from module etcd, is
// asked about each name.
func (b Builder) Etcd(ctx context.Context, version string) (Version, error) {
	src, err := gomodule.Download(ctx, mirror.EtcdServerModule, "v"+version)
	if err != nil {
		return Version{}, err
	}
	dir := filepath.Join(b.Dir, "flags-etcd-"+version)
	if err := src.WriteMain(dir, "hardway.build/flags", mirror.EtcdSiblings(version)); err != nil {
		return Version{}, err
	}
	result := Version{Version: version}
	err = b.Step("reading the flags of etcd "+version, func() error {
		if err := writeProgram(filepath.Join(dir, "etcd"), nil, "dump/etcd.go.txt"); err != nil {
			return err
		}
		flags, err := b.dump(ctx, dir, "etcd")
		if err != nil {
			return err
		}
		server := filepath.Join(dir, "server")
		if err := gomodule.Build(ctx, dir, gomodule.Program{Package: mirror.EtcdServerModule}, server, b.Log); err != nil {
			return err
		}
		defer os.Remove(server)
		help, err := exec.CommandContext(ctx, server, "--help").CombinedOutput() // its usage goes to stderr
		if err != nil {
			return fmt.Errorf("reading etcd's help: %w", err)
		}
		for _, flag := range append(flags, helpFlags(string(help), flags)...) {
			known, err := etcdKnows(ctx, server, flag.Name)
			if err != nil {
				return err
			}
			if known {
				flag.Deprecated = deprecation(flag.Usage)
				result.Flags = append(result.Flags, flag)
			}
		}
		return nil
	})
	return result, err
}

// helpFlag is a flag in etcd's help: "  --name 'default'" or, in its usage, "  etcd --name", with a description below.
var helpFlag = regexp.MustCompile(`(?m)^ +(?:etcd )?--([a-z0-9-]+) ?(.*)\n((?: {4,}[^- ].*\n)*)`)

// helpFlags are the flags that the help names and known does not have.
func helpFlags(help string, known []Flag) []Flag {
	var flags []Flag
	for _, match := range helpFlag.FindAllStringSubmatch(help, -1) {
		flag := Flag{Name: match[1], Type: "string", Default: strings.Trim(match[2], "'"), Usage: strings.TrimSpace(match[3])}
		if flag.Default == "true" || flag.Default == "false" || flag.Name == "version" {
			flag.Type = "bool"
		}
		same := func(other Flag) bool { return other.Name == flag.Name }
		if !slices.ContainsFunc(known, same) && !slices.ContainsFunc(flags, same) {
			flags = append(flags, flag)
		}
	}
	return flags
}

// etcdKnows asks the server: a name that it does not know ends it before anything else is looked at.
func etcdKnows(ctx context.Context, server, name string) (bool, error) {
	out, err := exec.CommandContext(ctx, server, "--version", "--"+name+"=").CombinedOutput()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		return false, fmt.Errorf("asking etcd about --%s: %w", name, err)
	}
	return !strings.Contains(string(out), "flag provided but not defined: -"+name), nil
}

// deprecation is the sentence of a usage text that takes leave of the flag; one that only announces it is none.
func deprecation(usage string) string {
	for sentence := range strings.SplitSeq(usage, ". ") {
		lower := strings.ToLower(sentence)
		if strings.Contains(lower, "deprecated") && !strings.Contains(lower, "will be deprecated") {
			return sentence
		}
	}
	return ""
}
