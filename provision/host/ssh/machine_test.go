package ssh

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"hardway/provision/facts"
	"hardway/provision/host"
	"hardway/provision/host/ssh/sshtest"
)

// machine is a container with a real sshd, sudo and doas, and the shells that people
// have.
type machine struct {
	t         *testing.T
	container string
	address   string
	known     string
	key       ssh.Signer
}

// startMachine uses the container that HARDWAY_TEST_CONTAINER names: one with sshd
// running, in which users may be made.
func startMachine(t *testing.T) *machine {
	t.Helper()
	m := &machine{t: t, container: os.Getenv("HARDWAY_TEST_CONTAINER"), key: sshtest.NewKey(t)}
	if m.container == "" {
		t.Skip("HARDWAY_TEST_CONTAINER names no docker container with sshd, sudo, doas and shells in it")
	}
	out, err := exec.Command("docker", "inspect", "-f", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", m.container).Output()
	if err != nil {
		t.Fatal(err)
	}
	m.address = strings.TrimSpace(string(out)) + ":22"
	m.known = filepath.Join(t.TempDir(), "known_hosts")
	key := m.root("cat /etc/ssh/ssh_host_ed25519_key.pub")
	if err := os.WriteFile(m.known, []byte(strings.TrimSuffix(m.address, ":22")+" "+key), 0o600); err != nil {
		t.Fatal(err)
	}
	return m
}

// root runs a shell script in the container and returns what it printed.
func (m *machine) root(script string) string {
	m.t.Helper()
	cmd := exec.Command("docker", "exec", "-i", m.container, "sh", "-s")
	cmd.Stdin = strings.NewReader(script)
	out, err := cmd.CombinedOutput()
	if err != nil {
		m.t.Fatalf("%s: %v\n%s", script, err, out)
	}
	return string(out)
}

// user makes a user whom the key lets in, and returns how to reach the machine as
// them. The files are those of the home directory.
func (m *machine) user(name, shell, password string, files map[string]string) Config {
	m.t.Helper()
	var s strings.Builder
	fmt.Fprintf(&s, "set -e\nuserdel -r %s >/dev/null 2>&1 || :\nuseradd -m -s %s %s\n", name, shell, name)
	fmt.Fprintf(&s, "echo '%s:%s' | chpasswd\n", name, password)
	fmt.Fprintf(&s, "mkdir -p /home/%s/.ssh\n", name)
	files[".ssh/authorized_keys"] = string(ssh.MarshalAuthorizedKey(m.key.PublicKey()))
	for path, text := range files {
		fmt.Fprintf(&s, "mkdir -p $(dirname /home/%s/%s)\ncat >/home/%s/%s <<'END'\n%s\nEND\n", name, path, name, path, strings.TrimSuffix(text, "\n"))
	}
	fmt.Fprintf(&s, "chown -R %s: /home/%s\n", name, name)
	m.root(s.String())
	return Config{
		Name: name, Address: m.address, User: name, Signers: []ssh.Signer{m.key}, KnownHosts: []string{m.known},
		ConnectTimeout: 20 * time.Second, RunDir: "/run/hardway-" + name, StateDir: "/var/lib/hardway-" + name,
	}
}

// works fails unless everything that a host does can be done.
func works(t *testing.T, c Config) {
	t.Helper()
	h, err := Dial(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	r, err := h.Run(t.Context(), host.Script{Name: "exec", Args: []string{"sh", "-c", "id -u; cat"}, Stdin: []byte("a\x00\x03\x04\r\n\x1a\xff")})
	if err != nil || string(r.Stdout) != "0\na\x00\x03\x04\r\n\x1a\xff" {
		t.Fatalf("%q, %v", r.Stdout, err)
	}
	if _, err := h.Observe(t.Context(), facts.Request{}); err != nil {
		t.Error(err)
	}
	if err := h.Lock(t.Context(), "test"); err != nil { // which makes the directory for good
		t.Fatal(err)
	}
	large := bytes.Repeat([]byte("0123456789abcde\n"), 1<<16) // on a channel of its own
	if err := h.Put(t.Context(), put(c.StateDir+"/large", large)); err != nil {
		t.Error(err)
	}
}

// The login shells and scripts that people have on real hosts.
func TestMachineShells(t *testing.T) {
	m := startMachine(t)
	heavy := "echo Welcome to $(hostname)\nprintf 'no newline'\necho warning >&2\nread -r answer\nsleep 2\n"
	for name, c := range map[string]struct {
		shell string
		files map[string]string
	}{
		"bash":       {"/bin/bash", map[string]string{}},
		"bash-heavy": {"/bin/bash", map[string]string{".bashrc": heavy}},
		"bash-reads": {"/bin/bash", map[string]string{".bashrc": "read a; read b; read c"}},
		"bash-zsh":   {"/bin/bash", map[string]string{".bashrc": heavy + "exec zsh"}},
		"bash-dash":  {"/bin/bash", map[string]string{".bashrc": heavy + "exec dash"}},
		"bash-bash":  {"/bin/bash", map[string]string{".bashrc": "exec bash --norc"}},
		"dash":       {"/bin/dash", map[string]string{".profile": heavy}},
		"fish":       {"/usr/bin/fish", map[string]string{".config/fish/config.fish": "echo Welcome; echo warning >&2; sleep 2"}},
		"fish-reads": {"/usr/bin/fish", map[string]string{".config/fish/config.fish": "read answer"}},
		"zsh":        {"/usr/bin/zsh", map[string]string{".zshenv": heavy}},
		"tcsh":       {"/usr/bin/tcsh", map[string]string{".cshrc": "echo Welcome\nsleep 2\nset answer = $<"}},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := m.user("sh-"+name, c.shell, "pw", c.files)
			m.root(fmt.Sprintf("echo 'sh-%s ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/sh-%s", name, name))
			cfg.Become.Method = BecomeSudo
			works(t, cfg)
		})
		t.Run(name+" with a password", func(t *testing.T) {
			cfg := m.user("sp-"+name, c.shell, "open sesame", c.files)
			m.root(fmt.Sprintf("echo 'sp-%s ALL=(ALL) ALL' >/etc/sudoers.d/sp-%s", name, name))
			cfg.Become = Become{BecomeSudo, func() (string, error) { return "open sesame", nil }}
			works(t, cfg)
		})
	}
}

