// Package sshconfig reads what OpenSSH's client would do to reach a host:
// ~/.ssh/config, or another file of that format.
//
// Where OpenSSH's client is installed, it is asked itself (ssh -G), so that every
// directive means what it means to ssh. Elsewhere a parser reads the files, and
// refuses what only ssh can evaluate. The package knows directives and their tokens.
// It must never connect to anything, nor decide what of a configuration counts more.
package sshconfig

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Reader says where the settings come from.
type Reader struct {
	// File is read alone; when empty, the user's and the system's files are.
	File string
	// SSH is OpenSSH's client; when empty, the parser reads the files.
	SSH string
	// Home stands for ~ and %d, User for the local user: %u, and who logs in
	// where nothing else is said.
	Home, User string
	Getenv     func(string) string
}

// Settings are those directives of one host that hardway honours, with ~, tokens
// and environment variables resolved. Zero means that nothing says.
type Settings struct {
	HostName         string // to dial
	Port             int
	User             string
	IdentityFiles    []string // files that do not exist included
	CertificateFiles []string
	IdentitiesOnly   bool
	IdentityAgent    string // a socket, "none", or empty for SSH_AUTH_SOCK
	KnownHostsFiles  []string
	HostKeyAlias     string
	ProxyJump        []Jump // nearest to this machine first
	ConnectTimeout   time.Duration
}

// Jump is one host of ProxyJump.
type Jump struct {
	Host, User string
	Port       int
}

// UnsupportedError is a directive that would change how a host is reached, and that
// hardway does not honour: without it, another machine might be reached, or none.
type UnsupportedError struct{ Host, Directive, Value, Instead string }

func (e *UnsupportedError) Error() string {
	return fmt.Sprintf("ssh_config says %s %s for %s, which hardway does not do: %s", e.Directive, e.Value, e.Host, e.Instead)
}

// refusals are directives that cannot be left out silently, by ssh -G's spelling,
// with the values that mean nothing and what to do instead.
var refusals = []struct {
	name    string
	nothing []string
	instead string
}{
	{"ProxyCommand", []string{"none"}, "use ProxyJump, or a bastion block"},
	{"KnownHostsCommand", []string{"none"}, "put the keys into a known_hosts file"},
	{"RevokedHostKeys", []string{"none"}, "mark the keys @revoked in a known_hosts file"},
	{"PKCS11Provider", []string{"none"}, "add the token's keys to an ssh-agent (ssh-add -s)"},
	{"BindAddress", nil, "set the source address by a route"},
	{"BindInterface", nil, "choose the interface by a route"},
}

// Lookup returns the settings of a host, by the name that one would type after ssh.
// User and port are what is known of them already, since a file may match on them.
func (r Reader) Lookup(ctx context.Context, host, user string, port int) (Settings, error) {
	if host == "" || strings.HasPrefix(host, "-") || strings.ContainsAny(host, " \t\n\x00") {
		return Settings{}, fmt.Errorf("%q is not a name of a host", host)
	}
	values, err := r.values(ctx, host, user, port)
	if err != nil {
		return Settings{}, err
	}
	for _, refuse := range refusals {
		if v := values.first(refuse.name); v != "" && !slices.Contains(refuse.nothing, strings.ToLower(v)) {
			return Settings{}, &UnsupportedError{Host: host, Directive: refuse.name, Value: v, Instead: refuse.instead}
		}
	}
	return r.settings(values, host, user, port)
}

// directives are values by the lower-case name of their directive.
type directives map[string][]string

func (d directives) first(name string) string {
	if v := d[strings.ToLower(name)]; len(v) > 0 {
		return v[0]
	}
	return ""
}

func (r Reader) values(ctx context.Context, host, user string, port int) (directives, error) {
	if r.SSH != "" {
		return r.ask(ctx, host, user, port)
	}
	return r.parse(host)
}

