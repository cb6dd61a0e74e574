package ssh

import (
	"encoding/hex"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

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

// sysctl notes a kernel parameter under every key that names its file.
func (p *observationParser) sysctl(path, value string) {
	for _, key := range p.req.Sysctls {
		if sysctlPath(key) == path {
			p.obs.Sysctls[key] = strings.TrimSpace(value)
		}
	}
}

// sysctlValues reads what grep printed of all files: each line behind its file's
// name and a colon. A name may hold colons too (net/ipv4/conf/eth0:1).
func (p *observationParser) sysctlValues(text string) {
	values := map[string]string{}
	for line := range strings.Lines(text) {
		path := ""
		for _, key := range p.req.Sysctls {
			if at := sysctlPath(key); strings.HasPrefix(line, at+":") && len(at) > len(path) {
				path = at
			}
		}
		if path != "" {
			values[path] += line[len(path)+1:]
		}
	}
	for path, value := range values {
		p.sysctl(path, value)
	}
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
	return machine
}

func parseOSRelease(text string) facts.OS {
	var os facts.OS
	for line := range strings.SplitSeq(text, "\n") {
		key, value, _ := strings.Cut(line, "=")
		value = strings.Trim(strings.TrimSpace(value), `"'`)
		switch key {
		case "ID":
			os.ID = value
		case "VERSION_ID":
			os.Version = value
		case "PRETTY_NAME":
			os.Name = value
		}
	}
	return os
}

// mountPoints reads /proc/self/mountinfo, whose fifth field is the mount point.
func (p *observationParser) mountPoints(text string) {
	octal := strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)
	for line := range strings.SplitSeq(text, "\n") {
		if w := strings.SplitN(line, " ", 6); len(w) == 6 {
			if point := octal.Replace(w[4]); p.asked[point] {
				p.mounts[point] = true
			}
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

// addresses6 reads /proc/net/if_inet6: 32 hex digits, index, length, scope, flags, device.
func (p *observationParser) addresses6(text string) {
	for line := range strings.SplitSeq(text, "\n") {
		if w := strings.Fields(line); len(w) == 6 {
			if b, err := hex.DecodeString(w[0]); err == nil && len(b) == 16 {
				p.address(netip.AddrFrom16([16]byte(b)).String())
			}
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
		images[w[0]] = ""
		for label := range strings.SplitSeq(w[len(w)-1], ",") {
			if digest, ok := strings.CutPrefix(label, "hardway.io/archive="); ok {
				images[w[0]] = digest
			}
		}
	}
	return images
}
