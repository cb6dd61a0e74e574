// Package sshtest is an SSH server in the test's own process that runs commands
// in the real shell of this machine.
//
// It counts what a client opens, and a test may put its own behaviour in place of
// the shell, to be a host that lies. It must never listen on anything but
// loopback. What it runs is not confined: tests give scripts paths below their
// own temporary directory, and put fakes of system programs before the real ones
// in PATH.
package sshtest

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"golang.org/x/crypto/ssh"
	xknownhosts "golang.org/x/crypto/ssh/knownhosts"
)

// Server is a running server.
type Server struct {
	Address string // 127.0.0.1:PORT

	// What clients did so far. Open is how many channels are open now; AuthAttempts
	// counts keys that were offered, Attempts every try to log in but "none".
	Connections, Channels, Open, AuthAttempts, Attempts atomic.Int64
	// Forwarded counts connections to elsewhere.
	Forwarded atomic.Int64

	options Options
	config  *ssh.ServerConfig
	user    ssh.Signer
	dir     string
	done    sync.WaitGroup
	mu      sync.Mutex
	conns   map[net.Conn]bool
}

// Options change what the server is like.
type Options struct {
	HostKeys []ssh.Signer // a new ed25519 key when empty
	// Shell runs commands as sshd would, with -c; /bin/sh when empty.
	Shell string
	// Rc is what the login scripts do before the command, in the shell's language.
	Rc string
	// Path stands before the machine's PATH.
	Path string
	// Password is taken by password and keyboard-interactive, where it is set; Keys
	// are then not enough, unless there are any.
	Password string
	// Interactive asks more than the password, after it.
	Interactive []string
	// Keys that are let in beside User's; UserCA signs users' certificates.
	Keys   []ssh.PublicKey
	UserCA ssh.PublicKey
	// NoKeys lets nobody in by a key.
	NoKeys bool
	// NoForwarding refuses direct-tcpip.
	NoForwarding bool
	// Server changes what is left, before the first connection.
	Server func(*ssh.ServerConfig)
	// Raw serves a connection in place of SSH.
	Raw func(net.Conn)
	// After runs beside a connection once somebody is logged in.
	After func(*ssh.ServerConn)
	// Session serves a session channel in place of what Exec is for.
	Session func(ssh.NewChannel)
	// Exec, when set, serves a command in place of the shell; what it returns is
	// the exit status.
	Exec func(command string, channel ssh.Channel) uint32
}

// NewKey returns a new ed25519 key.
func NewKey(t testing.TB) ssh.Signer {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return signer
}

// Start starts a server that ends with the test.
func Start(t testing.TB, o Options) *Server {
	t.Helper()
	if len(o.HostKeys) == 0 {
		o.HostKeys = []ssh.Signer{NewKey(t)}
	}
	if o.Shell == "" {
		o.Shell = "/bin/sh"
	}
	s := &Server{options: o, user: NewKey(t), dir: t.TempDir(), conns: map[net.Conn]bool{}}
	s.config = s.serverConfig()
	for _, k := range o.HostKeys {
		s.config.AddHostKey(k)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.Address = listener.Addr().String()
	s.done.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			s.Connections.Add(1)
			s.mu.Lock()
			s.conns[conn] = true
			s.mu.Unlock()
			s.done.Go(func() { s.serve(conn) })
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		s.Cut()
		s.done.Wait()
	})
	return s
}

func (s *Server) serverConfig() *ssh.ServerConfig {
	o := s.options
	c := &ssh.ServerConfig{
		AuthLogCallback: func(_ ssh.ConnMetadata, method string, _ error) {
			if method != "none" {
				s.Attempts.Add(1)
			}
		},
	}
	certs := &ssh.CertChecker{IsUserAuthority: func(auth ssh.PublicKey) bool {
		return o.UserCA != nil && string(auth.Marshal()) == string(o.UserCA.Marshal())
	}}
	if !o.NoKeys {
		c.PublicKeyCallback = func(conn ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
			s.AuthAttempts.Add(1)
			if _, ok := key.(*ssh.Certificate); ok {
				return certs.Authenticate(conn, key)
			}
			for _, k := range append([]ssh.PublicKey{s.user.PublicKey()}, o.Keys...) {
				if string(key.Marshal()) == string(k.Marshal()) {
					return nil, nil
				}
			}
			return nil, fmt.Errorf("unknown key")
		}
	}
	if o.Password != "" {
		c.PasswordCallback = func(_ ssh.ConnMetadata, password []byte) (*ssh.Permissions, error) {
			if string(password) != o.Password {
				return nil, fmt.Errorf("wrong password")
			}
			return nil, nil
		}
	}
	if o.Password != "" || len(o.Interactive) > 0 {
		c.KeyboardInteractiveCallback = func(_ ssh.ConnMetadata, ask ssh.KeyboardInteractiveChallenge) (*ssh.Permissions, error) {
			answers, err := ask("", "", []string{"Password: "}, []bool{false})
			if err != nil || len(answers) != 1 || answers[0] != o.Password {
				return nil, fmt.Errorf("wrong password")
			}
			for _, q := range o.Interactive {
				if answers, err := ask("", "", []string{q}, []bool{true}); err != nil || len(answers) != 1 || answers[0] == "" {
					return nil, fmt.Errorf("no answer")
				}
			}
			return nil, nil
		}
	}
	if o.Server != nil {
		o.Server(c)
	}
	return c
}