// A login script that never gives the command a chance is named as the likely reason.
func TestMachineShellIsLost(t *testing.T) {
	m := startMachine(t)
	cfg := m.user("lost", "/bin/bash", "pw", map[string]string{".bashrc": "exec fish"})
	cfg.ConnectTimeout = 4 * time.Second
	if _, err := Dial(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), "login scripts of user lost") {
		t.Errorf("got %v", err)
	}
}

func TestMachineBecome(t *testing.T) {
	m := startMachine(t)
	const secret, wrong = "correct horse $(battery) 'staple'", "Tr0ub4dor-and-3"
	say := func(text string) func() (string, error) { return func() (string, error) { return text, nil } }
	for _, c := range []struct {
		name, sudoers, doas string
		become              Become
		says                []string
	}{
		{"sudo-nopasswd", "NOPASSWD: ALL", "", Become{Method: BecomeSudo}, nil},
		{"sudo-password", "ALL", "", Become{BecomeSudo, say(secret)}, nil},
		{"sudo-unasked", "NOPASSWD: ALL", "", Become{BecomeSudo, say(secret)}, nil},
		{"sudo-wrong", "ALL", "", Become{BecomeSudo, say(wrong)}, []string{"refused the password", "once"}},
		{"sudo-none", "ALL", "", Become{Method: BecomeSudo}, []string{"asks for a password", "NOPASSWD"}},
		{"sudo-forbidden", "", "", Become{BecomeSudo, say(secret)}, []string{"does not allow"}},
		{"doas-nopass", "", "permit nopass", Become{Method: BecomeDoas}, nil},
		{"doas-password", "", "permit", Become{BecomeDoas, say(secret)}, nil},
		{"doas-unasked", "", "permit nopass", Become{BecomeDoas, say(secret)}, nil},
		{"doas-wrong", "", "permit", Become{BecomeDoas, say(wrong)}, []string{"refused the password", "once"}},
		{"doas-none", "", "permit", Become{Method: BecomeDoas}, []string{"asks for a password", "nopass"}},
		{"doas-forbidden", "", "deny", Become{BecomeDoas, say(secret)}, []string{"does not allow"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := m.user(c.name, "/bin/bash", "x", map[string]string{})
			set := exec.Command("docker", "exec", "-i", m.container, "chpasswd")
			set.Stdin = strings.NewReader(c.name + ":" + secret + "\n")
			if out, err := set.CombinedOutput(); err != nil {
				t.Fatalf("%s", out)
			}
			m.root(fmt.Sprintf("rm -f /etc/sudoers.d/%s; echo '%s %s' >/etc/doas.conf; chmod 600 /etc/doas.conf", c.name, c.doas, c.name))
			if c.doas == "" {
				m.root("rm -f /etc/doas.conf")
			}
			if c.sudoers != "" {
				m.root(fmt.Sprintf("echo '%s ALL=(ALL) %s' >/etc/sudoers.d/%s", c.name, c.sudoers, c.name))
			}
			cfg.Become = c.become
			watch := watchProcesses(secret, wrong)
			if len(c.says) == 0 {
				works(t, cfg)
			} else {
				begun := time.Now()
				_, err := Dial(t.Context(), cfg)
				if _, ok := errors.AsType[*BecomeError](err); !ok {
					t.Errorf("got %T: %v", err, err)
				} else {
					for _, part := range append(c.says, c.name) {
						if !strings.Contains(err.Error(), part) {
							t.Errorf("the error does not say %q: %v", part, err)
						}
					}
					if strings.Contains(err.Error(), secret) || strings.Contains(err.Error(), wrong) {
						t.Errorf("the password is in the error: %v", err)
					}
				}
				if took := time.Since(begun); took > 15*time.Second {
					t.Errorf("it took %s", took)
				}
			}
			samples, hits := watch()
			if len(hits) > 0 {
				t.Errorf("the password was seen in %v", hits)
			}
			t.Logf("/proc was read %d times", samples)
			m.root("! grep -rlFe '" + wrong + "' -e 'correct horse' /home/" + c.name + " /tmp /run /var/log /var/lib/hardway-" + c.name + " 2>/dev/null")
			if left := m.root("ls -d /tmp/tmp.* 2>/dev/null || :"); left != "" {
				t.Errorf("left behind: %s", left)
			}
		})
	}
}

// watchProcesses reads the command line and the environment of every process of this
// machine, those in containers included, as fast as it can, until the returned
// function is called.
func watchProcesses(secrets ...string) (end func() (samples int64, hits []string)) {
	var stop atomic.Bool
	var samples atomic.Int64
	found := make(chan []string)
	self := strconv.Itoa(os.Getpid())
	go func() {
		seen := map[string]bool{}
		for !stop.Load() {
			samples.Add(1)
			entries, _ := os.ReadDir("/proc")
			for _, e := range entries {
				if e.Name()[0] < '0' || e.Name()[0] > '9' || e.Name() == self {
					continue
				}
				for _, file := range []string{"cmdline", "environ"} {
					text, _ := os.ReadFile("/proc/" + e.Name() + "/" + file)
					for _, s := range secrets {
						if bytes.Contains(text, []byte(s)) {
							seen[file+": "+string(bytes.ReplaceAll(text, []byte{0}, []byte{' '}))] = true
						}
					}
				}
			}
		}
		var hits []string
		for h := range seen {
			hits = append(hits, h)
		}
		found <- hits
	}()
	return func() (int64, []string) {
		stop.Store(true)
		hits := <-found
		return samples.Load(), hits
	}
}
