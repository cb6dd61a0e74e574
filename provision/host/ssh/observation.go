package ssh

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"hardway/provision/facts"
)

// fieldsOf says how many fields follow the name of a record. One record ends with
// an empty field instead: inputs.
var fieldsOf = map[string]int{
	"clock": 1, "uname": 3, "error": 1, "module": 3, "sysctl": 1, "json": 1, "kube": 2, "mark": 3, "file": 7, "empty": 1, "sums": 1,
	"contents": 1, "content": 2, "certificates": 1, "units": 1, "dropins": 1, "images": 1, "listen": 2, "socket": 2,
	"system": 1, "cgroup": 1, "ipv4": 1, "command": 2, "Z": 0, "argv": 2,
	"inputs": -1,
	"holder": 3, "fit": 2, "spaces": 1, "packages": 1,
}

// observationParser collects records, which may come in any order. Whatever
// a host says of something that it was not asked is an error: it is either
// confused or lying. An observation is kept while the answer is not: no text in
// it may be a part of the answer.
type observationParser struct {
	req   facts.Request
	asked map[string]string // paths, as the request has them
	obs   facts.Observation

	clocks    []time.Time
	marks     int
	order     []string          // of the file records
	joined    []byte            // contents in that order
	pieces    map[string][]byte // of joined
	contents  map[string][]byte // that came by themselves
	pems      map[string][]byte // CERTIFICATE blocks by path
	empty     map[string]bool
	sums      map[string]string
	mounts    map[string]bool
	addresses map[string]bool // those that are in obs already
	ipv6      []string
	inputs    map[string]string   // by /proc/PID/environ
	argv      map[string][]string // by /proc/PID/cmdline
	units     string
	dropIns   map[string]string // by path
	sockets   map[string]string // program by inode
	listens   [][2]string       // port in hex, inode
	items     [][]byte          // what kubectl printed
	whole     bool
	holders   map[string]facts.Holder // by inode
	// mountLines are those of /proc/self/mountinfo, where preflight asked.
	mountLines []string
}

// parseObservation turns the output of templates/scripts/observe.sh into an
// observation. It is pure: nothing that a host writes makes it do anything but
// return values or an error. Sent and received are the controller's times.
func parseObservation(req facts.Request, out string, sent, received time.Time) (facts.Observation, error) {
	p := &observationParser{
		req: req, asked: make(map[string]string, len(req.Files)), pieces: map[string][]byte{}, contents: map[string][]byte{}, pems: map[string][]byte{},
		empty: map[string]bool{}, sums: make(map[string]string, len(req.Files)), mounts: map[string]bool{}, addresses: map[string]bool{},
		inputs: map[string]string{}, argv: map[string][]string{}, dropIns: map[string]string{}, sockets: map[string]string{},
	}
	p.obs.Commands = map[string]string{}
	for _, f := range req.Files {
		p.asked[f.Path] = f.Path
	}
	if len(req.Files) > 0 {
		p.obs.Files = make(map[string]facts.File, len(req.Files))
	}
	if len(req.Sysctls) > 0 {
		p.obs.Sysctls = map[string]string{}
	}
	if len(req.Modules) > 0 {
		p.obs.Modules = map[string]bool{}
	}
	if err := p.records(out); err != nil {
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
		p.obs.Hostname, p.obs.Kernel, p.obs.Arch = own(f[0]), own(f[1]), goArch(f[2])
	case "error":
		err = errors.New(printable(f[0], 500))
	case "module":
		err = p.module(f[0], f[1] == "1", printable(f[2], 300))
	case "sysctl":
		p.sysctl(f[0], "")
	case "system":
		err = p.system(f[0])
	case "json":
		p.items = append(p.items, []byte(f[0]))
	case "kube":
		p.obs.Kube.State, p.obs.Kube.Message = facts.KubeState(own(f[0])), own(printable(f[1], 1000))
	case "mark":
		p.marks++
		p.obs.Mark, err = parseMark(f[0], f[1], own(f[2]))
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
		p.digests(f[0])
	case "units":
		p.units = f[0]
	case "dropins":
		err = p.dropInTexts(f[0])
	case "inputs":
		if len(f)%2 != 0 {
			return errProtocol
		}
		for i := 0; i < len(f); i += 2 {
			p.inputs[f[i]] = strings.TrimPrefix(f[i+1], "HARDWAY_INPUTS=")
		}
	case "argv":
		return p.commandLine(f[0], f[1])
	case "images":
		p.obs.Images = parseImages(f[0])
	case "listen":
		p.listens = append(p.listens, [2]string{f[0], f[1]})
	case "socket":
		p.sockets[f[0]] = own(f[1])
	case "cgroup":
		p.obs.Cgroup, err = strconv.Atoi(f[0])
	case "ipv4":
		p.addresses4(f[0])
	case "command":
		p.obs.Commands[own(f[0])] = own(f[1])
	case "holder":
		err = p.holder(f[0], f[1], f[2])
	case "fit":
		err = p.fit(f[0], f[1])
	case "spaces":
		err = p.spaces(f[0])
	case "packages":
		p.packages(f[0])
	case "Z":
		p.whole = true
	}
	return err
}

func (p *observationParser) module(name string, present bool, unloadable string) error {
	for _, asked := range p.req.Modules {
		if asked.Name == name {
			p.obs.Modules[asked.Name] = present
			if unloadable != "" {
				if p.obs.Unloadable == nil {
					p.obs.Unloadable = map[string]string{}
				}
				p.obs.Unloadable[asked.Name] = unloadable
			}
			return nil
		}
	}
	return fmt.Errorf("%w: %q was not asked for", errProtocol, printable(name, 80))
}

// finish joins what came in several records.
func (p *observationParser) finish(sent, received time.Time) error {
	if len(p.clocks) != 2 || p.marks != 1 {
		return errProtocol
	}
	for _, a := range p.ipv6 {
		p.address(a)
	}
	p.obs.Clock = p.clocks[1].UTC()
	// As NTP does: the way there and the way back are taken to be equally long.
	p.obs.Skew = (p.clocks[0].Sub(sent) + p.clocks[1].Sub(received)) / 2
	if err := p.finishFiles(); err != nil {
		return err
	}
	if len(p.req.Ports) > 0 {
		p.obs.Listeners = map[int]string{}
		for _, l := range p.listens {
			port, err := strconv.ParseUint(l[0], 16, 16)
			if err != nil {
				return err
			}
			p.obs.Listeners[int(port)] = p.sockets[l[1]]
			if h, ok := p.holders[l[1]]; ok {
				if p.obs.Holders == nil {
					p.obs.Holders = map[int]facts.Holder{}
				}
				h.Program = p.sockets[l[1]]
				p.obs.Holders[int(port)] = h
			}
		}
	}
	p.mounted()
	if err := p.finishUnits(); err != nil {
		return err
	}
	return p.finishKube()
}
