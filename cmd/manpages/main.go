// Command manpages writes the man pages of hardway into a directory, one for
// each command, for those who package it.
//
// It knows where to write and which date to give; what the pages say is what
// the commands say of themselves. It is a program of its own, so that nothing
// of the writer of man pages is in hardway.
package main

import (
	"flag"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"hardway/cmd/internal/command"
)

func main() {
	version := flag.String("version", "", "the `version` that stands in the footer")
	flag.Usage = func() {
		fmt.Fprintf(flag.CommandLine.Output(), "Usage: manpages [-version VERSION] DIRECTORY\n\nSOURCE_DATE_EPOCH, in seconds, is the date of the pages.\n")
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() != 1 {
		flag.Usage()
		os.Exit(2)
	}
	if err := write(flag.Arg(0), *version, os.Getenv("SOURCE_DATE_EPOCH")); err != nil {
		fmt.Fprintln(os.Stderr, "manpages:", err)
		os.Exit(1)
	}
}

// write writes all pages: the same bytes for the same version and date. Without
// a date it is the first day of Unix, because that of the build would make each
// build another one.
func write(dir, version, epoch string) error {
	var date time.Time
	if epoch == "" {
		epoch = "0"
	}
	seconds, err := strconv.ParseInt(epoch, 10, 64)
	if err != nil {
		return fmt.Errorf("reading SOURCE_DATE_EPOCH: %w", err)
	}
	date = time.Unix(seconds, 0).UTC()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	root := command.Tree(version)
	quiet(root)
	return doc.GenManTree(root, &doc.GenManHeader{Section: "1", Date: &date, Source: "hardway " + version, Manual: "hardway manual"}, dir)
}

// quiet keeps the writer's line about itself and today's date out of the pages.
func quiet(cmd *cobra.Command) {
	cmd.DisableAutoGenTag = true
	for _, sub := range cmd.Commands() {
		quiet(sub)
	}
}
