package sshconfig

import (
	"fmt"
	"os"

	"github.com/kevinburke/ssh_config"
)

// defaults are OpenSSH's, which the parser does not have.
func defaults() directives {
	return directives{
		"identityfile":         {"~/.ssh/id_rsa", "~/.ssh/id_ecdsa", "~/.ssh/id_ecdsa_sk", "~/.ssh/id_ed25519", "~/.ssh/id_ed25519_sk"},
		"userknownhostsfile":   {"~/.ssh/known_hosts ~/.ssh/known_hosts2"},
		"globalknownhostsfile": {"/etc/ssh/ssh_known_hosts /etc/ssh/ssh_known_hosts2"},
	}
}

// parse reads the files without OpenSSH's client. Match on anything but all or host
// is an error of the whole file.
func (r Reader) parse(host string) (directives, error) {
	settings := &ssh_config.UserSettings{}
	if r.File != "" {
		if _, err := os.Stat(r.File); err != nil {
			return nil, fmt.Errorf("reading ssh_config: %w", err)
		}
		settings.ConfigFinder(func() string { return r.File })
	}
	d := directives{}
	for _, name := range []string{"hostname", "port", "user", "identitiesonly", "identityagent", "userknownhostsfile",
		"globalknownhostsfile", "hostkeyalias", "proxyjump", "proxycommand", "connecttimeout", "knownhostscommand",
		"revokedhostkeys", "pkcs11provider", "bindaddress", "bindinterface"} {
		value, err := settings.GetStrict(host, name)
		if err != nil {
			return nil, fmt.Errorf("reading ssh_config without OpenSSH's client: %w; install the client (ssh -G), or write what is needed in the ssh block and ssh_config = false", err)
		}
		if value != "" && value != ssh_config.Default(name) {
			d[name] = []string{value}
		}
	}
	for _, name := range []string{"identityfile", "certificatefile"} {
		values, err := settings.GetAllStrict(host, name)
		if err != nil {
			return nil, fmt.Errorf("reading ssh_config: %w", err)
		}
		if len(values) > 0 && values[0] != ssh_config.Default(name) {
			d[name] = values
		}
	}
	for name, values := range defaults() {
		if len(d[name]) == 0 {
			d[name] = values
		}
	}
	return d, nil
}
