package ssh

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"hardway/provision/facts"
)

// withParents returns the directories and all that lie above them, sorted: one
// that does not exist yet will be made in the nearest that does.
func withParents(dirs []string) []string {
	var out []string
	for _, d := range dirs {
		for ; d != "/" && d != "."; d = path.Dir(d) {
			out = append(out, d)
		}
		out = append(out, d)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// holder notes the process that has a socket: its inode, its PID and its cgroup.
func (p *observationParser) holder(inode, pid, group string) error {
	n, err := strconv.ParseUint(pid, 10, 31)
	if err != nil {
		return fmt.Errorf("%w: pid %q", errProtocol, printable(pid, 20))
	}
	if p.holders == nil {
		p.holders = map[string]facts.Holder{}
	}
	p.holders[inode] = facts.Holder{PID: int(n), Unit: unitOf(group)}
	return nil
}

// unitOf returns the systemd unit in the path of a cgroup:
// /system.slice/kubelet.service, or with something below it.
func unitOf(group string) string {
	for part := range strings.SplitSeq(group, "/") {
		for _, kind := range []string{".service", ".scope", ".socket"} {
			if strings.HasSuffix(part, kind) {
				return strings.Clone(part)
			}
		}
	}
	return ""
}

// fit takes one word of what preflight asked.
func (p *observationParser) fit(what, value string) error {
	s := &p.obs.System
	if p.req.Preflight == nil {
		return fmt.Errorf("%w: %q was not asked for", errProtocol, printable(what, 40))
	}
	s.Asked = true
	switch what {
	case "systemd": // libsystemd-shared-252.so, or -252.38-1.fc40.so
		if digits := value[:len(value)-len(strings.TrimLeft(value, "0123456789"))]; digits != "" {
			n, err := strconv.ParseUint(digits, 10, 16)
			if err != nil {
				return err
			}
			s.Systemd = int(n)
		}
	case "selinux":
		s.SELinux = map[string]string{"0": "permissive", "1": "enforcing"}[value]
	case "selinux-boot":
		s.SELinuxBoot = own(printable(strings.TrimSpace(value), 40))
	case "apparmor":
		s.AppArmor = value == "Y"
	default:
		return fmt.Errorf("%w: %q", errProtocol, printable(what, 40))
	}
	return nil
}

// spaces reads what stat -f printed: block size, free blocks, blocks, free
// inodes, inodes, type and directory.
func (p *observationParser) spaces(text string) error {
	if p.req.Preflight == nil {
		return fmt.Errorf("%w: spaces were not asked for", errProtocol)
	}
	exist := map[string]facts.Space{}
	for line := range strings.Lines(text) {
		w := strings.SplitN(strings.TrimSuffix(line, "\n"), " ", 7)
		if len(w) != 7 {
			return fmt.Errorf("%w: %q", errProtocol, printable(line, 80))
		}
		var n [5]uint64
		for i := range n {
			var err error
			if n[i], err = strconv.ParseUint(w[i], 10, 63); err != nil {
				return fmt.Errorf("%w: %q", errProtocol, printable(line, 80))
			}
		}
		exist[w[6]] = facts.Space{Path: strings.Clone(w[6]), Type: own(printable(w[5], 40)),
			Free: n[0] * n[1], Total: n[0] * n[2], FreeInodes: n[3], Inodes: n[4]}
	}
	p.obs.System.Spaces = map[string]facts.Space{}
	for _, dir := range p.req.Preflight.Spaces {
		for at := dir; ; at = path.Dir(at) {
			if s, ok := exist[at]; ok {
				p.obs.System.Spaces[dir] = s
				break
			}
			if at == "/" || at == "." {
				break
			}
		}
	}
	return nil
}

// mounted reads /proc/self/mountinfo: the fifth field is where, the sixth how,
// and behind a dash stand the type, the source and the file system's own options.
// The last mount at a place hides those before it.
func (p *observationParser) mounted() {
	point := octal()
	type mount struct {
		kind    string
		options []string
	}
	mounts := map[string]mount{}
	for _, line := range p.mountLines {
		before, after, _ := strings.Cut(line, " - ")
		w, fs := strings.Fields(before), strings.Fields(after)
		if len(w) < 6 || len(fs) == 0 {
			continue
		}
		options := strings.Split(strings.Clone(w[5]), ",")
		if len(fs) > 2 && slices.Contains(strings.Split(fs[2], ","), "ro") && !slices.Contains(options, "ro") {
			options = append(options, "ro")
		}
		mounts[point.Replace(w[4])] = mount{strings.Clone(fs[0]), options}
	}
	for dir, s := range p.obs.System.Spaces {
		for at := s.Path; ; at = path.Dir(at) {
			if m, ok := mounts[at]; ok {
				s.Mount, s.Type, s.Options = at, cmp.Or(m.kind, s.Type), m.options
				break
			}
			if at == "/" || at == "." {
				break
			}
		}
		p.obs.System.Spaces[dir] = s
	}
}

// packages reads names, each with its state behind it where the package manager
// has states.
func (p *observationParser) packages(text string) {
	p.obs.Packages = map[string]bool{}
	for line := range strings.Lines(text) {
		w := strings.Fields(line)
		if len(w) == 0 || len(w) > 2 || len(w) == 2 && w[1] != "installed" {
			continue
		}
		for _, asked := range p.req.Packages {
			if asked == w[0] {
				p.obs.Packages[asked] = true
			}
		}
	}
}
