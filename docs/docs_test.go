package docs_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"hardway/provision/config"
)

// pages are the documents of the repository, as paths from its root.
func pages(t *testing.T) []string {
	t.Helper()
	var out []string
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != ".." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata"):
			return filepath.SkipDir
		case !d.IsDir() && strings.HasSuffix(path, ".md"):
			out = append(out, filepath.ToSlash(strings.TrimPrefix(path, ".."+string(filepath.Separator))))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(out) < 15 {
		t.Fatalf("only %d documents were found: %v", len(out), out)
	}
	return out
}

func read(t *testing.T, page string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", page))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// block is a fenced block of a document.
type block struct {
	language, text string
	line           int // of the fence
}

// blocks takes a document's fenced blocks out. A fence that is never closed is
// an error, because everything behind it would be left out.
func blocks(t *testing.T, page, text string) []block {
	t.Helper()
	var out []block
	var current *block
	for i, line := range strings.Split(text, "\n") {
		trimmed := strings.TrimSpace(line)
		switch {
		case current == nil && strings.HasPrefix(trimmed, "```"):
			current = &block{language: strings.TrimPrefix(trimmed, "```"), line: i + 1}
		case current != nil && trimmed == "```":
			out = append(out, *current)
			current = nil
		case current != nil:
			current.text += line + "\n"
		}
	}
	if current != nil {
		t.Errorf("%s:%d: the block is not closed", page, current.line)
	}
	return out
}

// TestBlocks loads every hcl block of every document, completed by the prelude,
// and wants it in canonical form. What is shown to be refused stands in text
// blocks.
func TestBlocks(t *testing.T) {
	loaded := 0
	for _, page := range pages(t) {
		for _, b := range blocks(t, page, read(t, page)) {
			switch b.language {
			case "hcl":
				loaded++
				if _, diags := newSandbox(t).load(t, b.text); diags.HasErrors() {
					t.Errorf("%s:%d: the block does not load:\n%s\n%s", page, b.line, errorsOf(diags), b.text)
				}
				fallthrough
			case "hclvars":
				formatted, diags := config.FormatSource(page, []byte(b.text))
				if diags.HasErrors() || string(formatted) != b.text {
					t.Errorf("%s:%d: the block is not in canonical form, which is:\n%s%s", page, b.line, formatted, errorsOf(diags))
				}
			case "":
				t.Errorf("%s:%d: the block has no language; write text, sh, hcl or json", page, b.line)
			}
		}
	}
	if loaded < 20 {
		t.Errorf("only %d hcl blocks were found", loaded)
	}
}

// TestBlocksCanFail makes sure that a wrong block would not pass.
func TestBlocksCanFail(t *testing.T) {
	for _, wrong := range []string{
		"kubelett {}\n",
		"apiserver {\n  flags = { \"evnt-ttl\" = \"2h\" }\n}\n",
		"ssh {\n  user        = \"root\"\n  private_key = \"nowhere\"\n}\n",
		"kubelet {\n",
	} {
		if _, diags := newSandbox(t).load(t, wrong); !diags.HasErrors() {
			t.Errorf("this loads:\n%s", wrong)
		}
	}
}

var (
	link   = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	header = regexp.MustCompile(`(?m)^#{1,6} +(.+)$`)
)

// TestLinks follows every link inside the repository, to its heading where it
// names one.
func TestLinks(t *testing.T) {
	followed := 0
	for _, page := range pages(t) {
		for _, m := range link.FindAllStringSubmatch(withoutBlocks(read(t, page)), -1) {
			target, anchor, _ := strings.Cut(m[1], "#")
			if strings.Contains(target, "://") || strings.HasPrefix(target, "mailto:") {
				continue
			}
			followed++
			path := page
			if target != "" {
				path = filepath.ToSlash(filepath.Join(filepath.Dir(page), target))
			}
			if _, err := os.Stat(filepath.Join("..", path)); err != nil {
				t.Errorf("%s: the link %s leads nowhere", page, m[1])
				continue
			}
			if anchor != "" && !anchors(withoutBlocks(read(t, path)))[anchor] {
				t.Errorf("%s: the link %s names no heading of %s", page, m[1], path)
			}
		}
	}
	if followed < 30 {
		t.Errorf("only %d links were found", followed)
	}
}

func withoutBlocks(text string) string {
	return regexp.MustCompile("(?ms)^ *```.*?^ *```$").ReplaceAllString(text, "")
}

// anchors are the names under which a page's headings can be linked to.
func anchors(text string) map[string]bool {
	out := map[string]bool{}
	for _, m := range header.FindAllStringSubmatch(text, -1) {
		name := strings.ToLower(strings.TrimSpace(m[1]))
		name = regexp.MustCompile(`[^\p{L}\p{N} _-]`).ReplaceAllString(name, "")
		out[strings.ReplaceAll(name, " ", "-")] = true
	}
	return out
}

// TestEveryPageIsReached wants a link to every document below docs.
func TestEveryPageIsReached(t *testing.T) {
	linked := map[string]bool{}
	list := pages(t)
	for _, page := range list {
		for _, m := range link.FindAllStringSubmatch(withoutBlocks(read(t, page)), -1) {
			target, _, _ := strings.Cut(m[1], "#")
			linked[filepath.ToSlash(filepath.Join(filepath.Dir(page), target))] = true
		}
	}
	for _, page := range list {
		if strings.HasPrefix(page, "docs/") && !linked[page] {
			t.Errorf("no document links to %s", page)
		}
	}
}
