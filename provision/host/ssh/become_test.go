package ssh

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"hardway/provision/host"
	"hardway/provision/host/ssh/sshtest"
)

// fakeSudo is sudo as far as its command line goes. It notes its arguments and
// every password that it was given.
const fakeSudo = `#!/bin/sh
here=${0%/*}
ask= prompt=
echo "$*" >>"$here/args"
while [ $# -gt 0 ]; do
	case $1 in
	-n) ask=never ;;
	-S) ask=stdin ;;
	-k) ;;
	-p) prompt=$2; shift ;;
	--) shift; break ;;
	esac
	shift
done
if [ -e "$here/password" ]; then
	[ "$ask" = stdin ] || { echo "sudo: a password is required" >&2; exit 1; }
	for attempt in 1 2 3; do
		printf %s "$prompt" >&2
		read -r given || { echo "sudo: no password was provided" >&2; exit 1; }
		echo "$given" >>"$here/given"
		[ "$given" != "$(cat "$here/password")" ] || exec "$@"
		echo "Sorry, try again." >&2
	done
	echo "sudo: 3 incorrect password attempts" >&2
	exit 1
fi
exec "$@"
`

func TestBecome(t *testing.T) {
	needsRoot(t)
	secret := func() (string, error) { return "open $(sesame)", nil }
	wrong := func() (string, error) { return "wrong", nil }
	for _, c := range []struct {
		name     string
		sudo     string
		asks     string // the password that it wants
		become   Become
		rc       string
		says     []string // of the error; none if root comes up
		attempts int
	}{
		{name: "without a password", sudo: fakeSudo, become: Become{Method: BecomeSudo}},
		{name: "with a password", sudo: fakeSudo, asks: "open $(sesame)", become: Become{BecomeSudo, secret}, attempts: 1},
		{name: "a password that is not asked for", sudo: fakeSudo, become: Become{BecomeSudo, secret}},
		{name: "behind a noisy login", sudo: fakeSudo, asks: "open $(sesame)", become: Become{BecomeSudo, secret}, rc: "echo hello; printf 'no newline'; echo warning >&2", attempts: 1},
		{name: "wrong password", sudo: fakeSudo, asks: "right", become: Become{BecomeSudo, wrong}, says: []string{"m1", "refused the password", "once"}, attempts: 1},
		{name: "password needed", sudo: fakeSudo, asks: "right", become: Become{Method: BecomeSudo}, says: []string{"m1", "asks for a password", "NOPASSWD"}},
		{name: "no sudo", become: Become{Method: BecomeSudo}, says: []string{"m1", "no sudo"}},
		{name: "needs a terminal", sudo: "#!/bin/sh\necho 'sudo: sorry, you must have a tty to run sudo' >&2; exit 1\n", become: Become{Method: BecomeSudo}, says: []string{"requiretty"}},
		{name: "not allowed", sudo: "#!/bin/sh\necho 'u is not in the sudoers file.' >&2; exit 1\n", become: Become{Method: BecomeSudo}, says: []string{"configuration does not allow"}},
		{name: "not root after all", sudo: "#!/bin/sh\nshift 2; exec setpriv --reuid 1 --clear-groups \"$@\"\n", become: Become{Method: BecomeSudo}, says: []string{"uid 1", "become"}},
		{name: "the password cannot be had", sudo: fakeSudo, asks: "x", become: Become{BecomeSudo, func() (string, error) { return "", errors.New("no terminal to ask on") }}, says: []string{"no terminal to ask on"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			// Nothing but the fake is in PATH by the name of sudo.
			bin, path := t.TempDir(), "/usr/bin:/bin:/usr/sbin:/sbin"
			if c.sudo != "" {
				path = bin
				if err := os.WriteFile(filepath.Join(bin, "sudo"), []byte(c.sudo), 0o755); err != nil {
					t.Fatal(err)
				}
			} else if _, err := os.Stat("/usr/bin/sudo"); err == nil {
				t.Skip("this machine has a sudo")
			}
			if c.asks != "" {
				if err := os.WriteFile(filepath.Join(bin, "password"), []byte(c.asks+"\n"), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			s := sshtest.Start(t, sshtest.Options{Path: path, Rc: c.rc})
			cfg := config(t, s)
			cfg.User, cfg.Become = "ops", c.become
			h, err := Dial(t.Context(), cfg)
			given, _ := os.ReadFile(filepath.Join(bin, "given"))
			if n := strings.Count(string(given), "\n"); n != c.attempts {
				t.Errorf("%d passwords were tried, want %d: %q", n, c.attempts, given)
			}
			args, _ := os.ReadFile(filepath.Join(bin, "args"))
			if strings.Contains(string(args), "sesame") || strings.Contains(string(args), "wrong") {
				t.Errorf("the password is in sudo's arguments: %s", args)
			}
			if len(c.says) == 0 {
				if err != nil {
					t.Fatal(err)
				}
				if _, err := h.Run(t.Context(), host.Script{Name: "exec", Args: []string{"true"}}); err != nil {
					t.Error(err)
				}
				_ = h.Close()
				return
			}
			if err == nil {
				t.Fatal("root came up")
			}
			for _, part := range c.says {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("the error does not say %q: %v", part, err)
				}
			}
			if strings.Contains(err.Error(), "sesame") {
				t.Errorf("the password is in the error: %v", err)
			}
		})
	}
}

// A user of uid other than 0 without sudo is told so.
func TestBecomeNoneNeedsRoot(t *testing.T) {
	s := sshtest.Start(t, sshtest.Options{Exec: func(_ string, ch ssh.Channel) uint32 {
		nonce, _ := hello(ch)
		_, _ = ch.Write([]byte("\nhardway-ready " + nonce + " 1000 -\n"))
		return 71
	}})
	_, err := Dial(t.Context(), config(t, s))
	if e, ok := errors.AsType[*BecomeError](err); !ok || !strings.Contains(e.Error(), "uid 1000") || !strings.Contains(e.Error(), `method = "sudo"`) {
		t.Fatalf("got %v", err)
	}
}

// The command line of a channel is one word list for sh, dash, bash, fish and csh
// alike: no backslash, no exclamation mark, and single quotes only around the
// bootstrap.
func TestCommandIsPlain(t *testing.T) {
	for _, b := range []Become{{Method: BecomeNone}, {Method: BecomeSudo}, {BecomeSudo, func() (string, error) { return "", nil }}} {
		c := b.command()
		if strings.ContainsAny(c, "\\!\n") || strings.Count(c, "'") != 2 {
			t.Errorf("%q", c)
		}
		outside := c[:strings.IndexByte(c, '\'')] + c[strings.LastIndexByte(c, '\'')+1:]
		if strings.ContainsAny(outside, "$`\"*?[]{}()<>|&;~#") {
			t.Errorf("shell features outside of the quotes: %q", outside)
		}
	}
}
