package ssh

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"
)

// maxAttempts is how often a login is tried at most on one connection: sshd ends it
// at the sixth failure (MaxAuthTries), and every key that it does not take is one.
const maxAttempts = 6

const tooMany = "not tried, since a server ends the connection after 6 failures; name the key with private_key"

// The names of methods, RFC 4252 and RFC 4256.
const (
	methodKey         = "publickey"
	methodInteractive = "keyboard-interactive"
	methodPassword    = "password"
)

// attempt is one way to log in, and what became of it.
type attempt struct {
	method string
	what   string // which key; empty where the method says it all
	blob   string // the key, or its certificate, on the wire
	auth   ssh.AuthMethod
	tried  bool
	// why it was of no use, as far as that is known on this side.
	why string
	// unsigned is a key that the host takes, and that could not sign.
	unsigned bool
}

func (a *attempt) String() string {
	why := a.why
	switch {
	case why != "":
	case a.tried && a.method == methodKey:
		why = "not accepted"
	case a.tried:
		why = "refused"
	default:
		why = "not tried"
	}
	if a.what == "" {
		return a.method + ": " + why
	}
	return a.method + ": " + a.what + ": " + why
}

// login logs a user in: it offers one way after the other, in OpenSSH's order, and
// keeps account of what became of each.
type login struct {
	config   Config
	attempts []*attempt
	last     *attempt // that was offered
	offered  int
	answered bool // a password was sent
	allowed  []string
	agent    net.Conn
}

// newLogin gathers what there is to log in with. It fails where that is nothing.
func newLogin(ctx context.Context, c Config, wait *patience) (*login, error) {
	l := &login{config: c}
	for _, s := range c.Signers {
		l.addKey(s, "")
	}
	ofAgent, errAgent := l.agentKeys()
	l.addKeys(ctx, wait, ofAgent)
	if errAgent != nil {
		// With a key file the agent may not even be needed: a socket that a closed
		// terminal left behind must not make every host unreachable.
		l.attempts = append(l.attempts, &attempt{method: methodKey, what: "ssh agent", why: errAgent.Error()})
	}
	if c.Password != nil {
		l.attempts = append(l.attempts,
			&attempt{method: methodInteractive, auth: ssh.KeyboardInteractive(l.challenge)},
			&attempt{method: methodPassword, auth: ssh.PasswordCallback(l.password)})
	}
	if !slices.ContainsFunc(l.attempts, func(a *attempt) bool { return a.auth != nil }) {
		l.close()
		return nil, l.useless()
	}
	return l, nil
}

// useless says why there is nothing to log in with.
func (l *login) useless() error {
	var why []string
	for _, a := range l.attempts {
		if !strings.Contains(a.why, a.what) {
			a.why = a.what + ": " + a.why
		}
		why = append(why, a.why)
	}
	if len(why) == 0 {
		why = []string{"the ssh agent has no key; run 'ssh-add', or write ssh { private_key = … }"}
	}
	return fmt.Errorf("%s: nothing to log in with: %s", l.config.Name, strings.Join(why, "; "))
}

// close gives the agent back, which is needed until the login is over.
func (l *login) close() {
	if l.agent != nil {
		_ = l.agent.Close()
	}
}

// next is the ssh.ClientAuthCallback: it picks what is tried next.
func (l *login) next(c *ssh.ClientAuthContext) (ssh.AuthMethod, error) {
	l.allowed = c.AllowedMethods
	for _, a := range l.attempts {
		if a.tried || a.auth == nil || !slices.Contains(c.AllowedMethods, a.method) {
			continue
		}
		if a.method == methodPassword && l.answered && len(c.PartialSuccessMethods) == 0 {
			a.why = "not tried, since keyboard-interactive refused the same password"
			continue
		}
		if l.offered >= l.limit() && a.method == methodKey || l.offered >= maxAttempts {
			a.why = tooMany
			continue
		}
		l.offered++
		a.tried, l.last = true, a
		return a.auth, nil
	}
	return nil, l.refused("")
}

// limit is how many attempts keys may take: a password needs room.
func (l *login) limit() int {
	if l.config.Password != nil {
		return maxAttempts - 2
	}
	return maxAttempts
}

// LoginError is a host that let the user in by none of the ways that were tried.
type LoginError struct {
	Host, Address, User string
	Tried               []string // a method, what of it, and why it was of no use
	Reason              string   // of the host, where it gave one
	// Unsigned is set where the host took a key that could not be used here.
	Unsigned bool
}

func (e *LoginError) Error() string {
	reason := ""
	if e.Reason != "" {
		reason = " (the host said: " + e.Reason + ")"
	}
	advice := ". Add a public key to the authorized_keys of that user, or name another key or user in the ssh block"
	if e.Unsigned {
		advice = ""
	}
	return fmt.Sprintf("%s (%s): the host does not let user %s in%s. %s%s",
		e.Host, e.Address, e.User, reason, strings.Join(e.Tried, "; "), advice)
}

// refused is the account of a login that failed.
func (l *login) refused(reason string) error {
	e := &LoginError{Host: l.config.Name, Address: l.config.Address, User: l.config.User, Reason: printable(reason, 200)}
	for _, a := range l.attempts {
		e.Unsigned = e.Unsigned || a.unsigned
		if a.why == "" && !a.tried && l.offered >= maxAttempts {
			a.why = tooMany
		}
		if a.why == "" && !a.tried && len(l.allowed) > 0 && !slices.Contains(l.allowed, a.method) {
			a.why = "not tried, since the host takes " + printable(strings.Join(l.allowed, ", "), 100)
		}
		e.Tried = append(e.Tried, a.String())
	}
	return e
}

// challenge answers what keyboard-interactive asks, if that is one hidden word: the
// password.
func (l *login) challenge(_, instruction string, questions []string, echos []bool) ([]string, error) {
	if len(questions) == 0 {
		return nil, nil
	}
	a := l.last
	if len(questions) > 1 || echos[0] || l.answered {
		a.why = "it asks for more than a password: " + printable(strings.Join(append([]string{instruction}, questions...), " "), 100)
		return nil, errors.New(a.why)
	}
	text, err := l.password()
	if err != nil {
		return nil, err
	}
	return []string{text}, nil
}

// password is what was configured.
func (l *login) password() (string, error) {
	text, err := l.config.Password()
	if err != nil {
		l.last.why = err.Error()
		return "", fmt.Errorf("%s: obtaining the password: %w", l.config.Name, err)
	}
	l.answered = true
	return text, nil
}
