package ssh

import (
	"encoding/hex"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"
	"unique"

	"hardway/provision/facts"
)

// parseClock reads seconds and nanoseconds with a dot between.
func parseClock(s string) (time.Time, error) {
	whole, fraction, _ := strings.Cut(s, ".")
	seconds, err := strconv.ParseInt(whole, 10, 64)
	if err != nil || seconds < 0 || seconds > 1<<40 {
		return time.Time{}, fmt.Errorf("%w: clock %q", errProtocol, printable(s, 40))
	}
	nanos, err := strconv.ParseInt(fraction, 10, 64)
	if err != nil || nanos < 0 || nanos >= 1e9 { // a date without %N
		nanos = 0
	}
	return time.Unix(seconds, nanos), nil
}

// own returns a text that is no part of an answer. Hosts of a cluster say much of
// the same: there is one copy for all of them.
func own(s string) string { return unique.Make(s).Value() }

// sysctl notes a kernel parameter under every key that names its file.
func (p *observationParser) sysctl(path, value string) {
	for _, key := range p.req.Sysctls {
		if sysctlPath(key) == path {
			p.obs.Sysctls[key] = own(strings.TrimSpace(value))
		}
	}
}

// system reads what grep printed of the kernel's and the distribution's files:
// each line behind its file's name and a colon. The name of a kernel parameter
// may hold colons too (net/ipv4/conf/eth0:1).
func (p *observationParser) system(text string) error {
	parameters, colons := map[string]string{}, 0
	for _, key := range p.req.Sysctls {
		path := sysctlPath(key)
		parameters[path] = ""
		colons = max(colons, strings.Count(path, ":"))
	}
	point := octal()
	var err error
	for line := range strings.Lines(text) {
		path, value, found := "", "", false
		for at, n := 0, 0; n <= colons; n++ { // the longest name that was asked for
			i := strings.IndexByte(line[at:], ':')
			if i < 0 {
				break
			}
			name := line[:at+i]
			at += i + 1
			if _, ok := parameters[name]; ok || n == 0 {
				path, value, found = name, line[at:], ok
			}
		}
		if found {
			parameters[path] += value
			continue
		}
		switch value = strings.TrimSuffix(value, "\n"); path {
		case "/proc/self/mountinfo":
			p.mountPoint(value, point)
			if p.req.Preflight != nil {
				p.mountLines = append(p.mountLines, value)
			}
		case "/proc/meminfo":
			if v, ok := strings.CutPrefix(value, "MemTotal:"); ok {
				p.obs.MemoryKB, err = strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(v, "kB")), 10, 64)
			}
		case "/proc/self/status":
			if v, ok := strings.CutPrefix(value, "Cpus_allowed_list:"); ok {
				p.obs.CPUs, err = parseCPUs(strings.TrimSpace(v))
			}
		case "/proc/swaps":
			if w := strings.Fields(value); len(w) > 0 && w[0] != "Filename" {
				p.obs.Swaps = append(p.obs.Swaps, own(w[0]))
			}
		case "/proc/net/if_inet6":
			p.address6(value)
		case "/etc/os-release":
			osRelease(&p.obs.OS, value)
		case "/etc/machine-id":
			if p.obs.Machine == "" {
				p.obs.Machine = strings.Clone(strings.TrimSpace(value))
			}
		}
		if err != nil {
			return fmt.Errorf("%w: %q", errProtocol, printable(line, 80))
		}
	}
	for path, value := range parameters {
		if value != "" {
			p.sysctl(path, value)
		}
	}
	return nil
}

// parseCPUs counts what a list such as "0-3,8" has.
func parseCPUs(list string) (int, error) {
	count := 0
	for part := range strings.SplitSeq(list, ",") {
		first, last, several := strings.Cut(part, "-")
		if !several {
			last = first
		}
		from, err := strconv.ParseUint(first, 10, 16)
		if err != nil {
			return 0, err
		}
		to, err := strconv.ParseUint(last, 10, 16)
		if err != nil {
			return 0, err
		}
		if to < from {
			return 0, errProtocol
		}
		count += int(to-from) + 1
	}
	return count, nil
}

// goArch translates uname -m.
func goArch(machine string) string {
	switch machine {
	case "x86_64":
		return "amd64"
	case "aarch64", "arm64":
		return "arm64"
	case "armv7l", "armv6l":
		return "arm"
	}
	return own(machine)
}

// osRelease notes what a line of /etc/os-release says.
func osRelease(os *facts.OS, line string) {
	key, value, _ := strings.Cut(line, "=")
	value = strings.Trim(strings.TrimSpace(value), `"'`)
	switch key {
	case "ID":
		os.ID = own(value)
	case "VERSION_ID":
		os.Version = own(value)
	case "PRETTY_NAME":
		os.Name = own(value)
	case "ID_LIKE":
		for _, name := range strings.Fields(value) {
			os.Like = append(os.Like, own(name))
		}
	}
}

// octal undoes what the kernel does to the blanks of a path.
func octal() *strings.Replacer {
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)
}

// mountPoint reads a line of /proc/self/mountinfo, whose fifth field is the mount point.
func (p *observationParser) mountPoint(line string, octal *strings.Replacer) {
	if w := strings.SplitN(line, " ", 6); len(w) == 6 {
		if path, asked := p.asked[octal.Replace(w[4])]; asked {
			p.mounts[path] = true
		}
	}
}

// addresses4 reads the addresses that /proc/net/fib_trie has as local ones: the
// line before "/32 host LOCAL" ends in one.
func (p *observationParser) addresses4(text string) {
	for line := range strings.SplitSeq(text, "\n") {
		if w := strings.Fields(line); len(w) == 2 && w[0] == "|--" {
			p.address(w[1])
		}
	}
}

// address6 reads a line of /proc/net/if_inet6: 32 hex digits, index, length,
// scope, flags, device. They stand behind those of version 4.
func (p *observationParser) address6(line string) {
	if w := strings.Fields(line); len(w) == 6 {
		if b, err := hex.DecodeString(w[0]); err == nil && len(b) == 16 {
			p.ipv6 = append(p.ipv6, netip.AddrFrom16([16]byte(b)).String())
		}
	}
}

func (p *observationParser) address(s string) {
	a, err := netip.ParseAddr(s)
	if err != nil || a.IsLoopback() || a.IsLinkLocalUnicast() {
		return
	}
	if text := a.String(); !p.addresses[text] {
		p.addresses[text] = true
		p.obs.Addresses = append(p.obs.Addresses, text)
	}
}

// parseImages reads the table of "ctr images ls": the reference is the first
// column, the labels are the last.
func parseImages(table string) map[string]string {
	images := map[string]string{}
	for i, line := range strings.Split(table, "\n") {
		w := strings.Fields(line)
		if i == 0 || len(w) < 2 {
			continue
		}
		ref := own(w[0])
		images[ref] = ""
		for label := range strings.SplitSeq(w[len(w)-1], ",") {
			if digest, ok := strings.CutPrefix(label, "hardway.io/archive="); ok {
				images[ref] = own(digest)
			}
		}
	}
	return images
}
