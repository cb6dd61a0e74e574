package hosttest

import (
	"bytes"
	"encoding/json"
	"encoding/pem"
	"maps"
	"path"
	"slices"
	"strings"

	"hardway/provision/facts"
)

// observe answers a request as templates/scripts/observe.sh does.
func (m *Machine) observe(req facts.Request) facts.Observation {
	o := m.system
	o.Clock, o.Mark = m.clock().UTC(), m.mark
	o.Addresses, o.Commands = slices.Clone(o.Addresses), maps.Clone(o.Commands)
	o.Swaps = slices.Clone(m.swaps)
	for _, r := range req.Files {
		if o.Files == nil {
			o.Files = map[string]facts.File{}
		}
		o.Files[r.Path] = m.observeFile(r)
	}
	for _, name := range req.Units {
		if o.Units == nil {
			o.Units = map[string]facts.Unit{}
		}
		u := m.show(name)
		if req.Argv && u.PID > 0 {
			u.Argv = slices.Clone(m.of(name).argv)
		}
		o.Units[name] = u
	}
	for _, key := range req.Sysctls {
		if o.Sysctls == nil {
			o.Sysctls = map[string]string{}
		}
		if v, ok := m.sysctls[key]; ok {
			o.Sysctls[key] = v
		}
	}
	for _, r := range req.Modules {
		if o.Modules == nil {
			o.Modules = map[string]bool{}
		}
		present, loadable := m.modules[r.Name]
		o.Modules[r.Name] = present
		if !loadable {
			if o.Unloadable == nil {
				o.Unloadable = map[string]string{}
			}
			o.Unloadable[r.Name] = "modprobe: FATAL: Module " + r.Name + " not found"
		}
	}
	if req.Images != nil {
		o.Images = maps.Clone(m.images)
	}
	for _, p := range req.Ports {
		if o.Listeners == nil {
			o.Listeners = map[int]string{}
		}
		if program, ok := m.listens[p]; ok {
			o.Listeners[p] = program
			if h, ok := m.holders[p]; ok {
				if o.Holders == nil {
					o.Holders = map[int]facts.Holder{}
				}
				o.Holders[p] = h
			}
		}
	}
	for _, name := range req.Packages {
		if o.Packages == nil {
			o.Packages = map[string]bool{}
		}
		if m.packages[name] {
			o.Packages[name] = true
		}
	}
	o.System = facts.System{}
	if req.Preflight != nil {
		o.System = m.system.System
		o.System.Asked = true
		o.System.Spaces = map[string]facts.Space{}
		for _, dir := range req.Preflight.Spaces {
			o.System.Spaces[dir] = m.space(dir)
		}
	}
	if req.Kube != nil {
		o.Kube = m.observeKube(*req.Kube)
	}
	return o
}

func (m *Machine) observeFile(r facts.FileRequest) facts.File {
	f, ok := m.files[r.Path]
	if !ok {
		return facts.File{Type: facts.Absent}
	}
	o := facts.File{Type: f.Type, Mode: f.Mode, Owner: f.Owner, Group: f.Group, Target: f.Target, Mount: f.Mount}
	switch f.Type {
	case facts.Regular:
		o.Size, o.SHA256 = int64(len(f.Content)), digest(f.Content)
		switch {
		case !r.Content || r.Certificates || len(f.Content) > facts.MaxContent:
		case r.Known.Is(o.SHA256):
			o.Content = r.Known.Content
		default:
			o.Content = []byte(f.Content)
		}
	case facts.Directory:
		o.Size, o.Empty = 4096, !m.below(r.Path)
	case facts.Symlink:
		o.Size = int64(len(f.Target))
	}
	if r.Certificates {
		if to, ok := m.follow(r.Path); ok {
			o.Content = certificates(to.Content)
		}
	}
	return o
}

// follow returns the regular file that a path leads to.
func (m *Machine) follow(p string) (*File, bool) {
	for range 8 {
		f, ok := m.files[p]
		if !ok || f.Type == facts.Regular {
			return f, ok
		}
		if f.Type != facts.Symlink {
			return nil, false
		}
		if p = f.Target; !strings.HasPrefix(p, "/") {
			return nil, false // only absolute links are modelled
		}
	}
	return nil, false
}

// certificates returns the CERTIFICATE blocks of a PEM text.
func certificates(text string) []byte {
	var out bytes.Buffer
	for rest := []byte(text); ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return out.Bytes()
		}
		if block.Type == "CERTIFICATE" {
			out.Write(pem.EncodeToMemory(block))
		}
	}
}

func (m *Machine) observeKube(r facts.KubeRequest) facts.Kube {
	for _, p := range []string{r.Kubectl, r.Kubeconfig, r.EtcdData} {
		if _, ok := m.files[p]; !ok {
			return facts.Kube{State: facts.NoCluster}
		}
	}
	if !m.kube.up() {
		return facts.Kube{State: facts.Down, Message: "The connection to the server 127.0.0.1:6443 was refused - did you specify the right host or port?"}
	}
	if m.kube.forbidden != "" {
		return facts.Kube{State: facts.Forbidden, Message: m.kube.forbidden}
	}
	k := facts.Kube{State: facts.Up, Nodes: map[string]json.RawMessage{}, Objects: map[string]json.RawMessage{}}
	m.kube.register()
	if r.Nodes {
		for key, o := range m.kube.objects {
			if name, ok := strings.CutPrefix(key, "node//"); ok {
				k.Nodes[name] = encode(o)
			}
		}
	}
	for _, ref := range r.Objects {
		if o, ok := m.kube.objects[objectKey(ref.Kind, ref.Namespace, ref.Name)]; ok {
			k.Objects[ref.String()] = encode(o)
		}
	}
	return k
}

// space is the file system of a directory: that of SetSpace, or a large one.
func (m *Machine) space(dir string) facts.Space {
	for at := dir; ; at = path.Dir(at) {
		if s, ok := m.spaces[at]; ok {
			return s
		}
		if at == "/" || at == "." {
			return facts.Space{Path: "/", Mount: "/", Type: "ext4", Options: []string{"rw"}, Free: 40 << 30, Total: 50 << 30, FreeInodes: 3e6, Inodes: 4e6}
		}
	}
}
