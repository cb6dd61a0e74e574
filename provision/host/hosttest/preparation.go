package hosttest

import (
	"slices"
	"strings"

	"hardway/provision/facts"
)

// swapServices make swap at boot by themselves.
var swapServices = []string{"dphys-swapfile.service", "swapspace.service", "zram-config.service", "zramswap.service"}

func (m *Machine) swapOff() (string, error) {
	done := "unchanged\n"
	for _, name := range swapServices {
		if u, ok := m.units[name]; ok && u.enabled {
			u.enabled, u.active, done = false, "inactive", "written\n"
			m.unswapped = append(m.unswapped, name)
		}
	}
	if len(m.swaps) > 0 {
		m.swapped, m.swaps, done = m.swaps, nil, "written\n"
	}
	if f, ok := m.files["/etc/fstab"]; ok {
		lines := strings.SplitAfter(f.Content, "\n")
		for i, line := range lines {
			if w := strings.Fields(line); len(w) > 2 && w[2] == "swap" && !strings.HasPrefix(w[0], "#") {
				lines[i], done = "#hardway#"+line, "written\n"
			}
		}
		f.Content = strings.Join(lines, "")
	}
	return done, nil
}

func (m *Machine) swapOn() (string, error) {
	f, ok := m.files["/etc/fstab"]
	marked := ok && strings.Contains("\n"+f.Content, "\n#hardway#")
	if !marked && len(m.unswapped) == 0 {
		return "unchanged\n", nil
	}
	if marked {
		f.Content = strings.ReplaceAll("\n"+f.Content, "\n#hardway#", "\n")[1:]
	}
	for _, name := range m.unswapped {
		m.units[name].enabled, m.units[name].active = true, "active"
	}
	m.swaps, m.swapped, m.unswapped = append(m.swaps, m.swapped...), nil, nil
	return "written\n", nil
}

// managePackages is script packages with a repository that has everything.
func (m *Machine) managePackages(a []string) (string, error) {
	out := ""
	switch a[0] {
	case "install":
		for _, name := range a[2:] {
			if !m.packages[name] {
				m.packages[name] = true
				m.installed = append(m.installed, name)
				out += "installed " + name + "\n"
			}
		}
	case "remove":
		for _, name := range m.installed {
			delete(m.packages, name)
			out += "removed " + name + "\n"
		}
		m.installed = nil
	default:
		return "", failure("packages", 64, "neither install nor remove: "+a[0])
	}
	return out, nil
}

const ufwConfig, ufwRules = "/etc/ufw/ufw.conf", "/etc/ufw/user.rules"

// firewall is script firewall on a machine whose tool is ufw, or none.
func (m *Machine) firewall(action, rules string) (string, error) {
	conf, ok := m.files[ufwConfig]
	if !ok {
		return "", nil
	}
	enabled := strings.Contains(conf.Content, "ENABLED=yes")
	turn := func(on string) {
		conf.Content = strings.ReplaceAll(strings.ReplaceAll(conf.Content, "ENABLED=yes", "ENABLED="+on), "ENABLED=no", "ENABLED="+on)
	}
	switch {
	case action == "disable" && enabled:
		turn("no")
		m.ufwOff = true
	case action == "open" || action == "restore":
		if m.ufwOff {
			turn("yes")
			m.ufwOff, enabled = false, true
		}
		if !enabled {
			return "", nil
		}
		if m.ufwBefore == nil {
			before := ""
			if f, ok := m.files[ufwRules]; ok {
				before = f.Content
			}
			m.ufwBefore = &before
		}
		text := *m.ufwBefore
		if action == "restore" {
			m.ufwBefore, rules = nil, ""
		}
		for line := range strings.Lines(rules) {
			w := strings.Fields(line)
			tuple := "any any 0.0.0.0/0 any " + w[1]
			if w[0] == "port" {
				tuple = w[1] + " " + strings.ReplaceAll(w[2], "-", ":") + " 0.0.0.0/0 any " + strings.ReplaceAll(w[3], "any", "0.0.0.0/0")
			}
			if line := "### tuple ### allow " + tuple + " in\n"; !strings.Contains(text, line) {
				text += line
			}
		}
		if f, ok := m.files[ufwRules]; ok {
			f.Content = text
		} else if text != "" {
			m.files[ufwRules] = &File{Type: facts.Regular, Mode: 0o640, Owner: "root", Group: "root", Content: text}
		}
	}
	return "", nil
}

// selinux is script selinux; labels are not modelled.
func (m *Machine) selinux(action string) (string, error) {
	s := &m.system.System
	switch {
	case s.SELinux == "":
		return "unchanged\n", nil
	case action == "restore":
		if m.selinuxWas != nil {
			s.SELinux, s.SELinuxBoot, m.selinuxWas = m.selinuxWas.SELinux, m.selinuxWas.SELinuxBoot, nil
		}
		return "written\n", nil
	case !slices.Contains([]string{"permissive", "enforcing"}, action):
		return "", failure("selinux", 64, "neither permissive, enforcing nor restore: "+action)
	}
	if m.selinuxWas == nil {
		was := *s
		m.selinuxWas = &was
	}
	s.SELinux, s.SELinuxBoot = action, action
	return "written\n", nil
}
