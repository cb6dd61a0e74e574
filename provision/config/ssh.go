package config

import (
	"net/netip"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// sshSettings is one ssh block; nil means that it does not say.
type sshSettings struct {
	rng        hcl.Range
	host       *string
	port       *int
	user       *string
	privateKey *string
	knownHosts []string
	timeout    *time.Duration
	method     *string
	password   *Secret
}

// over lays the settings of a host over the cluster's.
func (s sshSettings) over(base sshSettings) sshSettings {
	out := sshSettings{
		rng: s.rng, host: either(s.host, base.host), port: either(s.port, base.port), user: either(s.user, base.user),
		privateKey: either(s.privateKey, base.privateKey), timeout: either(s.timeout, base.timeout),
		method: either(s.method, base.method), password: either(s.password, base.password), knownHosts: s.knownHosts,
	}
	if out.knownHosts == nil {
		out.knownHosts = base.knownHosts
	}
	// A host that is entered as root drops the password with the method.
	if s.method != nil && *s.method == "none" && s.password == nil {
		out.password = nil
	}
	return out
}

func either[T any](a, b *T) *T {
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
	s := sshSettings{rng: rng}
	if h, ok := r.word("host"); ok {
		if _, err := netip.ParseAddr(h); err != nil && !isDNSName(h) {
			r.fail("host", "Invalid SSH host", "host of %s is %s; a DNS name or an IP address is wanted. The port has an attribute of its own.", where, quote(h))
		}
		s.host = &h
	}
	if r.has("port") {
		port := r.whole("port", defaultSSHPort, 1, 65535)
		s.port = &port
	}
	if u, ok := r.word("user"); ok {
		if !isUserName(u) {
			r.fail("user", "Invalid user name", "user of %s is %s, which is not a user name.", where, quote(u))
		}
		s.user = &u
	}
	if p, ok := r.word("private_key"); ok {
		abs, err := l.existingFile(p)
		if err != nil {
			r.fail("private_key", "No private key", "private_key of %s: %v. Write the path of your SSH key, or make one with: ssh-keygen -t ed25519 -f %s", where, err, p)
		}
		s.privateKey = &abs
	}
	if paths, ok := r.texts("known_hosts", true); ok {
		for _, p := range paths {
			abs, err := l.existingFile(p)
			if err != nil {
				r.fail("known_hosts", "No known_hosts file", "known_hosts of %s: %v. Hosts are never trusted on first sight: collect their keys with ssh-keyscan, compare the fingerprints, and save them there.", where, err)
			}
			s.knownHosts = append(s.knownHosts, abs)
		}
	}
	if r.has("connect_timeout") {
		d := r.duration("connect_timeout", defaultConnectTimeout)
		s.timeout = &d
	}
	if b := l.one(blocks, "become"); b != nil {
		l.readBecome(b, ctx, where, &s)
	}
	return s
}

func (l *loader) readBecome(b *hcl.Block, ctx *hcl.EvalContext, where string, s *sshSettings) {
	content := l.content(b.Body, becomeSchema(), "become of "+where)
	r := reader{l: l, ctx: ctx, attrs: content.Attributes, rng: b.DefRange, where: "become of " + where}
	if m, ok := r.word("method"); ok {
		switch m {
		case "sudo", "none":
			s.method = &m
		case "doas", "su", "pkexec", "dzdo", "run0":
			l.diags.add(notYet(r.rangeOf("method"), "Becoming root with "+m))
		default:
			r.choice("method", "", "sudo", "none")
		}
	}
	s.password = r.secret("password")
	if s.password != nil && s.method != nil && *s.method == "none" {
		r.fail("password", "Password without use", "%s has method = \"none\", which asks for no password.", r.where)
	}
}

// secret reads a sensitive string.
func (r reader) secret(name string) *Secret {
	a := r.attrs[name]
	if a == nil {
		return nil
	}
	if len(a.Expr.Variables()) == 0 {
		r.l.files.mask(a.Expr)
		if _, literal := hcl.UnwrapExpressionUntil(a.Expr, isSyntax).(*hclsyntax.TemplateExpr); literal {
			r.l.diags.add(warningAt(a.Expr.Range(), "Password in clear", "%s of %s stands in the configuration for everyone to read. Declare a variable with sensitive = true, and give it its value as %sname.", name, r.where, envPrefix))
		}
	}
	v, ok := r.raw(name)
	if !ok {
		return nil
	}
	v, _ = v.UnmarkDeep()
	v, err := convert.Convert(v, cty.String)
	if err != nil || v.IsNull() {
		r.fail(name, "Wrong type of value", "%s of %s must be a string.", name, r.where)
		return nil
	}
	if why := badText(v.AsString()); why != "" {
		r.fail(name, "Control character", "%s of %s has %s, which cannot be typed at a prompt.", name, r.where, why)
		return nil
	}
	if v.AsString() == "" {
		return nil
	}
	secret := NewSecret(v.AsString())
	return &secret
}

// finishSSH fills in defaults, and asks for what has none.
func (l *loader) finishSSH(s sshSettings, h Host) SSH {
	rng := s.rng
	if rng.Filename == "" {
		rng = h.Range
	}
	out := SSH{
		Range: rng, Host: h.Address.String(), Port: defaultSSHPort, KnownHosts: s.knownHosts, ConnectTimeout: defaultConnectTimeout,
	}
	if s.host != nil {
		out.Host = *s.host
	}
	if s.port != nil {
		out.Port = *s.port
	}
	if s.timeout != nil {
		out.ConnectTimeout = *s.timeout
	}
	if s.user != nil {
		out.User = *s.user
	} else {
		l.diags.add(errorAt(rng, "Missing attribute", "Nothing says as which user to log in at %s. Write ssh { user = \"…\" }.", h.Addr))
	}
	if s.privateKey != nil {
		out.PrivateKey = *s.privateKey
	} else {
		l.diags.add(errorAt(rng, "Missing attribute", "Nothing says with which key to log in at %s. Write ssh { private_key = \"~/.ssh/id_ed25519\" }.", h.Addr))
	}
	if out.KnownHosts == nil {
		abs, err := l.existingFile(defaultKnownHosts)
		if err != nil {
			l.diags.add(errorAt(rng, "No known_hosts file", "%v. Write ssh { known_hosts = \"…\" } with a file that has the keys of your hosts.", err))
		}
		out.KnownHosts = []string{abs}
	}
	out.Become.Method = "sudo"
	if out.User == "root" {
		out.Become.Method = "none"
	}
	if s.method != nil {
		out.Become.Method = *s.method
	}
	if s.password != nil {
		out.Become.Password = *s.password
	}
	if out.Become.Method == "none" && out.User != "" && out.User != "root" {
		l.diags.add(errorAt(rng, "No way to become root", "%s is entered as %q with become { method = \"none\" }. Root is needed: write method = \"sudo\", or user = \"root\".", h.Addr, out.User))
	}
	return out
}
