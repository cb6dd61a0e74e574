package ssh

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
)

// identity gathers the keys to log in with. The returned function closes the
// connection to the agent, which is needed until the handshake is over.
func identity(c Config) ([]ssh.Signer, func(), error) {
	done := func() {}
	signers := append([]ssh.Signer(nil), c.Signers...)

	var ofAgent []ssh.Signer
	if c.AgentSocket != "" {
		var err error
		if ofAgent, done, err = agentKeys(c.AgentSocket); err != nil && c.PrivateKeyPath == "" {
			// With a key file the agent may not even be needed: a socket that a
			// closed terminal left behind must not make every host unreachable.
			return nil, done, fmt.Errorf("%s: asking the ssh agent: %w", c.Name, err)
		}
	}

	if c.PrivateKeyPath != "" {
		signer, err := privateKey(c, ofAgent)
		if err != nil {
			done()
			return nil, func() {}, err
		}
		// With a key named, only that one is offered: a server counts every
		// key as an attempt, and turns away after a few.
		return append(signers, signer), done, nil
	}
	return append(signers, ofAgent...), done, nil
}

// agentKeys asks an agent for its keys, which stay usable until close is called.
func agentKeys(socket string) (keys []ssh.Signer, closing func(), err error) {
	closing = func() {}
	conn, err := net.Dial("unix", socket)
	if err != nil {
		return nil, closing, err
	}
	if keys, err = agent.NewClient(conn).Signers(); err != nil {
		_ = conn.Close()
		return nil, closing, err
	}
	return keys, func() { _ = conn.Close() }, nil
}

// privateKey reads the key file; an encrypted one is taken from the agent.
func privateKey(c Config, ofAgent []ssh.Signer) (ssh.Signer, error) {
	pem, err := os.ReadFile(c.PrivateKeyPath)
	if err != nil {
		return nil, fmt.Errorf("%s: reading the private key: %w", c.Name, err)
	}
	signer, err := ssh.ParsePrivateKey(pem)
	if err == nil {
		return signer, nil
	}
	missing, ok := errors.AsType[*ssh.PassphraseMissingError](err)
	if !ok {
		return nil, fmt.Errorf("%s: private key %s: %w", c.Name, c.PrivateKeyPath, err)
	}
	public := missing.PublicKey
	if public == nil { // the old PEM format does not say; the file beside it may
		if text, err := os.ReadFile(c.PrivateKeyPath + ".pub"); err == nil {
			public, _, _, _, _ = ssh.ParseAuthorizedKey(text)
		}
	}
	for _, s := range ofAgent {
		if public != nil && bytes.Equal(s.PublicKey().Marshal(), public.Marshal()) {
			return s, nil
		}
	}
	return nil, fmt.Errorf("%s: private key %s is encrypted, and no ssh agent has it; run 'ssh-add %s' and try again",
		c.Name, c.PrivateKeyPath, c.PrivateKeyPath)
}
