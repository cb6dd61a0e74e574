package docs_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const languagePage = "docs/reference/language.md"

// section returns what stands below a heading of a page, up to the next one of
// the same or a higher level.
func section(t *testing.T, page, heading string) string {
	t.Helper()
	text := read(t, page)
	i := strings.Index(text, "\n"+heading+"\n")
	if i < 0 {
		t.Fatalf("%s has no heading %q", page, heading)
	}
	rest := text[i+len(heading)+2:]
	level := len(heading) - len(strings.TrimLeft(heading, "#"))
	end := regexp.MustCompile(fmt.Sprintf(`(?m)^#{1,%d} `, level)).FindStringIndex(rest)
	if end == nil {
		return rest
	}
	return rest[:end[0]]
}

// unknown is a name that is like none there is, so that the loader lists those
// that it knows.
const unknown = "qqqqqqqqqqqq"

var (
	attributesOf = regexp.MustCompile(`The attributes are ([a-z_, ]+)\.`)
	blocksOf     = regexp.MustCompile(`The blocks are ([a-z_, ]+)\.`)
)

// known asks the loader which names it knows at a place; the text has the
// unknown name there.
func known(t *testing.T, text string, list *regexp.Regexp) []string {
	t.Helper()
	_, diags := newSandbox(t).load(t, text)
	m := list.FindStringSubmatch(errorsOf(diags))
	if m == nil {
		t.Fatalf("the loader does not list what it knows:\n%s\n%s", text, errorsOf(diags))
	}
	return strings.Split(m[1], ", ")
}

// TestLanguageIsComplete wants a row for every attribute in the section of its
// block, and a section for every block, as the loader itself lists them; and no
// row for what the loader does not know.
func TestLanguageIsComplete(t *testing.T) {
	const bad = "  " + unknown + " = 1\n"
	for heading, text := range map[string]string{
		"## cluster":                         "cluster \"docs\" {\n" + bad + "}\n",
		"## ssh":                             "ssh {\n" + bad + "}\n",
		"### ssh inside a host":              "node \"n1\" {\n  ssh {\n" + bad + "  }\n}\n",
		"### bastion":                        "ssh {\n  bastion {\n" + bad + "  }\n}\n",
		"### become":                         "ssh {\n  become {\n" + bad + "  }\n}\n",
		"## master and node":                 "node \"n1\" {\n" + bad + "}\n",
		"## api":                             "api \"external\" {\n" + bad + "}\n",
		"## etcd":                            "etcd {\n" + bad + "}\n",
		"## apiserver":                       "apiserver {\n" + bad + "}\n",
		"## controller_manager":              "controller_manager {\n" + bad + "}\n",
		"## scheduler":                       "scheduler {\n" + bad + "}\n",
		"## kubelet":                         "kubelet {\n" + bad + "}\n",
		"## kube_proxy":                      "kube_proxy {\n" + bad + "}\n",
		"### ipvs":                           "kube_proxy {\n  ipvs {\n" + bad + "  }\n}\n",
		"### subject":                        "pki {\n  subject {\n" + bad + "  }\n}\n",
		"### authority":                      "pki {\n  authority \"kubernetes\" {\n" + bad + "  }\n}\n",
		"### certificate":                    "pki {\n  certificate \"apiserver\" {\n" + bad + "  }\n}\n",
		"### service_account":                "pki {\n  service_account {\n" + bad + "  }\n}\n",
		"## runtime":                         "runtime \"containerd\" {\n" + bad + "}\n",
		"### Component blocks inside a host": "node \"n1\" {\n  kubelet {\n" + bad + "  }\n}\n",
		"## directories":                     "directories {\n" + bad + "}\n",
		"## host":                            "host {\n" + bad + "}\n",
		"## processes":                       "processes \"supervisord\" {\n" + bad + "}\n",
		"## binaries":                        "binaries {\n" + bad + "}\n",
		"## pki":                             "pki {\n" + bad + "}\n",
		"## state":                           "state {\n" + bad + "}\n",
		"## verify":                          "verify {\n" + bad + "}\n",
		"## variable":                        "variable \"v\" {\n  default = 1\n" + bad + "}\n",
		"### validation":                     "variable \"v\" {\n  default = 1\n  validation {\n" + bad + "  }\n}\n",
		"## output":                          "output \"o\" {\n  value = 1\n" + bad + "}\n",
	} {
		want := known(t, text, attributesOf)
		got := rows(ownText(section(t, languagePage, heading)))
		slices.Sort(want)
		slices.Sort(got)
		if !slices.Equal(want, got) {
			t.Errorf("%s, %s: rows for\n  %v, the loader knows\n  %v", languagePage, heading, got, want)
		}
	}
}

// TestLanguageHasEveryBlock wants a heading for every block at the top of a
// file, and a mention of every block inside of a host.
func TestLanguageHasEveryBlock(t *testing.T) {
	text := read(t, languagePage)
	for _, name := range known(t, unknown+" {}\n", blocksOf) {
		if !strings.Contains(text, "\n## "+name+"\n") && name != "master" && name != "node" {
			t.Errorf("%s has no heading %q", languagePage, "## "+name)
		}
	}
	inHost := section(t, languagePage, "## master and node")
	for _, name := range known(t, "node \"n1\" {\n  "+unknown+" {}\n}\n", blocksOf) {
		if !strings.Contains(inHost, "`"+name+"`") {
			t.Errorf("%s does not speak of the block %q inside of a host", languagePage, name)
		}
	}
}

// TestDefaults loads the section's two configurations, one that leaves
// everything out and one that writes every default: they must be the same.
func TestDefaults(t *testing.T) {
	var texts []string
	for _, b := range blocks(t, languagePage, section(t, languagePage, "## All defaults")) {
		if b.language == "hcl" {
			texts = append(texts, b.text)
		}
	}
	if len(texts) != 2 {
		t.Fatalf("%d blocks in the section, want the least and the full configuration", len(texts))
	}
	s := newSandbox(t)
	var digests []string
	for _, text := range texts {
		c, diags := s.load(t, text)
		if diags.HasErrors() {
			t.Fatalf("%s", errorsOf(diags))
		}
		digests = append(digests, c.Digest)
	}
	if digests[0] != digests[1] {
		t.Error("a default that is written out is not the program's: the two configurations differ")
	}
}

var row = regexp.MustCompile("(?m)^\\| `([a-z_]+)`")

// rows are the names in the first column of a section's tables.
func rows(text string) []string {
	var out []string
	for _, m := range row.FindAllStringSubmatch(text, -1) {
		out = append(out, m[1])
	}
	return out
}

// ownText is a section without the sections below it.
func ownText(text string) string {
	if i := strings.Index(text, "\n#"); i >= 0 {
		return text[:i]
	}
	return text
}

// TestFunctions wants every function of the page to be one of the language.
func TestFunctions(t *testing.T) {
	s := newSandbox(t)
	found := 0
	for _, m := range regexp.MustCompile("`([a-z0-9]+)`").FindAllStringSubmatch(section(t, languagePage, "## Functions"), -1) {
		found++
		if _, diags := s.load(t, "locals {\n  x = "+m[1]+"()\n}\n"); strings.Contains(errorsOf(diags), "There is no function") {
			t.Errorf("%s: there is no function %s", languagePage, m[1])
		}
	}
	if found < 90 {
		t.Errorf("only %d functions were found", found)
	}
	if _, diags := s.load(t, "locals {\n  x = nosuchthing()\n}\n"); !strings.Contains(errorsOf(diags), "There is no function") {
		t.Errorf("an unknown function is told in other words: %s", errorsOf(diags))
	}
}
