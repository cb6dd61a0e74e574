package runbook

import (
	"maps"
	"slices"
	"strings"

	"hardway/provision/resource"
)

// packages installs what is missing, or names it where the package manager of the
// host is not known: a runbook is written without asking hosts.
func packages(s *script, p *resource.Packages) {
	programs := slices.Sorted(maps.Keys(p.Programs))
	if len(programs) > 0 && p.Manager == "" {
		s.line(`for program in %s; do command -v "$program" >/dev/null || echo "install what has $program"; done`, strings.Join(quoted(programs), " "))
	}
	names := p.Missing(nil, nil)
	if len(names) == 0 {
		return
	}
	install := map[string]string{
		"apt": "apt-get install -y --no-install-recommends", "dnf": "dnf install -y", "zypper": "zypper --non-interactive install", "apk": "apk add",
	}[p.Manager]
	if install == "" {
		s.line("echo %s", quote("install "+strings.Join(names, " ")))
		return
	}
	s.line("%s %s", install, strings.Join(quoted(names), " "))
}

// firewalls opens ports in whichever of the two is active, or turns it off.
func firewalls(s *script, f *resource.Firewall) {
	if f.Mode == "disable" {
		s.line("if systemctl is-active --quiet firewalld; then systemctl disable --now firewalld; fi")
		s.line("if command -v ufw >/dev/null; then ufw disable; fi")
		return
	}
	s.line("if systemctl is-active --quiet firewalld; then")
	for _, rule := range f.Rules {
		s.line("firewall-cmd --permanent %s", firewalldRule(strings.Fields(rule)))
	}
	s.line("firewall-cmd --reload")
	s.line("elif command -v ufw >/dev/null; then")
	for _, rule := range f.Rules {
		s.line("ufw %s", ufwRule(strings.Fields(rule)))
	}
	s.line("fi")
}

// firewalldRule and ufwRule write a rule in package firewall's text form, which is
// "port PROTOCOL PORTS SOURCE" or "trust CIDR", as arguments of the two programs.
func firewalldRule(words []string) string {
	if words[0] == "trust" {
		return "--zone=trusted --add-source=" + words[1]
	}
	if words[3] == "any" {
		return "--add-port=" + words[2] + "/" + words[1]
	}
	family := "ipv4"
	if strings.Contains(words[3], ":") {
		family = "ipv6"
	}
	return "--add-rich-rule=" + quote(`rule family="`+family+`" source address="`+words[3]+`" port port="`+words[2]+`" protocol="`+words[1]+`" accept`)
}

func ufwRule(words []string) string {
	if words[0] == "trust" {
		return "allow from " + words[1]
	}
	return "allow proto " + words[1] + " from " + words[3] + " to any port " + strings.Replace(words[2], "-", ":", 1)
}

// selinux sets the mode now and at boot, and labels directories as the policy
// knows them at their usual places.
func selinux(s *script, l *resource.SELinux) {
	now := map[string]string{"permissive": "0", "enforcing": "1"}[l.Mode]
	s.line("[ ! -e /sys/fs/selinux/enforce ] || setenforce %s", now)
	s.line("[ ! -e /etc/selinux/config ] || sed -i 's/^SELINUX=.*/SELINUX=%s/' /etc/selinux/config", l.Mode)
	for _, known := range slices.Sorted(maps.Keys(l.Like)) {
		s.line("semanage fcontext -a -e %s %s", quote(known), quote(l.Like[known]))
	}
	if len(l.Restore) > 0 {
		s.line("restorecon -R %s", strings.Join(quoted(l.Restore), " "))
	}
}
