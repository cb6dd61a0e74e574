package firewall

import (
	"encoding/xml"
	"path"
	"strconv"
	"strings"
)

// Where the tools keep what they let in.
const (
	ufwConfig     = "/etc/ufw/ufw.conf"
	ufwRules      = "/etc/ufw/user.rules"
	ufwRules6     = "/etc/ufw/user6.rules"
	firewalldConf = "/etc/firewalld/firewalld.conf"
	zones         = "/etc/firewalld/zones"
	builtinZones  = "/usr/lib/firewalld/zones"
	defaultZone   = "public"
	// trustedZone lets everything in; a source that is bound to it is trusted.
	trustedZone = "trusted"
)

// Units are the systemd units of the tools.
func Units() []string { return []string{"firewalld.service", "ufw.service"} }

// Paths are the files that Read wants the content of. The default zone may be
// another than public: then its file is asked for by nobody, and what it lets in
// is not known.
func Paths() []string {
	return []string{
		ufwConfig, ufwRules, ufwRules6, firewalldConf,
		path.Join(zones, defaultZone+".xml"), path.Join(builtinZones, defaultZone+".xml"), path.Join(zones, trustedZone+".xml"),
	}
}

// State is what a host's filter does.
type State struct {
	Tool Tool // None when neither is active
	Open []Rule
	// Zone is firewalld's default zone.
	Zone string
	// Unread says what could not be told from the files; empty when all could.
	Unread string
}

// Read tells the state from which units are active and what the files hold.
// Active services of ufw whose configuration says no do not count.
func Read(active func(unit string) bool, content func(path string) ([]byte, bool)) State {
	text := func(p string) string {
		b, _ := content(p)
		return string(b)
	}
	switch {
	case active("firewalld.service"):
		s := State{Tool: Firewalld, Zone: setting(text(firewalldConf), "DefaultZone")}
		if s.Zone == "" {
			s.Zone = defaultZone
		}
		if s.Zone != defaultZone {
			s.Unread = "the default zone is " + s.Zone
			return s
		}
		zone, ok := content(path.Join(zones, s.Zone+".xml"))
		if !ok {
			zone, ok = content(path.Join(builtinZones, s.Zone+".xml"))
		}
		if !ok {
			s.Unread = "the zone " + s.Zone + " has no file"
			return s
		}
		open, err := readZone(zone)
		if err != nil {
			s.Unread = "the zone " + s.Zone + ": " + err.Error()
			return s
		}
		s.Open = open
		if trusted, ok := content(path.Join(zones, trustedZone+".xml")); ok {
			if sources, err := readSources(trusted); err == nil {
				s.Open = append(s.Open, sources...)
			}
		}
		return s
	case active("ufw.service") && strings.EqualFold(setting(text(ufwConfig), "ENABLED"), "yes"):
		return State{Tool: UFW, Open: append(readUFW(text(ufwRules)), readUFW(text(ufwRules6))...)}
	}
	return State{}
}

// setting returns the value of a line KEY=value.
func setting(text, key string) string {
	for line := range strings.Lines(text) {
		if k, v, ok := strings.Cut(strings.TrimSpace(line), "="); ok && strings.TrimSpace(k) == key {
			return strings.Trim(strings.TrimSpace(v), `"'`)
		}
	}
	return ""
}

type zoneFile struct {
	Target string `xml:"target,attr"`
	Ports  []port `xml:"port"`
	Rules  []struct {
		Source struct {
			Address string `xml:"address,attr"`
			Invert  string `xml:"invert,attr"`
		} `xml:"source"`
		Port   *port     `xml:"port"`
		Accept *struct{} `xml:"accept"`
	} `xml:"rule"`
	Sources []struct {
		Address string `xml:"address,attr"`
	} `xml:"source"`
}

type port struct {
	Port     string `xml:"port,attr"`
	Protocol string `xml:"protocol,attr"`
}

// readZone reads firewalld.zone(5): ports, and rich rules that accept.
func readZone(b []byte) ([]Rule, error) {
	var z zoneFile
	if err := xml.Unmarshal(b, &z); err != nil {
		return nil, err
	}
	var out []Rule
	if z.Target == "ACCEPT" {
		for _, all := range []string{"tcp", "udp"} {
			out = append(out, Rule{Protocol: all, First: 1, Last: 65535})
		}
		out = append(out, Rule{Source: "0.0.0.0/0"}, Rule{Source: "::/0"})
	}
	for _, p := range z.Ports {
		if r, ok := p.rule(); ok {
			out = append(out, r)
		}
	}
	for _, rule := range z.Rules {
		if rule.Accept == nil || rule.Source.Invert != "" && rule.Source.Invert != "no" && rule.Source.Invert != "false" {
			continue
		}
		switch r, ok := rule.Port.rule(); {
		case ok:
			r.Source = rule.Source.Address
			out = append(out, r)
		case rule.Port == nil && rule.Source.Address != "":
			out = append(out, Rule{Source: rule.Source.Address})
		}
	}
	return out, nil
}

func readSources(b []byte) ([]Rule, error) {
	var z zoneFile
	if err := xml.Unmarshal(b, &z); err != nil {
		return nil, err
	}
	var out []Rule
	for _, s := range z.Sources {
		if s.Address != "" {
			out = append(out, Rule{Source: s.Address})
		}
	}
	return out, nil
}

func (p *port) rule() (Rule, bool) {
	if p == nil || p.Protocol != "tcp" && p.Protocol != "udp" {
		return Rule{}, false
	}
	return ports(p.Protocol, p.Port, "-")
}

// ports reads one port or a range.
func ports(protocol, text, between string) (Rule, bool) {
	first, last, several := strings.Cut(text, between)
	if !several {
		last = first
	}
	a, err := strconv.ParseUint(first, 10, 16)
	if err != nil {
		return Rule{}, false
	}
	b, err := strconv.ParseUint(last, 10, 16)
	return Rule{Protocol: protocol, First: int(a), Last: int(b)}, err == nil && a <= b
}

// readUFW reads the tuples that ufw keeps in its rules files:
//
//	### tuple ### allow tcp 6443 0.0.0.0/0 any 0.0.0.0/0 in
//	### tuple ### allow tcp 2379:2380 0.0.0.0/0 any 192.168.10.21 in comment=68
//
// action, protocol, port, destination, the source's port, source, direction.
func readUFW(text string) []Rule {
	var out []Rule
	for line := range strings.Lines(text) {
		tuple, ok := strings.CutPrefix(strings.TrimSpace(line), "### tuple ### ")
		w := strings.Fields(tuple)
		if !ok || len(w) < 7 || w[0] != "allow" || !strings.HasPrefix(w[6], "in") || w[4] != "any" || !anybody(w[3]) {
			continue
		}
		source := w[5]
		if anybody(source) {
			source = ""
		}
		if w[2] == "any" {
			if w[1] == "any" && source != "" {
				out = append(out, Rule{Source: source})
			}
			continue
		}
		protocols := []string{w[1]}
		if w[1] == "any" {
			protocols = []string{"tcp", "udp"}
		}
		for _, protocol := range protocols {
			for part := range strings.SplitSeq(w[2], ",") {
				if r, ok := ports(protocol, part, ":"); ok {
					r.Source = source
					out = append(out, r)
				}
			}
		}
	}
	return out
}

func anybody(source string) bool { return source == "0.0.0.0/0" || source == "::/0" || source == "any" }