// User is the key that the server lets in.
func (s *Server) User() ssh.Signer { return s.user }

// Cut closes every connection, as a cable would.
func (s *Server) Cut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		_ = c.Close()
	}
}

// KnownHosts writes a known_hosts file with the server's keys and returns its path.
func (s *Server) KnownHosts(t testing.TB) string {
	t.Helper()
	text := ""
	for _, k := range s.options.HostKeys {
		text += xknownhosts.Line([]string{s.Address}, k.PublicKey()) + "\n"
	}
	return s.WriteKnownHosts(t, text)
}

// WriteKnownHosts writes a known_hosts file with that text and returns its path.
func (s *Server) WriteKnownHosts(t testing.TB, text string) string {
	t.Helper()
	file, err := os.CreateTemp(s.dir, "known_hosts")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, err := file.WriteString(text); err != nil {
		t.Fatal(err)
	}
	return file.Name()
}

// NewKeyFile writes a new private key, encrypted if there is a passphrase, and
// returns its path.
func NewKeyFile(t testing.TB, passphrase string) string {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(key, "")
	if passphrase != "" {
		block, err = ssh.MarshalPrivateKeyWithPassphrase(key, "", []byte(passphrase))
	}
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "id_ed25519")
	if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func (s *Server) serve(conn net.Conn) {
	defer func() {
		_ = conn.Close()
		s.mu.Lock()
		delete(s.conns, conn)
		s.mu.Unlock()
	}()
	if s.options.Raw != nil {
		s.options.Raw(conn)
		return
	}
	server, channels, requests, err := ssh.NewServerConn(conn, s.config)
	if err != nil {
		return
	}
	var open sync.WaitGroup
	if s.options.After != nil {
		open.Go(func() { s.options.After(server) })
	}
	open.Go(func() { ssh.DiscardRequests(requests) })
	for c := range channels {
		s.Channels.Add(1)
		switch c.ChannelType() {
		case "session":
			serve := s.session
			if s.options.Session != nil {
				serve = s.options.Session
			}
			open.Go(func() { serve(c) })
		case "direct-tcpip":
			if s.options.NoForwarding {
				_ = c.Reject(ssh.Prohibited, "administratively prohibited")
				continue
			}
			s.Forwarded.Add(1)
			open.Go(func() { forward(c) })
		default:
			_ = c.Reject(ssh.UnknownChannelType, "")
		}
	}
	open.Wait()
}

func (s *Server) session(c ssh.NewChannel) {
	channel, requests, err := c.Accept()
	if err != nil {
		return
	}
	s.Open.Add(1)
	defer s.Open.Add(-1)
	for r := range requests {
		if r.Type != "exec" {
			_ = r.Reply(false, nil)
			continue
		}
		var payload struct{ Command string }
		if err := ssh.Unmarshal(r.Payload, &payload); err != nil {
			_ = r.Reply(false, nil)
			continue
		}
		_ = r.Reply(true, nil)
		go ssh.DiscardRequests(requests)
		run := s.shell
		if s.options.Exec != nil {
			run = s.options.Exec
		}
		status := run(payload.Command, channel)
		_, _ = channel.SendRequest("exit-status", false, ssh.Marshal(struct{ Status uint32 }{status}))
		_ = channel.Close()
		return
	}
}

// shell runs a command as sshd does: in a session of its own, with pipes.
func (s *Server) shell(command string, channel ssh.Channel) uint32 {
	if s.options.Rc != "" {
		command = s.options.Rc + "\n" + command
	}
	cmd := exec.Command(s.options.Shell, "-c", command)
	cmd.Env = []string{"PATH=" + s.options.Path + ":" + os.Getenv("PATH"), "HOME=" + filepath.Join(s.dir, "home"), "LANG=C.UTF-8"}
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	cmd.Stdout, cmd.Stderr = channel, channel.Stderr()
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return 255
	}
	if err := cmd.Start(); err != nil {
		fmt.Fprintln(channel.Stderr(), err)
		return 127
	}
	go func() {
		_, _ = io.Copy(stdin, channel)
		_ = stdin.Close()
	}()
	if err := cmd.Wait(); err == nil {
		return 0
	}
	if code := cmd.ProcessState.ExitCode(); code > 0 {
		return uint32(code)
	}
	return 255
}

// forward serves direct-tcpip.
func forward(c ssh.NewChannel) {
	var to struct {
		Host   string
		Port   uint32
		Origin string
		From   uint32
	}
	if err := ssh.Unmarshal(c.ExtraData(), &to); err != nil {
		_ = c.Reject(ssh.ConnectionFailed, err.Error())
		return
	}
	conn, err := net.Dial("tcp", net.JoinHostPort(to.Host, fmt.Sprint(to.Port)))
	if err != nil {
		_ = c.Reject(ssh.ConnectionFailed, err.Error())
		return
	}
	channel, requests, err := c.Accept()
	if err != nil {
		_ = conn.Close()
		return
	}
	go ssh.DiscardRequests(requests)
	go func() {
		_, _ = io.Copy(conn, channel)
		_ = conn.Close()
	}()
	_, _ = io.Copy(channel, conn)
	_ = channel.Close()
}
