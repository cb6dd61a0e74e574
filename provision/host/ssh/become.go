package ssh

import (
	"fmt"
	"strings"

	"hardway/templates/scripts"
)

// bootstrap is what a channel runs as root. It is one constant that any login
// shell takes in single quotes (it has no quote, backslash or exclamation mark),
// and never "sh -s": dash reads ahead on its input, and would run what was meant
// as data. It reads the loop by length. Whatever a login script read or wrote
// before is skipped over, and so is a password that sudo did not ask for after
// all.
const bootstrap = `n=; echo; echo hardway-up; until [ "$n" = hardway ]; do read -r n || exit 70; done; ` +
	`read -r n; l=$(head -c "$n"); eval "$l"`

// prompt is what sudo asks with. Another prompt is never answered.
const prompt = "hardway-sudo-password:"

// asRoot starts the bootstrap as root. setsid gives the loop a process group that it
// may end as a whole.
const asRoot = "setsid -w sh -c '" + bootstrap + "'"

// command returns the command line of a channel. Nothing in it comes from a user.
func (b Become) command() string {
	const english = "exec env LC_ALL=C "
	switch {
	case b.Method == BecomeNone:
		return english + asRoot
	case b.Password != nil:
		// Nothing that waits for a password is started before the login scripts
		// are over: what they left unread of the input would be taken for it.
		return english + "sh -c '" + bootstrap + "'"
	case b.Method == BecomeDoas:
		return english + "doas -n -- " + asRoot
	default:
		return english + "sudo -n -- " + asRoot
	}
}

// second returns what the bootstrap of command is sent, and the lines that follow, or
// nothing where command gives root at once. The password that follows is for doas,
// which cannot be answered through the channel; sudo asks.
func (b Become) second() (script, lines string, err error) {
	switch {
	case b.Method == BecomeNone || b.Password == nil:
		return "", "", nil
	case b.Method == BecomeSudo:
		// -k: a password that was right a minute ago does not count, so that a
		// wrong one fails every time.
		return "exec sudo -k -S -p " + prompt + " -- " + asRoot + "\n", "", nil
	}
	password, err := b.secret()
	return scripts.Doas(), password + "\n" + bootstrap + "\n", err
}

// secret returns the password, which must be one line.
func (b Become) secret() (string, error) {
	password, err := b.Password()
	if err != nil {
		return "", fmt.Errorf("obtaining the %s password: %w", b.Method, err)
	}
	if strings.ContainsAny(password, "\n\x00") {
		return "", fmt.Errorf("the %s password holds a line break", b.Method)
	}
	return password, nil
}

// BecomeError says why the user could not become root.
type BecomeError struct {
	Host, User string
	Reason     string // with the next step
	Stderr     string // the end of what the host wrote
}

func (e *BecomeError) Error() string {
	msg := fmt.Sprintf("%s: user %s cannot become root: %s", e.Host, e.User, e.Reason)
	if e.Stderr != "" {
		msg += fmt.Sprintf(" (the host said: %s)", e.Stderr)
	}
	return msg
}

// becomeFailure reads the mind of sudo, sudo-rs and doas. It returns nil if the
// failure does not look like one of theirs.
func becomeFailure(c Config, asked int, stderr string) error {
	fail := func(reason string) error {
		return &BecomeError{Host: c.Name, User: c.User, Reason: reason, Stderr: printable(stderr, 300)}
	}
	if c.Become.Method == BecomeNone {
		if strings.Contains(stderr, "setsid") {
			return fail("the host has no setsid; install util-linux")
		}
		return nil
	}
	said := func(parts ...string) bool {
		for _, p := range parts {
			if strings.Contains(stderr, p) {
				return true
			}
		}
		return false
	}
	method := string(c.Become.Method)
	switch {
	case asked > 1 || said("incorrect password", "incorrect authentication", "Sorry, try again", "Authentication failed"):
		return fail(method + " refused the password (it was tried once)")
	case said("password is required", "no password was provided", "Authentication required", "Authorization required", "interactive authentication is required"):
		return fail(method + " asks for a password; give one (become { password = … }), or allow " + nopass(c.Become.Method) + " for this user")
	case said("must have a tty", "a tty is required"):
		return fail(method + " wants a terminal; remove 'requiretty' from its configuration for this user")
	case said("not in the sudoers", "is not allowed", "may not run", "I'm afraid I can't do that", "Operation not permitted"):
		return fail(method + "'s configuration does not allow it; allow this user to run all commands")
	case said("doas is not enabled"):
		return fail("doas has no configuration (/etc/doas.conf); permit this user to run all commands there")
	case said("account has expired", "account validation failure", "password expired", "is your account locked"):
		return fail(method + " says that the account or its password has expired; log in by hand and renew it")
	case said("No such file or directory", "not found", "Unknown command"):
		for tool, from := range map[string]string{"setsid": "util-linux", "script": "util-linux or bsdutils", "mkfifo": "coreutils", "timeout": "coreutils"} {
			if said(tool) {
				return fail("the host has no " + tool + "; install " + from)
			}
		}
		return fail("the host has no " + method + "; install it, or log in as root with become { method = \"none\" }")
	case said(method + ":"):
		return fail(method + " failed")
	}
	return nil
}

func nopass(m BecomeMethod) string {
	if m == BecomeDoas {
		return "nopass"
	}
	return "NOPASSWD"
}

// printable cuts text of a host to n bytes, and takes out what could steer a terminal.
func printable(s string, n int) string {
	s = strings.TrimSpace(strings.ReplaceAll(s, prompt, ""))
	if len(s) > n {
		s = "…" + s[len(s)-n:]
	}
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return ' '
		case r < ' ' || r == 0x7f || (r >= 0x80 && r < 0xa0) || r == '\ufffd' ||
			(r >= 0x202a && r <= 0x202e) || (r >= 0x2066 && r <= 0x2069):
			return '?'
		}
		return r
	}, s)
}
