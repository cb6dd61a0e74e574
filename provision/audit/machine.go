package audit

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"path"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"

	"hardway/provision/addr"
	"hardway/provision/facts"
	"hardway/provision/plan"
	"hardway/provision/resource"
	"hardway/templates"
	"hardway/units/unitfile"
)

// machine is what a host has of all that checks are about: as it is planned, or
// as it was observed. Both are filled so that one rule decides both.
type machine struct {
	// commands are the command lines of each component: of its unit and, on a host,
	// of the running process too.
	commands map[string][]command
	files    map[string]file
	configs  map[string]map[string]any // parsed files, by path
	places   places
	// holders are the organizations in the subjects of certificates, by path of the certificate.
	holders map[string][]string
}

// command is one command line.
type command struct {
	from  string // "its unit", "the running process"
	flags map[string][]string
}

// file is what is known of a path.
type file struct {
	known, exists bool
	link          bool
	mode          uint32
	owner, group  string
	// text is the content, where it was read.
	text *string
}

// places are paths that only the plan can tell the meaning of.
type places struct {
	units        map[string]string // by component
	admin        string            // kubeconfig
	certs, keys  []string          // in the PKI directory
	pki          []string          // everything in it, directories too
	cni          []string
	certificates []string // of leaves, wherever they are
}

// planned reads a host out of the desired resources.
func planned(h addr.Host, want resource.Set) *machine {
	m := &machine{
		commands: map[string][]command{}, files: map[string]file{}, configs: map[string]map[string]any{}, holders: map[string][]string{},
		places: places{units: map[string]string{}},
	}
	for _, r := range want.All() {
		if r.Addr.Host.IsCluster() {
			switch { // every master has the same
			case r.Spec.Object != nil:
				m.places.admin = r.Spec.Object.Kubectl.Kubeconfig
			case r.Spec.Node != nil:
				m.places.admin = r.Spec.Node.Kubectl.Kubeconfig
			}
		}
		if r.Addr.Host == h {
			m.take(r)
		}
	}
	for _, list := range []*[]string{&m.places.certs, &m.places.keys, &m.places.pki, &m.places.cni, &m.places.certificates} {
		slices.Sort(*list)
		*list = slices.Compact(*list)
	}
	return m
}

// take adds one resource of the host.
func (m *machine) take(r resource.Resource) {
	add := func(p string, meta resource.Meta, text *string) {
		m.files[p] = file{known: true, exists: true, mode: meta.Mode, owner: meta.Owner, group: meta.Group, text: text}
	}
	s := r.Spec
	switch {
	case s.Unit != nil:
		add(s.Unit.Path, s.Unit.Meta, nil)
		m.places.units[r.Addr.Name] = s.Unit.Path
		if argv, err := unitfile.ParseExec(s.Unit.Content); err == nil {
			m.commands[r.Addr.Name] = []command{{"its unit", flagsOf(argv)}}
		}
	case s.Directory != nil:
		add(s.Directory.Path, s.Directory.Meta, nil)
	case s.File != nil:
		add(s.File.Path, s.File.Meta, &s.File.Content)
		if path.Dir(s.File.Path) == templates.CNIConfDir {
			m.places.cni = append(m.places.cni, s.File.Path)
		}
		switch {
		case strings.HasPrefix(s.File.Material, "key/"), strings.HasPrefix(s.File.Material, "private/"):
			m.places.keys = append(m.places.keys, s.File.Path)
		case strings.HasPrefix(s.File.Material, "bundle/"), strings.HasPrefix(s.File.Material, "cert/"):
			m.places.certs = append(m.places.certs, s.File.Path)
		case s.File.Material == "": // no part of the PKI
			return
		}
		m.places.pki = append(m.places.pki, s.File.Path, path.Dir(s.File.Path))
	case s.Certificate != nil:
		c := s.Certificate
		cert, key := plan.CertificateModes(c)
		add(c.CertPath, resource.Meta{Mode: cert, Owner: c.Owner, Group: c.Group}, nil)
		add(c.KeyPath, resource.Meta{Mode: key, Owner: c.Owner, Group: c.Group}, nil)
		m.holders[c.CertPath] = append([]string{}, c.Subject.O...)
		m.places.certificates = append(m.places.certificates, c.CertPath)
		if c.Combined { // the component's own, in its own directory, behind a link
			return
		}
		m.places.certs = append(m.places.certs, c.CertPath)
		m.places.keys = append(m.places.keys, c.KeyPath)
		m.places.pki = append(m.places.pki, c.CertPath, c.KeyPath, path.Dir(c.CertPath))
	}
}

