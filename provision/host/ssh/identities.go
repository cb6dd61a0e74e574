package ssh

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
)

// agentKeys are those of the agent, usable until close.
func (l *login) agentKeys() ([]ssh.Signer, error) {
	if l.config.AgentSocket == "" {
		return nil, nil
	}
	conn, err := net.DialTimeout("unix", l.config.AgentSocket, l.config.ConnectTimeout)
	if err != nil {
		return nil, fmt.Errorf("asking the ssh agent: %w", err)
	}
	_ = conn.SetDeadline(time.Now().Add(l.config.ConnectTimeout)) // for its list; a signature may wait for a person
	keys, err := agent.NewClient(conn).Signers()
	_ = conn.SetDeadline(time.Time{})
	if err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("asking the ssh agent at %s: %w", l.config.AgentSocket, err)
	}
	l.agent = conn
	return keys, nil
}

// addKeys puts keys into the order of OpenSSH's client: certificates, keys of files
// that the agent has, other keys of the agent, and then those that only files have.
func (l *login) addKeys(ctx context.Context, wait *patience, ofAgent []ssh.Signer) {
	c := l.config
	type named struct {
		file   *keyFile
		signer ssh.Signer // nil if there is none
		agent  bool
	}
	held := func(public ssh.PublicKey) ssh.Signer {
		for _, s := range ofAgent {
			if sameKey(s.PublicKey(), public) {
				return s
			}
		}
		return nil
	}
	var keys []named
	for _, path := range c.PrivateKeys {
		n := named{file: c.Keys.file(path)}
		if n.signer = held(n.file.public); n.signer != nil {
			n.agent = true
		} else if err := c.Keys.usable(n.file); err != nil {
			l.attempts = append(l.attempts, &attempt{method: methodKey, what: path, why: err.Error()})
		} else {
			n.signer = lockedKey{keys: c.Keys, file: n.file, ctx: ctx, wait: wait}
		}
		keys = append(keys, n)
	}

	certs := append([]string(nil), c.Certificates...)
	for _, k := range keys {
		if beside := strings.TrimSuffix(k.file.path, ".pub") + "-cert.pub"; !slices.Contains(certs, beside) {
			if _, err := os.Stat(beside); err == nil {
				certs = append(certs, beside)
			}
		}
	}
	for _, path := range certs {
		cert, err := certificate(path)
		if err != nil {
			l.attempts = append(l.attempts, &attempt{method: methodKey, what: path, why: err.Error()})
			continue
		}
		var signer ssh.Signer
		for _, k := range keys {
			if k.signer != nil && sameKey(k.file.public, cert.Key) {
				signer = k.signer
			}
		}
		if signer == nil {
			signer = held(cert.Key)
		}
		l.addCertificate(path, cert, signer)
	}

	for _, k := range keys {
		if k.agent {
			l.addKey(k.signer, k.file.path+", from the ssh agent")
		}
	}
	for _, s := range ofAgent {
		// What the agent has for a named key is a certificate of it.
		mine := slices.ContainsFunc(keys, func(k named) bool { return sameKey(plain(s.PublicKey()), k.file.public) })
		if mine || !c.IdentitiesOnly {
			l.addKey(s, "from the ssh agent")
		}
	}
	for _, k := range keys {
		if !k.agent && k.signer != nil {
			l.addKey(k.signer, k.file.path)
		}
	}
}

// addCertificate adds a certificate with the key that belongs to it.
func (l *login) addCertificate(path string, cert *ssh.Certificate, signer ssh.Signer) {
	fail := func(format string, args ...any) {
		l.attempts = append(l.attempts, &attempt{method: methodKey, what: path, why: fmt.Sprintf(format, args...)})
	}
	now := uint64(l.config.Now().Unix())
	switch {
	case signer == nil:
		fail("neither a named key nor the ssh agent has the private key of the certificate")
		return
	case cert.ValidBefore != ssh.CertTimeInfinity && now >= cert.ValidBefore:
		fail("the certificate expired at %s; have the key signed again", certTime(cert.ValidBefore))
		return
	case now < cert.ValidAfter:
		fail("the certificate is not valid before %s; check this machine's clock", certTime(cert.ValidAfter))
		return
	}
	with, err := ssh.NewCertSigner(cert, signer)
	if err != nil {
		fail("%v", err)
		return
	}
	what := "certificate " + path
	if len(cert.ValidPrincipals) > 0 && !slices.Contains(cert.ValidPrincipals, l.config.User) {
		what += " (for " + strings.Join(cert.ValidPrincipals, ", ") + ")"
	}
	l.addKey(with, what)
}

func certTime(t uint64) string { return time.Unix(int64(t), 0).UTC().Format(time.RFC3339) }

func plain(key ssh.PublicKey) ssh.PublicKey {
	if cert, ok := key.(*ssh.Certificate); ok {
		return cert.Key
	}
	if parsed, err := ssh.ParsePublicKey(key.Marshal()); err == nil { // an agent's own type
		if cert, ok := parsed.(*ssh.Certificate); ok {
			return cert.Key
		}
	}
	return key
}

// addKey adds a key, unless it is there already.
func (l *login) addKey(s ssh.Signer, from string) {
	public := s.PublicKey()
	what := public.Type() + " " + ssh.FingerprintSHA256(plain(public))
	blob := string(public.Marshal()) // of one key there may be several certificates
	if slices.ContainsFunc(l.attempts, func(a *attempt) bool { return a.auth != nil && a.blob == blob }) {
		return
	}
	if from != "" {
		what += " (" + from + ")"
	}
	a := &attempt{method: methodKey, what: what, blob: blob}
	a.auth = ssh.PublicKeys(signing(s, func(err error) {
		if a.why = "its signature was not accepted"; err != nil {
			a.why, a.unsigned = err.Error(), true
		}
	}))
	l.attempts = append(l.attempts, a)
}

// signing is a signer that tells what became of a signature that was asked for.
func signing(s ssh.Signer, done func(error)) ssh.Signer {
	with, ok := s.(ssh.AlgorithmSigner)
	if !ok {
		return toldSigner{s, done}
	}
	told := toldAlgorithmSigner{toldSigner{s, done}, with}
	if multi, ok := s.(ssh.MultiAlgorithmSigner); ok {
		return toldMultiSigner{told, multi}
	}
	return told
}

type toldSigner struct {
	ssh.Signer
	done func(error)
}

func (t toldSigner) Sign(rand io.Reader, data []byte) (*ssh.Signature, error) {
	sig, err := t.Signer.Sign(rand, data)
	t.done(err)
	return sig, err
}

type toldAlgorithmSigner struct {
	toldSigner
	with ssh.AlgorithmSigner
}

func (t toldAlgorithmSigner) SignWithAlgorithm(rand io.Reader, data []byte, algorithm string) (*ssh.Signature, error) {
	sig, err := t.with.SignWithAlgorithm(rand, data, algorithm)
	t.done(err)
	return sig, err
}

type toldMultiSigner struct {
	toldAlgorithmSigner
	multi ssh.MultiAlgorithmSigner
}

func (t toldMultiSigner) Algorithms() []string { return t.multi.Algorithms() }
