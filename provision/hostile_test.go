package provision_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/pelletier/go-toml"
	"github.com/zclconf/go-cty/cty"
	"sigs.k8s.io/yaml"

	"hardway/provision"
	"hardway/provision/addr"
	"hardway/provision/binaries"
	"hardway/provision/config"
	"hardway/provision/desired"
	"hardway/provision/resource"
	"hardway/provision/state"
	"hardway/units/unitfile"
)

// hostile are values that something on the way to a host might take for more
// than text: HCL, a unit file, a shell, YAML, TOML, JSON, a path, a terminal.
func hostile() []string {
	return append([]string{
		`"`, `'`, "`", `\`, `a"b`, `a'b`, `a\`, `\x41`, `a\"`, `\n`, "a\\\n", "a\nb", "\n", "a\r\nb", "a\rb", "a\tb", "a\x00b", "\x00", "\x1b[2J", "\x7f", "a\u0085b", "a\u2028b",
		"$(touch /canary)", "`touch /canary`", "; touch /canary", "| touch /canary", "&& touch /canary", "\ntouch /canary\n", "$HOME", "${HOME}", "$$", "$1", "$", "%i", "%%", "%n%s", "%", "%{ if true }", "${var.x}", "{{.}}",
		"\u202eabc", "\u2066x\u2069", "\ufeffa", "a\u200bb", "a\u00a0b", "\U000e0041", "é", "日本語", "😀", " a", "a ", " ", "a  b", "",
		"-a", "--flag=x", "..", "../..", "a/../b", "/", "/etc/passwd", "~", "~root", "*", "a?", "[a]", "{a,b}", "a=b", "=", "a,b", ",", "a:b",
		"#", "# a", "a #b", ";", "; a", "a;b", "a: b", "- a", "!!str a", "&a", "*a", "|", ">", "? a", "%YAML", "---", "...", "null", "yes", "0x10", "<a>&", "]]", "'''", `"""`, "[Service]\nExecStart=/bin/sh", "a\x01b",
	}, strings.Repeat("x", 64<<10), strings.Repeat(`"%$`, 100))
}

// compiled is a configuration that was accepted.
type compiled struct {
	cfg *config.Cluster
	set resource.Set
}

// stringField is a place of the language where a text can stand.
type stringField struct {
	block, attribute string // as the loader names them; nested blocks behind a slash
	// expression makes the attribute's value of the literal; nil: the literal itself.
	expression func(literal string) string
	// got is what arrives where the value belongs. Where it is nil the value is one
	// of a closed set or of a strict form, and no hostile one may be accepted.
	got func(c compiled) []string
	// want is what has to arrive; nil: the value itself.
	want func(dir, value string) string
	// nowhere: it is for readers of the configuration alone.
	nowhere bool
	// file: the value names a file beside the configuration, which is made.
	file bool
}

// document is a configuration by block and attribute.
type document map[string]map[string]string

// headers are the blocks with their labels. A label stands there as a literal.
var headers = [...]string{"cluster", "ssh", "ssh/become", "master", "master/apiserver", "node", "node/ssh", "node/kubelet", "api", "etcd", "apiserver", "controller_manager", "scheduler", "kubelet", "kube_proxy", "runtime",
	"directories", "host", "binaries", "pki", "state", "state/backend", "verify", "output", "variable"}

// hostileBase is a whole configuration with every block.
func hostileBase() document {
	return document{
		"cluster": {"": `cluster "h"`, "kubernetes_version": `"1.37.1"`, "pod_cidr": `"10.244.0.0/16"`, "service_cidr": `"10.96.0.0/16"`},
		"ssh":     {"": "ssh", "user": `"ops"`, "private_key": `"key"`, "known_hosts": `"known"`}, "ssh/become": {"": "become", "method": `"sudo"`},
		"master": {"": `master "m1"`, "address": `"192.168.10.21"`}, "master/apiserver": {"": "apiserver"},
		"node": {"": `node "n1"`, "address": `"192.168.10.31"`}, "node/ssh": {"": "ssh"}, "node/kubelet": {"": "kubelet"},
		"api": {"": `api "external"`, "host": `"api.example.com"`}, "etcd": {"": "etcd"}, "apiserver": {"": "apiserver"}, "controller_manager": {"": "controller_manager"}, "scheduler": {"": "scheduler"},
		"kubelet": {"": "kubelet"}, "kube_proxy": {"": "kube_proxy"}, "runtime": {"": `runtime "containerd"`}, "directories": {"": "directories"}, "host": {"": "host"},
		"binaries": {"": "binaries"}, "pki": {"": "pki"}, "state": {"": "state"}, "state/backend": {"": `backend "local"`}, "verify": {"": "verify"},
		"output": {"": `output "o"`, "value": `var.v`}, "variable": {"": `variable "v"`, "default": `"v"`},
	}
}

// text writes the document.
func (d document) text() string {
	var b strings.Builder
	for _, name := range headers {
		if strings.Contains(name, "/") {
			continue
		}
		d.block(&b, name, "")
	}
	return b.String()
}

func (d document) block(b *strings.Builder, name, indent string) {
	attrs := d[name]
	fmt.Fprintf(b, "%s%s {\n", indent, attrs[""])
	for _, a := range slices.Sorted(maps.Keys(attrs)) {
		if a != "" {
			fmt.Fprintf(b, "%s  %s = %s\n", indent, a, attrs[a])
		}
	}
	for _, inner := range headers {
		if strings.HasPrefix(inner, name+"/") {
			d.block(b, inner, indent+"  ")
		}
	}
	fmt.Fprintf(b, "%s}\n", indent)
}

// literal writes a text as HCL has it.
func literal(v string) string { return string(hclwrite.TokensForValue(cty.StringVal(v)).Bytes()) }

// hostileWorld is a directory to load configurations in.
type hostileWorld struct {
	t    *testing.T
	dir  string
	lock binaries.Lock
}

func newHostileWorld(t *testing.T) *hostileWorld {
	w := &hostileWorld{t: t, dir: scratch(t), lock: binaries.Lock{Binaries: map[binaries.Key]binaries.Pin{}, Images: map[string]binaries.ImagePin{}}}
	for _, name := range []string{"key", "known"} {
		w.write(name, "x\n")
	}
	return w
}

func (w *hostileWorld) write(name, text string) {
	if err := os.WriteFile(filepath.Join(w.dir, name), []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

var place = regexp.MustCompile(`cluster\.hcl:[0-9]+`)

// compile loads the text. refused says that it was refused as it has to be: with
// the place of what is wrong.
func (w *hostileWorld) compile(text string) (c compiled, refused bool) {
	w.t.Helper()
	w.write("cluster.hcl", text)
	s, _, diags := provision.Open(provision.Options{Config: config.Options{Dir: w.dir, UserHome: w.dir}})
	if diags.HasErrors() {
		for _, d := range diags.Errs() {
			if !place.MatchString(d.Error()) {
				w.t.Errorf("an error without a place: %.300s", d)
			}
		}
		return c, true
	}
	defer func() { _ = s.Close() }()
	c.cfg = s.Config()
	w.pin(c.cfg)
	r, err := desired.Build(desired.Input{Config: c.cfg, Lock: w.lock, State: state.Public{Lineage: "l", Cluster: c.cfg.Name}})
	if err != nil {
		if !place.MatchString(err.Error()) {
			w.t.Errorf("an error without a place: %.300s", err)
		}
		return c, true
	}
	c.set = r.Set
	return c, false
}

// pin pins what the configuration needs.
func (w *hostileWorld) pin(cfg *config.Cluster) {
	wanted, err := binaries.Wanted(binaries.Versions{
		binaries.Kubernetes: cfg.Version, binaries.Etcd: cfg.Etcd.Version, binaries.Containerd: cfg.Runtime.Version,
		binaries.Runc: cfg.Runtime.RuncVersion, binaries.CNIPlugins: cfg.Runtime.CNIPluginsVersion,
	}, map[addr.Role][]string{addr.Master: {"amd64"}, addr.Node: {"amd64"}})
	if err != nil {
		w.t.Fatal(err)
	}
	for _, a := range wanted {
		w.lock.Binaries[binaries.Key{Component: a.Component, Arch: a.Arch}] = binaries.Pin{Version: a.Version, SHA256: resource.SHA256([]byte(a.Component)), Size: 1}
	}
	for ref := range cfg.Runtime.Images {
		w.lock.Images[ref] = binaries.ImagePin{SHA256: resource.SHA256([]byte(ref)), Size: 1}
	}
}

// TestHostileValues: a value that something might take for more than text
// arrives byte by byte where it belongs and changes nothing beside, or is refused
// with its place. There is no third outcome.
func TestHostileValues(t *testing.T) {
	w := newHostileWorld(t)
	plain, refused := w.compile(hostileBase().text())
	if refused {
		t.Fatal("the base is refused")
	}
	if problem := unreadable(plain.set); problem != "" {
		t.Fatal(problem)
	}
	arrived, total := 0, 0
	for n, f := range stringFields() {
		t.Run(f.block+"."+f.attribute, func(t *testing.T) {
			w.t = t
			mine := 0
			var shape string // of what is made of a harmless value, where one is known
			for i, v := range hostile() {
				// Fields of the same sort stand beside each other: what one leaves out,
				// the next one tries. Closed sets are all read by the same reader.
				every := 2
				if f.got == nil && !f.nowhere {
					every = 4
				}
				if testing.Short() || racing {
					every = 9
				}
				if (i+n)%every > 0 {
					continue
				}
				total++
				doc := hostileBase()
				expr := literal(v)
				if f.expression != nil {
					expr = f.expression(expr)
				}
				doc[f.block][f.attribute] = expr
				if f.file && !strings.ContainsAny(v, "/\x00") && v != "" && v != ".." && len(v) < 200 {
					_ = os.WriteFile(filepath.Join(w.dir, v), []byte("x\n"), 0o600)
				}
				c, refused := w.compile(doc.text())
				if refused {
					continue
				}
				mine++
				if f.nowhere {
					continue
				}
				if f.got == nil {
					t.Errorf("%.60q is accepted", v)
					continue
				}
				want := v
				if f.want != nil {
					want = f.want(w.dir, v)
				}
				got := f.got(c)
				if len(got) == 0 || slices.ContainsFunc(got, func(g string) bool { return g != want }) {
					t.Errorf("%.60q arrives as %.200q, not as %.60q", v, got, want)
				}
				if problem := unreadable(c.set); problem != "" {
					t.Errorf("%.60q: %s", v, problem)
				}
				switch s := shapeOf(c.set, v); {
				case shape == "":
					shape = s
				case shape != s:
					t.Errorf("%.60q changes more than its place (-other value +this):\n%s", v, cmp.Diff(strings.Split(shape, "\n"), strings.Split(s, "\n")))
				}
			}
			arrived += mine
			t.Logf("%d arrive", mine)
		})
	}
	t.Logf("%d fields, %d values: %d arrived, %d were refused", len(stringFields()), total, arrived, total-arrived)
}

// unreadable names a text of the set that its reader cannot read.
func unreadable(set resource.Set) string {
	for _, r := range set.All() {
		var err error
		switch {
		case r.Spec.Unit != nil:
			if _, err = unitfile.ParseUnit(r.Spec.Unit.Content); err == nil {
				_, err = unitfile.ParseExec(r.Spec.Unit.Content)
			}
		case r.Spec.File != nil && r.Spec.File.Material == "":
			switch text := r.Spec.File.Content; filepath.Ext(r.Spec.File.Path) {
			case ".yaml", ".conflist":
				err = yaml.UnmarshalStrict([]byte(text), &map[string]any{})
			case ".toml":
				_, err = toml.Load(text)
			}
		}
		if err != nil {
			return fmt.Sprintf("%s cannot be read: %v", r.Addr, err)
		}
	}
	return ""
}

// shapeOf is what a value must not change: which resources there are, how many
// lines their texts have, which settings and flags their units.
func shapeOf(set resource.Set, v string) string {
	var lines []string
	for _, r := range set.All() {
		var b strings.Builder
		name := r.Addr.Name
		if strings.HasPrefix(name, "/") {
			name = filepath.Base(name) // directories are the user's to choose
		}
		if name == v {
			name = "(the value)"
		}
		host := strings.Replace(r.Addr.Host.String(), strconv.Quote(v), "(the value)", 1)
		fmt.Fprintf(&b, "%s %s %s", host, r.Addr.Kind, name)
		switch {
		case r.Spec.Unit != nil:
			options, _ := unitfile.ParseUnit(r.Spec.Unit.Content)
			for _, o := range options {
				fmt.Fprintf(&b, " %s.%s", o.Section, o.Name)
			}
			argv, _ := unitfile.ParseExec(r.Spec.Unit.Content)
			_, flags, rest := unitfile.SplitFlags(argv)
			fmt.Fprintf(&b, " %v %d", slices.Sorted(maps.Keys(flags)), len(rest))
		case r.Spec.File != nil && filepath.Ext(r.Spec.File.Path) == ".conf" && r.Spec.File.Material == "":
			fmt.Fprintf(&b, " %d lines", strings.Count(r.Spec.File.Content, "\n"))
		case r.Spec.Block != nil:
			fmt.Fprintf(&b, " %d lines", strings.Count(r.Spec.Block.Content, "\n"))
		}
		lines = append(lines, b.String())
	}
	slices.Sort(lines) // a name decides the order
	return strings.Join(lines, "\n")
}