// observed puts in the places of what is planned what really stands there.
func observed(want *machine, o facts.Observation) *machine {
	m := &machine{
		commands: map[string][]command{}, files: map[string]file{}, configs: map[string]map[string]any{}, holders: map[string][]string{},
		places: want.places,
	}
	for p, f := range o.Files {
		seen := file{known: true, exists: f.Exists(), link: f.Type == facts.Symlink, mode: f.Mode, owner: f.Owner, group: f.Group}
		if f.Content != nil || f.Type == facts.Regular && f.Size == 0 {
			text := string(f.Content)
			seen.text = &text
		}
		m.files[p] = seen
	}
	for component, p := range want.places.units {
		if f := m.files[p]; f.exists && f.text != nil {
			if argv, err := unitfile.ParseExec(*f.text); err == nil {
				m.commands[component] = append(m.commands[component], command{"its unit", flagsOf(argv)})
			}
		}
		if u := o.Units[path.Base(p)]; len(u.Argv) > 0 {
			m.commands[component] = append(m.commands[component], command{"the running process", flagsOf(u.Argv)})
		}
	}
	for _, p := range want.places.certificates {
		if f := m.files[p]; f.text != nil {
			if list, ok := organizations(*f.text); ok {
				m.holders[p] = list
			}
		}
	}
	return m
}

// organizations returns the O of the first certificate of a PEM text.
func organizations(text string) ([]string, bool) {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil, false
	}
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, false
	}
	return c.Subject.Organization, true
}

// flagsOf takes a command line apart as its program does: one or two dashes, an
// underscore for a dash, a value behind = or in the next word.
func flagsOf(argv []string) map[string][]string {
	out := map[string][]string{}
	for i := 1; i < len(argv); i++ {
		word := strings.TrimPrefix(strings.TrimPrefix(argv[i], "-"), "-")
		if word == argv[i] || word == "" {
			continue
		}
		name, v, hasValue := strings.Cut(word, "=")
		if !hasValue {
			if v = "true"; i+1 < len(argv) && !strings.HasPrefix(argv[i+1], "-") {
				i++
				v = argv[i]
			}
		}
		name = strings.ReplaceAll(name, "_", "-")
		out[name] = append(out[name], v)
	}
	return out
}

// config parses a config object; ok is false where it was not read or is none.
func (m *machine) config(p string) (map[string]any, bool) {
	if c, ok := m.configs[p]; ok {
		return c, c != nil
	}
	m.configs[p] = nil
	if f := m.files[p]; f.exists && f.text != nil {
		var c map[string]any
		if err := yaml.Unmarshal([]byte(*f.text), &c); err == nil {
			m.configs[p] = c
		}
	}
	return m.configs[p], m.configs[p] != nil
}

// field follows a dotted path into a config object.
func field(object map[string]any, dotted string) (any, bool) {
	head, rest, more := strings.Cut(dotted, ".")
	v, ok := object[head]
	if !ok || v == nil || !more {
		return v, ok && v != nil
	}
	inner, isObject := v.(map[string]any)
	if !isObject {
		return nil, false
	}
	return field(inner, rest)
}

// words are a value of a config object as words: a list has several.
func words(v any) []string {
	list, isList := v.([]any)
	if !isList {
		return []string{fmt.Sprint(v)}
	}
	out := make([]string, 0, len(list))
	for _, item := range list {
		out = append(out, fmt.Sprint(item))
	}
	return out
}