// settings gives directives their types.
func (r Reader) settings(d directives, host, user string, port int) (Settings, error) {
	fail := func(directive string, err error) (Settings, error) {
		return Settings{}, fmt.Errorf("ssh_config: %s of %s: %w", directive, host, err)
	}
	s := Settings{HostName: d.first("HostName"), Port: port, User: user, IdentitiesOnly: strings.EqualFold(d.first("IdentitiesOnly"), "yes")}
	if s.HostName == "" {
		s.HostName = host
	}
	s.HostName = strings.ReplaceAll(strings.ReplaceAll(s.HostName, "%h", host), "%%", "%") // its only tokens; ssh -G has replaced them
	if s.User == "" {
		s.User = d.first("User")
	}
	if s.User == "" {
		s.User = r.User
	}
	var err error
	if text := d.first("Port"); text != "" && s.Port == 0 {
		if s.Port, err = strconv.Atoi(text); err != nil || s.Port < 1 || s.Port > 65535 {
			return fail("Port", fmt.Errorf("%q is not a port", text))
		}
	}
	if s.Port == 0 {
		s.Port = 22
	}
	x := expansion{reader: r, tokens: map[byte]string{
		'%': "%", 'd': r.Home, 'h': s.HostName, 'n': host, 'p': strconv.Itoa(s.Port), 'r': s.User, 'u': r.User, 'i': strconv.Itoa(os.Getuid()),
	}}
	if name, err := os.Hostname(); err == nil {
		x.tokens['l'] = name
		x.tokens['L'], _, _ = strings.Cut(name, ".")
	}
	s.HostKeyAlias = d.first("HostKeyAlias")
	x.tokens['k'] = s.HostName
	if s.HostKeyAlias != "" {
		x.tokens['k'] = s.HostKeyAlias
	}
	if s.IdentityFiles, err = x.paths(d["identityfile"]); err != nil {
		return fail("IdentityFile", err)
	}
	if s.CertificateFiles, err = x.paths(d["certificatefile"]); err != nil {
		return fail("CertificateFile", err)
	}
	var known []string
	for _, name := range []string{"UserKnownHostsFile", "GlobalKnownHostsFile"} {
		known = append(known, strings.Fields(d.first(name))...)
	}
	if s.KnownHostsFiles, err = x.paths(known); err != nil {
		return fail("UserKnownHostsFile", err)
	}
	if s.IdentityAgent, err = x.agent(d.first("IdentityAgent")); err != nil {
		return fail("IdentityAgent", err)
	}
	if s.ProxyJump, err = jumps(d.first("ProxyJump")); err != nil {
		return fail("ProxyJump", err)
	}
	if text := d.first("ConnectTimeout"); text != "" && text != "none" {
		seconds, err := strconv.Atoi(text)
		if err != nil || seconds < 0 {
			return fail("ConnectTimeout", fmt.Errorf("%q is not a number of seconds", text))
		}
		s.ConnectTimeout = time.Duration(seconds) * time.Second
	}
	return s, nil
}

// jumps takes ProxyJump apart: [user@]host[:port], separated by commas, or URIs.
func jumps(text string) ([]Jump, error) {
	if text == "" || strings.EqualFold(text, "none") {
		return nil, nil
	}
	var out []Jump
	for part := range strings.SplitSeq(text, ",") {
		rest := strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(part), "ssh://"), "/")
		j := Jump{Host: rest}
		if i := strings.LastIndexByte(rest, '@'); i >= 0 {
			j.User, j.Host = rest[:i], rest[i+1:]
		}
		if i := strings.LastIndexByte(j.Host, ':'); i >= 0 && (strings.Count(j.Host, ":") == 1 || strings.HasPrefix(j.Host, "[")) && i > strings.LastIndexByte(j.Host, ']') {
			port, err := strconv.Atoi(j.Host[i+1:])
			if err != nil || port < 1 || port > 65535 {
				return nil, fmt.Errorf("%q has no good port", part)
			}
			j.Host, j.Port = j.Host[:i], port
		}
		j.Host = strings.TrimSuffix(strings.TrimPrefix(j.Host, "["), "]")
		if j.Host == "" || strings.HasPrefix(j.Host, "-") || strings.ContainsAny(j.Host, " \t/") {
			return nil, fmt.Errorf("%q names no host", part)
		}
		out = append(out, j)
	}
	return out, nil
}

// expansion resolves ~, tokens and environment variables in paths.
type expansion struct {
	reader Reader
	tokens map[byte]string
}

func (x expansion) paths(texts []string) ([]string, error) {
	var out []string
	for _, text := range texts {
		if strings.EqualFold(text, "none") {
			continue
		}
		p, err := x.path(text)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(out, p) {
			out = append(out, p)
		}
	}
	return out, nil
}

func (x expansion) path(text string) (string, error) {
	text = strings.Trim(text, `"`)
	if rest, ok := strings.CutPrefix(text, "~/"); ok {
		text = filepath.Join(strings.ReplaceAll(x.reader.Home, "%", "%%"), rest)
	} else if strings.HasPrefix(text, "~") {
		return "", fmt.Errorf("%s: another user's home is not looked up; write the whole path", text)
	}
	var out strings.Builder
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] == '%' && i+1 < len(text):
			i++
			value, ok := x.tokens[text[i]]
			if !ok {
				return "", fmt.Errorf("%s: hardway does not know the token %%%c", text, text[i])
			}
			out.WriteString(value)
		case strings.HasPrefix(text[i:], "${"):
			name, _, ok := strings.Cut(text[i+2:], "}")
			value := x.reader.Getenv(name)
			if !ok || value == "" {
				return "", fmt.Errorf("%s: the environment has no %s", text, name)
			}
			out.WriteString(value)
			i += len(name) + 2
		default:
			out.WriteByte(text[i])
		}
	}
	if p := out.String(); filepath.IsAbs(p) {
		return filepath.Clean(p), nil
	}
	return filepath.Join(x.reader.Home, out.String()), nil
}

// agent resolves IdentityAgent, which may name an environment variable as well.
func (x expansion) agent(text string) (string, error) {
	switch {
	case text == "" || text == "SSH_AUTH_SOCK":
		return "", nil
	case strings.EqualFold(text, "none"):
		return "none", nil
	case strings.HasPrefix(text, "$") && !strings.HasPrefix(text, "${"):
		return x.reader.Getenv(text[1:]), nil
	}
	return x.path(text)
}
