package config

import (
	"net/netip"
	"regexp"
	"time"

	"github.com/hashicorp/hcl/v2"
)

// loginSettings are what an ssh block or a bastion block says of logging in; nil
// means that it does not say.
type loginSettings struct {
	rng            hcl.Range
	hostRange      hcl.Range
	host           *string
	port           *int
	user           *string
	privateKeys    []string
	certificates   []string
	agent          *string
	identitiesOnly *bool
	password       *Secret
	knownHosts     []string
	alias          *string
	timeout        *time.Duration
}

// over lays settings over others.
func (s loginSettings) over(base loginSettings) loginSettings {
	return loginSettings{
		rng: s.rng, hostRange: s.hostRange, host: either(s.host, base.host), port: either(s.port, base.port), user: either(s.user, base.user),
		privateKeys: eitherList(s.privateKeys, base.privateKeys), certificates: eitherList(s.certificates, base.certificates),
		agent: either(s.agent, base.agent), identitiesOnly: either(s.identitiesOnly, base.identitiesOnly),
		password: either(s.password, base.password), knownHosts: eitherList(s.knownHosts, base.knownHosts),
		alias: either(s.alias, base.alias), timeout: either(s.timeout, base.timeout),
	}
}

// within fills a bastion's settings from the ssh block around it. The password stays
// out: it is for another machine, and nobody said that the bastion may see it. So do
// the port and the alias, which are the host's.
func (s loginSettings) within(outer loginSettings) loginSettings {
	outer.password, outer.port, outer.alias = nil, nil, nil
	return s.over(outer)
}

// alias is what ssh_config may know a host by: anything that is one word, and could
// not be taken for an option.
var alias = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.:%+-]*$`)

// readLogin reads what both blocks have.
func (l *loader) readLogin(r reader) loginSettings {
	s := loginSettings{rng: r.rng}
	if h, ok := r.word("host"); ok {
		s.host, s.hostRange = &h, r.rangeOf("host")
	}
	if r.has("port") {
		port := r.whole("port", defaultSSHPort, 1, 65535)
		s.port = &port
	}
	if u, ok := r.word("user"); ok {
		if !isUserName(u) {
			r.fail("user", "Invalid user name", "user of %s is %s, which is not a user name.", r.where, quote(u))
		}
		s.user = &u
	}
	s.privateKeys = r.existing("private_key", "No private key",
		"Write the path of your SSH key, or make one with: ssh-keygen -t ed25519 -f %s")
	s.certificates = r.existing("certificate", "No certificate",
		"Write the path of your SSH user certificate. One that lies beside the key as KEY-cert.pub is found without this attribute.")
	if on, socket, ok := r.flagOrPath("agent", "the path of an agent's socket"); ok {
		if !on {
			socket = "none"
		}
		s.agent = &socket
	}
	if r.has("identities_only") {
		only := r.flag("identities_only", true)
		s.identitiesOnly = &only
	}
	s.password = r.secret("password")
	s.knownHosts = l.readKnownHosts(r)
	if a, ok := r.word("host_key_alias"); ok {
		if !alias.MatchString(a) {
			r.fail("host_key_alias", "Invalid alias", "host_key_alias of %s is %s; one word is wanted, as it stands in known_hosts.", r.where, quote(a))
		}
		s.alias = &a
	}
	if r.has("connect_timeout") {
		d := r.duration("connect_timeout", DefaultConnectTimeout)
		s.timeout = &d
	}
	return s
}

// existing reads a path or a list of paths of files that must be there. Advice may
// have one verb, for the path.
func (r reader) existing(name, summary, advice string) []string {
	paths, ok := r.texts(name, true)
	if !ok {
		return nil
	}
	out := []string{}
	for _, p := range paths {
		abs, err := r.l.existingFile(p)
		if err != nil {
			if summary == "No private key" {
				r.fail(name, summary, "%s of %s: %v. "+advice, name, r.where, err, p)
			} else {
				r.fail(name, summary, "%s of %s: %v. "+advice, name, r.where, err)
			}
		}
		out = append(out, abs)
	}
	return out
}

// readKnownHosts reads the files of host keys. The first is where `hardway ssh trust`
// writes, and so need not be there yet: a host that is in none is refused.
func (l *loader) readKnownHosts(r reader) []string {
	paths, ok := r.texts("known_hosts", true)
	if !ok {
		return nil
	}
	var out []string
	for i, p := range paths {
		abs, err := l.existingFile(p)
		switch {
		case err == nil:
		case i == 0 && l.absent(p):
			l.diags.add(warningAt(r.rangeOf("known_hosts"), "No known_hosts file", "known_hosts of %s: %v. No host is known by it. Run \"hardway ssh trust\": it shows the fingerprints of the hosts' keys, asks, and makes the file.", r.where, err))
		default:
			r.fail("known_hosts", "No known_hosts file", "known_hosts of %s: %v. Hosts are never trusted on first sight: \"hardway ssh trust\" shows the fingerprints of their keys, and adds them to the first file.", r.where, err)
		}
		out = append(out, abs)
	}
	return out
}

// finishLogin fills in defaults, and asks for what has none. With ssh_config what is
// left out stays out.
func (l *loader) finishLogin(s loginSettings, config SSHConfig, who string) Login {
	out := Login{
		Range: s.rng, Host: *s.host, PrivateKeys: s.privateKeys, Certificates: s.certificates, IdentitiesOnly: s.identitiesOnly,
		KnownHosts: s.knownHosts, SSHConfig: config,
	}
	if _, err := netip.ParseAddr(out.Host); s.hostRange.Filename != "" && err != nil && !isDNSName(out.Host) && (!config.Read || !alias.MatchString(out.Host)) {
		l.diags.add(errorAt(s.hostRange, "Invalid SSH host", "%s is to be reached at %s; a DNS name or an IP address is wanted, or, with ssh_config = true, a name that ssh_config knows. The port has an attribute of its own.", who, quote(out.Host)))
	}
	set(&out.Port, s.port, defaultSSHPort, config.Read)
	set(&out.ConnectTimeout, s.timeout, DefaultConnectTimeout, config.Read)
	set(&out.User, s.user, "", true)
	set(&out.Agent, s.agent, "", true)
	set(&out.HostKeyAlias, s.alias, "", true)
	if s.password != nil {
		out.Password = *s.password
	}
	if out.User == "" && !config.Read {
		l.diags.add(errorAt(s.rng, "Missing attribute", "Nothing says as which user to log in at %s. Write ssh { user = \"…\" }, or ssh { ssh_config = true } to have it taken from OpenSSH's configuration.", who))
	}
	if len(out.PrivateKeys) == 0 && s.agent == nil && !out.Password.IsSet() && !config.Read {
		l.diags.add(errorAt(s.rng, "Missing attribute", "Nothing says with which key to log in at %s. Write ssh { private_key = \"~/.ssh/id_ed25519\" }, or agent = true for those of an ssh-agent.", who))
	}
	if out.KnownHosts == nil && !config.Read {
		abs, err := l.existingFile(defaultKnownHosts)
		if err != nil && !l.absent(defaultKnownHosts) {
			l.diags.add(errorAt(s.rng, "No known_hosts file", "%v. Write ssh { known_hosts = \"…\" } with a file that has the keys of your hosts.", err))
		}
		out.KnownHosts = []string{abs}
	}
	return out
}

// set takes a setting, or its default unless somebody else may say.
func set[T any](to *T, value *T, fallback T, open bool) {
	switch {
	case value != nil:
		*to = *value
	case !open:
		*to = fallback
	}
}
