package ssh

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"hardway/provision/facts"
)

// fieldsOf says how many fields follow the name of a record. Two records end
// with an empty field instead: sums and inputs.
var fieldsOf = map[string]int{
	"clock": 1, "uname": 3, "error": 1, "module": 2, "sysctl": 1, "sysctls": 1, "json": 1, "kube": 2, "mark": 3, "file": 7,
	"contents": 1, "content": 2, "certificates": 1, "empty": 1, "mounts": 1, "units": 1, "images": 1, "listen": 2, "socket": 2, "os": 1, "machine": 1,
	"cgroup": 1, "cpus": 1, "memory": 1, "swaps": 1, "ipv4": 1, "ipv6": 1, "command": 2, "Z": 0,
	"sums": -1, "inputs": -1,
}

// observationParser collects records, which may come in any order. Whatever
// a host says of something that it was not asked is an error: it is either
// confused or lying.
type observationParser struct {
	req   facts.Request
	asked map[string]bool // paths
	obs   facts.Observation

	clocks    []time.Time
	marks     int
	order     []string // of the file records
	joined    []byte   // contents in that order
	contents  map[string][]byte
	pems      map[string][]byte // CERTIFICATE blocks by path
	empty     map[string]bool
	sums      map[string]string
	mounts    map[string]bool
	addresses map[string]bool   // those that are in obs already
	inputs    map[string]string // by /proc/PID/environ
	units     string
	sockets   map[string]string // program by inode
	listens   [][2]string       // port in hex, inode
	items     [][]byte          // what kubectl printed
	whole     bool
}

// parseObservation turns the output of templates/scripts/observe.sh into an
// observation. It is pure: nothing that a host writes makes it do anything but
// return values or an error. Sent and received are the controller's times.
func parseObservation(req facts.Request, out []byte, sent, received time.Time) (facts.Observation, error) {
	p := &observationParser{
		req: req, asked: map[string]bool{}, contents: map[string][]byte{}, pems: map[string][]byte{}, empty: map[string]bool{}, sums: map[string]string{},
		mounts: map[string]bool{}, addresses: map[string]bool{}, inputs: map[string]string{}, sockets: map[string]string{},
	}
	p.obs.Commands = map[string]string{}
	for _, f := range req.Files {
		p.asked[f.Path] = true
	}
	if len(req.Files) > 0 {
		p.obs.Files = map[string]facts.File{}
	}
	if len(req.Sysctls) > 0 {
		p.obs.Sysctls = map[string]string{}
	}
	if len(req.Modules) > 0 {
		p.obs.Modules = map[string]bool{}
	}
	if err := p.records(string(out)); err != nil {
		return facts.Observation{}, err
	}
	if !p.whole {
		return facts.Observation{}, errors.New("the answer is not whole")
	}
	if err := p.finish(sent, received); err != nil {
		return facts.Observation{}, err
	}
	return p.obs, nil
}

func (p *observationParser) records(out string) error {
	next := func() (string, bool) {
		field, rest, found := strings.Cut(out, "\x00")
		if !found {
			return "", false
		}
		out = rest
		return field, true
	}
	for {
		name, ok := next()
		if !ok {
			if out != "" {
				return errors.New("the answer is not whole")
			}
			return nil
		}
		n, known := fieldsOf[name]
		if !known {
			return fmt.Errorf("%w: record %q", errProtocol, printable(name, 40))
		}
		var fields []string
		for n < 0 || len(fields) < n {
			f, ok := next()
			if !ok {
				return errors.New("the answer is not whole")
			}
			if n < 0 && f == "" {
				break
			}
			fields = append(fields, f)
		}
		if err := p.record(name, fields); err != nil {
			return fmt.Errorf("record %s: %w", name, err)
		}
	}
}

