package ssh

import (
	"fmt"
	"strings"
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

// command returns the command line of a channel. Nothing in it comes from a
// user. setsid gives the loop a process group that it may end as a whole.
func (b Become) command() string {
	run := "setsid -w sh -c '" + bootstrap + "'"
	switch {
	case b.Method == BecomeNone:
		return "exec env LC_ALL=C " + run
	case b.Password == nil:
		return "exec env LC_ALL=C sudo -n -- " + run
	default:
		// -k: a password that was right a minute ago does not count, so that a
		// wrong one fails every time.
		return "exec env LC_ALL=C sudo -k -S -p " + prompt + " -- " + run
	}
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

// becomeFailure reads sudo's mind. It returns nil if the failure does not look
// like one of sudo's.
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
	switch {
	case asked > 1 || said("incorrect password", "Sorry, try again"):
		return fail("sudo refused the password (it was tried once)")
	case said("password is required", "no password was provided"):
		return fail("sudo asks for a password; give one (become { password = … }), or allow NOPASSWD for this user")
	case said("must have a tty"):
		return fail("sudo wants a terminal; remove 'requiretty' from its configuration for this user")
	case said("not in the sudoers", "is not allowed", "may not run"):
		return fail("sudo's configuration does not allow it; allow this user to run all commands")
	case said("No such file or directory", "not found", "Unknown command"):
		if said("setsid") {
			return fail("the host has no setsid; install util-linux")
		}
		return fail("the host has no sudo; install it, or log in as root with become { method = \"none\" }")
	case said("sudo:"):
		return fail("sudo failed")
	}
	return nil
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
