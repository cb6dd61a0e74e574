package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"hardway/cmd/internal/command"
)

// names are the pages that there should be, with the words that each must have.
func names(cmd *cobra.Command, into map[string][]string) {
	if !cmd.IsAvailableCommand() && cmd.HasParent() {
		return
	}
	words := []string{"hardway", "SYNOPSIS"}
	for _, w := range strings.Fields(cmd.Short + " " + cmd.Long) {
		if strings.ContainsAny(w, "*_`") && !strings.Contains(cmd.CommandPath(), "completion") {
			words = append(words, w) // the writer takes the text for Markdown
		}
	}
	if cmd.HasExample() && !strings.Contains(cmd.CommandPath(), "completion") {
		words = append(words, "EXAMPLE")
	}
	into[strings.ReplaceAll(cmd.CommandPath(), " ", "-")+".1"] = words
	for _, sub := range cmd.Commands() {
		names(sub, into)
	}
}

func TestPages(t *testing.T) {
	dir, again := t.TempDir(), t.TempDir()
	if err := write(dir, "1.2.3", "1700000000"); err != nil {
		t.Fatal(err)
	}
	if err := write(again, "1.2.3", "1700000000"); err != nil {
		t.Fatal(err)
	}
	want := map[string][]string{}
	names(command.Tree("1.2.3"), want)
	if len(want) < 25 {
		t.Fatalf("only %d commands were found", len(want))
	}
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) != len(want) {
		t.Errorf("%d pages for %d commands (%v)", len(files), len(want), err)
	}
	for name, words := range want {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Error(err)
			continue
		}
		if !strings.HasPrefix(string(b), `.nh
.TH "`) || !strings.Contains(string(b), `"Nov 2023" "hardway 1.2.3"`) {
			t.Errorf("%s begins with %.80q", name, b)
		}
		for _, w := range words {
			if !strings.Contains(string(b), w) {
				t.Errorf("%s has no %s", name, w)
			}
		}
		if other, err := os.ReadFile(filepath.Join(again, name)); err != nil || !bytes.Equal(b, other) {
			t.Errorf("%s is another one when it is written again (%v)", name, err)
		}
		formatted(t, filepath.Join(dir, name))
	}
}

// formatted has groff read a page, where there is one: it must have nothing to say.
func formatted(t *testing.T, path string) {
	t.Helper()
	groff, err := exec.LookPath("groff")
	if err != nil {
		return
	}
	if out, err := exec.Command(groff, "-man", "-Tutf8", "-ww", "-z", path).CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("groff %s: %v\n%s", filepath.Base(path), err, out)
	}
}

func TestBadDate(t *testing.T) {
	if err := write(t.TempDir(), "", "yesterday"); err == nil || !strings.Contains(err.Error(), "SOURCE_DATE_EPOCH") {
		t.Errorf("a bad date: %v", err)
	}
}