func (p *observationParser) record(name string, f []string) error {
	var err error
	switch name {
	case "clock":
		var t time.Time
		t, err = parseClock(f[0])
		p.clocks = append(p.clocks, t)
	case "uname":
		p.obs.Hostname, p.obs.Kernel, p.obs.Arch = f[0], f[1], goArch(f[2])
	case "error":
		err = errors.New(printable(f[0], 500))
	case "module":
		p.obs.Modules, err = setAsked(p.obs.Modules, f[0], f[1] == "1")
	case "sysctl":
		p.sysctl(f[0], "")
	case "sysctls":
		p.sysctlValues(f[0])
	case "json":
		p.items = append(p.items, []byte(f[0]))
	case "kube":
		p.obs.Kube.State, p.obs.Kube.Message = facts.KubeState(f[0]), printable(f[1], 1000)
	case "mark":
		p.marks++
		p.obs.Mark, err = parseMark(f[0], f[1], f[2])
	case "file":
		err = p.file(f)
	case "contents":
		p.joined, err = base64.StdEncoding.DecodeString(f[0])
	case "content":
		p.contents[f[0]], err = base64.StdEncoding.DecodeString(f[1])
	case "certificates":
		err = p.certificates(f[0])
	case "empty":
		p.empty[f[0]] = true
	case "sums":
		for _, line := range f {
			if len(line) > 66 && line[64:66] == "  " {
				p.sums[line[66:]] = line[:64]
			}
		}
	case "mounts":
		p.mountPoints(f[0])
	case "units":
		p.units = f[0]
	case "inputs":
		if len(f)%2 != 0 {
			return errProtocol
		}
		for i := 0; i < len(f); i += 2 {
			p.inputs[f[i]] = strings.TrimPrefix(f[i+1], "HARDWAY_INPUTS=")
		}
	case "images":
		p.obs.Images = parseImages(f[0])
	case "listen":
		p.listens = append(p.listens, [2]string{f[0], f[1]})
	case "socket":
		p.sockets[f[0]] = f[1]
	case "os":
		p.obs.OS = parseOSRelease(f[0])
	case "machine":
		p.obs.Machine = f[0]
	case "cgroup":
		p.obs.Cgroup, err = strconv.Atoi(f[0])
	case "cpus":
		p.obs.CPUs, err = strconv.Atoi(strings.TrimSpace(f[0]))
	case "memory":
		if w := strings.Fields(f[0]); len(w) == 3 {
			p.obs.MemoryKB, err = strconv.ParseInt(w[1], 10, 64)
		}
	case "swaps":
		for i, line := range strings.Split(f[0], "\n") {
			if w := strings.Fields(line); i > 0 && len(w) > 0 {
				p.obs.Swaps = append(p.obs.Swaps, w[0])
			}
		}
	case "ipv4":
		p.addresses4(f[0])
	case "ipv6":
		p.addresses6(f[0])
	case "command":
		p.obs.Commands[f[0]] = f[1]
	case "Z":
		p.whole = true
	}
	return err
}

func setAsked(m map[string]bool, key string, value bool) (map[string]bool, error) {
	if m == nil {
		return nil, fmt.Errorf("%w: %q was not asked for", errProtocol, printable(key, 80))
	}
	m[key] = value
	return m, nil
}

// file takes path, type, octal mode, owner, group, size and link target, as find
// prints them.
func (p *observationParser) file(f []string) error {
	if !p.asked[f[0]] {
		return fmt.Errorf("%w: %q was not asked for", errProtocol, printable(f[0], 80))
	}
	mode, err := strconv.ParseUint(f[2], 8, 12)
	if err != nil {
		return err
	}
	size, err := strconv.ParseInt(f[5], 10, 64)
	if err != nil || size < 0 {
		return fmt.Errorf("%w: size %q", errProtocol, printable(f[5], 20))
	}
	file := facts.File{Type: facts.Other, Mode: uint32(mode), Owner: f[3], Group: f[4], Size: size}
	switch f[1] {
	case "f":
		file.Type = facts.Regular
	case "d":
		file.Type = facts.Directory
	case "l":
		file.Type, file.Target = facts.Symlink, f[6]
	}
	p.obs.Files[f[0]] = file
	p.order = append(p.order, f[0])
	return nil
}

// finish joins what came in several records.
func (p *observationParser) finish(sent, received time.Time) error {
	if len(p.clocks) != 2 || p.marks != 1 {
		return errProtocol
	}
	if err := p.split(); err != nil {
		return err
	}
	p.obs.Clock = p.clocks[1].UTC()
	// As NTP does: the way there and the way back are taken to be equally long.
	p.obs.Skew = (p.clocks[0].Sub(sent) + p.clocks[1].Sub(received)) / 2
	for _, asked := range p.req.Files {
		path := asked.Path
		f, ok := p.obs.Files[path]
		if !ok {
			f.Type = facts.Absent
		}
		f.Mount = p.mounts[path]
		if f.Type == facts.Regular {
			if f.SHA256 = p.sums[path]; len(f.SHA256) != 64 {
				return &readingError{path}
			}
			// The content is the later reading. What was read whole speaks for itself.
			if b, ok := p.contents[path]; ok && asked.Content && len(b) <= facts.MaxContent {
				sum := sha256.Sum256(b)
				f.Content, f.Size, f.SHA256 = b, int64(len(b)), hex.EncodeToString(sum[:])
			}
		}
		if b, ok := p.pems[path]; ok && asked.Certificates && len(b) <= facts.MaxContent {
			f.Content = b
		}
		f.Empty = f.Type == facts.Directory && p.empty[path]
		p.obs.Files[path] = f
	}
	if len(p.req.Ports) > 0 {
		p.obs.Listeners = map[int]string{}
		for _, l := range p.listens {
			port, err := strconv.ParseUint(l[0], 16, 16)
			if err != nil {
				return err
			}
			p.obs.Listeners[int(port)] = p.sockets[l[1]]
		}
	}
	if err := p.finishUnits(); err != nil {
		return err
	}
	return p.finishKube()
}
