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

// fakeDoas is doas as far as its command line and its terminal go: it asks on the
// controlling terminal, and throws away what was typed before.
const fakeDoas = `#!/bin/sh
here=${0%/*}
ask=tty
echo "$*" >>"$here/args"
while [ $# -gt 0 ]; do
	case $1 in
	-n) ask=never ;;
	--) shift; break ;;
	esac
	shift
done
if [ -e "$here/password" ]; then
	[ "$ask" = tty ] || { echo "doas: Authentication required" >&2; exit 1; }
	(exec <>/dev/tty) 2>/dev/null || { echo "doas: a tty is required" >&2; exit 1; }
	stty -echo </dev/tty
	timeout 0.2 cat </dev/tty >/dev/null
	printf '\\rdoas (ops@host) password: ' >/dev/tty
	IFS= read -r given </dev/tty
	echo "$given" >>"$here/given"
	[ "$given" = "$(cat "$here/password")" ] || { echo "doas: Authentication failed" >&2; exit 1; }
fi
exec "$@"
`

// sudoRS is what sudo of Rust says.
const sudoRS = "#!/bin/sh\necho \"sudo: I'm sorry ops. I'm afraid I can't do that\" >&2; exit 1\n"

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
		{name: "not allowed by sudo-rs", sudo: sudoRS, become: Become{Method: BecomeSudo}, says: []string{"configuration does not allow"}},
		{name: "expired", sudo: "#!/bin/sh\necho 'sudo: Account or password is expired, reset your password and try again; password expired' >&2; exit 1\n", become: Become{Method: BecomeSudo}, says: []string{"expired"}},
		{name: "a prompt in the login scripts", sudo: fakeSudo, asks: "right", become: Become{BecomeSudo, wrong}, rc: "echo '" + prompt + "' >&2", says: []string{"refused the password"}, attempts: 1},
		{name: "a prompt in the login scripts, and none of sudo", sudo: fakeSudo, become: Become{BecomeSudo, secret}, rc: "echo '" + prompt + "' >&2"},
		{name: "login scripts that read, and a password", sudo: fakeSudo, asks: "open $(sesame)", become: Become{BecomeSudo, secret}, rc: "read -r a; read -r b", attempts: 1},
		{name: "doas without a password", sudo: fakeDoas, become: Become{Method: BecomeDoas}},
		{name: "doas with a password", sudo: fakeDoas, asks: "open $(sesame)", become: Become{BecomeDoas, secret}, attempts: 1},
		{name: "doas that does not ask", sudo: fakeDoas, become: Become{BecomeDoas, secret}},
		{name: "doas with a wrong password", sudo: fakeDoas, asks: "right", become: Become{BecomeDoas, wrong}, says: []string{"m1", "doas refused the password", "once"}, attempts: 1},
		{name: "doas with a password needed", sudo: fakeDoas, asks: "right", become: Become{Method: BecomeDoas}, says: []string{"m1", "doas asks for a password", "nopass"}},
		{name: "doas not allowed", sudo: "#!/bin/sh\necho 'doas: Operation not permitted' >&2; exit 1\n", become: Become{BecomeDoas, secret}, says: []string{"doas's configuration does not allow"}},
		{name: "doas not set up", sudo: "#!/bin/sh\necho 'doas: doas is not enabled, /etc/doas.conf: No such file or directory' >&2; exit 1\n", become: Become{Method: BecomeDoas}, says: []string{"/etc/doas.conf"}},
		{name: "no doas", become: Become{Method: BecomeDoas}, says: []string{"m1", "no doas"}},
		{name: "no doas, with a password", become: Become{BecomeDoas, secret}, says: []string{"m1", "no doas"}},
		{name: "doas, and the password cannot be had", sudo: fakeDoas, asks: "x", become: Become{BecomeDoas, func() (string, error) { return "", errors.New("no terminal to ask on") }}, says: []string{"no terminal to ask on"}},
		{name: "the password cannot be had", sudo: fakeSudo, asks: "x", become: Become{BecomeSudo, func() (string, error) { return "", errors.New("no terminal to ask on") }}, says: []string{"no terminal to ask on"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			// Nothing but the fake is in PATH by the name of sudo.
			bin, path := t.TempDir(), "/usr/bin:/bin:/usr/sbin:/sbin"
			if c.sudo != "" {
				path = bin
				if err := os.WriteFile(filepath.Join(bin, string(c.become.Method)), []byte(c.sudo), 0o755); err != nil {
					t.Fatal(err)
				}
			} else if _, err := os.Stat("/usr/bin/" + string(c.become.Method)); err == nil {
				t.Skipf("this machine has a %s", c.become.Method)
			}
			if c.asks != "" {
				if err := os.WriteFile(filepath.Join(bin, "password"), []byte(c.asks+"\n"), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			s := sshtest.Start(t, sshtest.Options{Path: path, Rc: c.rc})
			cfg := config(t, s)
			cfg.User, cfg.Become = "ops", c.become
			watch := watchProcesses("open $(sesame)")
			h, err := Dial(t.Context(), cfg)
			if _, hits := watch(); len(hits) > 0 {
				t.Errorf("the password was seen in %v", hits)
			}
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
	for _, b := range []Become{{Method: BecomeNone}, {Method: BecomeSudo}, {BecomeSudo, func() (string, error) { return "", nil }}, {Method: BecomeDoas}, {BecomeDoas, func() (string, error) { return "", nil }}} {
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
