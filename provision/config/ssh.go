package config

import (
	"github.com/hashicorp/hcl/v2"
)

// sshSettings is one ssh block; nil means that it does not say.
type sshSettings struct {
	loginSettings
	sshConfig *SSHConfig
	bastions  []loginSettings
	direct    *bool
	method    *string
	become    *Secret // the password
}

// over lays the settings of a host over the cluster's. Bastions are one thing: a
// host's chain takes the place of the cluster's.
func (s sshSettings) over(base sshSettings) sshSettings {
	out := sshSettings{
		loginSettings: s.loginSettings.over(base.loginSettings), sshConfig: either(s.sshConfig, base.sshConfig), bastions: s.bastions,
		direct: s.direct, method: either(s.method, base.method), become: either(s.become, base.become),
	}
	out.rng = s.rng
	if out.bastions == nil && (s.direct == nil || !*s.direct) {
		out.bastions = base.bastions
	}
	// A host that is entered as root drops the password with the method.
	if s.method != nil && *s.method == "none" && s.become == nil {
		out.become = nil
	}
	return out
}

func either[T any](a, b *T) *T {
	if a != nil {
		return a
	}
	return b
}

func eitherList[T any](a, b []T) []T {
	if a != nil {
		return a
	}
	return b
}

// clusterSSH reads the ssh block at the top.
func (l *loader) clusterSSH() sshSettings {
	b := l.decl.single["ssh"]
	if b == nil {
		return sshSettings{}
	}
	refs, iterators := bodyReferences(b.Body)
	return l.readSSH(b.Body, l.scope.context(refs, nil, iterators), b.DefRange(), "ssh", false)
}

func (l *loader) readSSH(body hcl.Body, ctx *hcl.EvalContext, rng hcl.Range, where string, inHost bool) sshSettings {
	r, blocks := l.readerIn(body, ctx, sshSchema(inHost), rng, where)
	s := sshSettings{loginSettings: l.readLogin(r)}
	s.sshConfig = l.readSSHConfig(r)
	if r.has("direct") {
		direct := r.flag("direct", false)
		s.direct = &direct
	}
	for _, b := range blocks.OfType("bastion") {
		s.bastions = append(s.bastions, l.readBastion(b, ctx, where))
	}
	if s.direct != nil && *s.direct && len(s.bastions) > 0 {
		r.fail("direct", "Bastion without use", "%s has direct = true and a bastion as well. Remove one of them.", where)
	}
	if b := l.one(blocks, "become"); b != nil {
		l.readBecome(b, ctx, where, &s)
	}
	return s
}

// readSSHConfig reads ssh_config = true | false | "path".
func (l *loader) readSSHConfig(r reader) *SSHConfig {
	on, file, ok := r.flagOrPath("ssh_config", "the path of a file in OpenSSH's format")
	if !ok {
		return nil
	}
	return &SSHConfig{Read: on, File: file}
}

func (l *loader) readBastion(b *hcl.Block, ctx *hcl.EvalContext, where string) loginSettings {
	where = "bastion of " + where
	content := l.content(b.Body, bastionSchema(), where)
	r := reader{l: l, ctx: ctx, attrs: content.Attributes, rng: b.DefRange, where: where}
	s := l.readLogin(r)
	if !r.has("host") {
		l.diags.add(errorAt(b.DefRange, "Missing attribute", "%s needs the attribute host: the name or address of the machine to go through.", where))
	}
	return s
}

func (l *loader) readBecome(b *hcl.Block, ctx *hcl.EvalContext, where string, s *sshSettings) {
	content := l.content(b.Body, becomeSchema(), "become of "+where)
	r := reader{l: l, ctx: ctx, attrs: content.Attributes, rng: b.DefRange, where: "become of " + where}
	if m, ok := r.word("method"); ok {
		switch m {
		case "sudo", "doas", "none":
			s.method = &m
		case "su", "pkexec", "dzdo", "run0":
			l.diags.add(notYet(r.rangeOf("method"), "Becoming root with "+m))
		default:
			r.choice("method", "", "sudo", "doas", "none")
		}
	}
	s.become = r.secret("password")
	if s.become != nil && s.method != nil && *s.method == "none" {
		r.fail("password", "Password without use", "%s has method = \"none\", which asks for no password.", r.where)
	}
}

// finishSSH fills in defaults, and asks for what has none.
func (l *loader) finishSSH(s sshSettings, h Host) SSH {
	if s.rng.Filename == "" {
		s.rng = h.Range
	}
	if s.host == nil {
		address := h.Address.String() // which was checked, and reported
		s.host = &address
	}
	var config SSHConfig
	if s.sshConfig != nil {
		config = *s.sshConfig
	}
	out := SSH{Login: l.finishLogin(s.loginSettings, config, h.Addr.String()), Direct: s.direct != nil && *s.direct}
	for _, b := range s.bastions {
		if b.host != nil { // else it was reported
			out.Bastions = append(out.Bastions, l.finishLogin(b.within(s.loginSettings), config, "the bastion of "+h.Addr.String()))
		}
	}
	out.Become.Method = "sudo"
	if out.User == "root" {
		out.Become.Method = "none"
	}
	if s.method != nil {
		out.Become.Method = *s.method
	}
	if s.become != nil {
		out.Become.Password = *s.become
	}
	if out.User == "" && s.method == nil && config.Read {
		out.Become.Method = "" // it turns on the user, whom ssh_config names
	}
	if out.Become.Method == "none" && out.User != "" && out.User != "root" {
		l.diags.add(errorAt(s.rng, "No way to become root", "%s is entered as %q with become { method = \"none\" }. Root is needed: write method = \"sudo\", or user = \"root\".", h.Addr, out.User))
	}
	return out
}
