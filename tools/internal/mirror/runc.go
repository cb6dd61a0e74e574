package mirror

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// copyRunc writes Debian's runc of the upstream version want to output. runc links libseccomp through C, so it is not
// built here. An installed package serves when dpkg says that its files are unchanged; otherwise apt fetches the
// package and nothing is installed. A runc that merely lies on PATH is never taken.
func copyRunc(ctx context.Context, want, output string) error {
	if version, err := command(ctx, "", "dpkg-query", "-W", "-f", "${db:Status-Status} ${Version}", "runc"); err == nil {
		status, version, _ := strings.Cut(version, " ")
		if status == "installed" && upstreamVersion(version) == want {
			return copyInstalledRunc(ctx, output)
		}
	} else if errors.Is(err, exec.ErrNotFound) {
		return fmt.Errorf("looking for Debian's runc: %w (runc is taken from its Debian package; put a runc %s into the mirror by hand elsewhere)", err, want)
	}
	return copyFetchedRunc(ctx, want, output)
}

// copyInstalledRunc copies the program out of the installed package.
func copyInstalledRunc(ctx context.Context, output string) error {
	changed, err := command(ctx, "", "dpkg", "--verify", "runc")
	if err != nil || changed != "" {
		return fmt.Errorf("checking the installed runc package: files differ from the package's: %s %w (apt-get install --reinstall runc)", changed, err)
	}
	files, err := command(ctx, "", "dpkg", "-L", "runc")
	if err != nil {
		return err
	}
	for file := range strings.Lines(files) {
		if file = strings.TrimSpace(file); strings.HasSuffix(file, "/sbin/runc") {
			return copyFile(file, output)
		}
	}
	return fmt.Errorf("looking for runc: the installed package has no …/sbin/runc")
}

// copyFetchedRunc copies the program out of the package that apt knows.
func copyFetchedRunc(ctx context.Context, want, output string) error {
	dir, err := os.MkdirTemp("", "hardway-runc-")
	if err != nil {
		return fmt.Errorf("making a directory for the runc package: %w", err)
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o755); err != nil { // apt's own user writes there
		return fmt.Errorf("opening the directory for the runc package: %w", err)
	}
	if _, err := command(ctx, dir, "apt-get", "download", "runc"); err != nil {
		// A fresh machine may know no packages yet, or ones that its mirror has replaced.
		if _, updateErr := command(ctx, dir, "apt-get", "update"); updateErr != nil {
			return fmt.Errorf("fetching the runc package: %w", errors.Join(err, updateErr))
		}
		if _, err := command(ctx, dir, "apt-get", "download", "runc"); err != nil {
			return fmt.Errorf("fetching the runc package: %w", err)
		}
	}
	packages, err := filepath.Glob(filepath.Join(dir, "runc_*.deb"))
	if err != nil || len(packages) != 1 {
		return fmt.Errorf("fetching the runc package: apt-get left %d packages in %s", len(packages), dir)
	}
	version, err := command(ctx, dir, "dpkg-deb", "-f", packages[0], "Version")
	if err != nil {
		return err
	}
	if upstreamVersion(version) != want {
		return fmt.Errorf("runc %s is wanted, and the package that apt knows is %s (ask for %s, here and as runc_version in the cluster's configuration)",
			want, version, upstreamVersion(version))
	}
	if _, err := command(ctx, dir, "dpkg-deb", "-x", packages[0], filepath.Join(dir, "root")); err != nil {
		return err
	}
	return copyFile(filepath.Join(dir, "root", "usr", "sbin", "runc"), output)
}

// upstreamVersion strips what Debian adds to a version: "1.1.5+ds1-1+deb12u1" is 1.1.5.
func upstreamVersion(debian string) string {
	version := strings.TrimSpace(debian)
	if _, rest, found := strings.Cut(version, ":"); found {
		version = rest // an epoch
	}
	if i := strings.LastIndex(version, "-"); i >= 0 {
		version = version[:i]
	}
	version, _, _ = strings.Cut(version, "+")
	return version
}

// command runs a program in dir and gives its trimmed output; its last words are in the error.
func command(ctx context.Context, dir, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, bytes.TrimSpace(stderr.Bytes()))
	}
	return strings.TrimSpace(stdout.String()), nil
}

// copyFile copies content alone.
func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return fmt.Errorf("copying runc: %w", err)
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		return fmt.Errorf("copying runc: %w", err)
	}
	_, err = io.Copy(out, in)
	if err := errors.Join(err, out.Close()); err != nil {
		return fmt.Errorf("copying runc: %w", err)
	}
	return nil
}
