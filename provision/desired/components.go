package desired

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"hardway/provision/addr"
	"hardway/provision/resource"
	"hardway/templates"
	"hardway/units"
)

// gateTimeout is how long a component may take to become healthy. An apiserver
// on a slow disk needs most of a minute for its first start.
const gateTimeout = 3 * time.Minute

// component adds the unit of a component. inputs are what needs a restart to
// take effect, by name: their digest stands in the unit, so that the plan sees
// a process that was started with others, whoever changed them. read are the
// resources behind them.
func (hb *hostBuilder) component(name string, u units.Unit, err error, inputs map[string]string, read []addr.Address, cleanup []resource.Command, deps ...addr.Address) addr.Address {
	if err != nil {
		hb.fail("%s: %s: %w", hb.h.Range, hb.at, err)
		return unit(hb.at, name)
	}
	sheet := hb.sheet(name)
	kept := hb.keeper(sheet)
	text, err := kept.render(u, "")
	if err != nil {
		hb.fail("%s: %s: %w", hb.h.Range, hb.at, err)
		return unit(hb.at, name)
	}
	digest := inputsDigest(text, inputs)
	if text, err = kept.render(u, digest); err != nil {
		hb.fail("%s: %s: %w", hb.h.Range, hb.at, err)
		return unit(hb.at, name)
	}
	return hb.add(hb.at, name, resource.Spec{Unit: &resource.Unit{
		Name: kept.name, Path: kept.path, Meta: resource.Root(0o600), Content: text, Inputs: digest,
		Enabled: true, Running: true, ReadAtStart: read, Oneshot: kept.oneshot, Gate: hb.gate(sheet), Cleanup: cleanup, Stage: string(sheet.Stage),
	}}, slices.Concat(deps, read, kept.needs)...)
}

// beforeStart has a unit that was added do something before each start of its.
func (hb *hostBuilder) beforeStart(a addr.Address, commands ...resource.Command) {
	for i := range slices.Backward(hb.list) {
		if u := hb.list[i].Spec.Unit; u != nil && hb.list[i].Addr == a {
			u.BeforeStart = commands
			return
		}
	}
}

// inputsDigest covers the unit itself and every named input, in order of name.
func inputsDigest(text string, inputs map[string]string) string {
	h := sha256.New()
	_, _ = io.WriteString(h, text)
	for _, k := range sortedKeys(inputs) {
		_, _ = fmt.Fprintf(h, "\x00%s=%s", k, inputs[k])
	}
	return hex.EncodeToString(h.Sum(nil))
}

func (hb *hostBuilder) sheet(name string) units.Component {
	for _, c := range units.Components(hb.cfg.Version) {
		if c.Name == name {
			return c
		}
	}
	panic("desired: no component " + name) // a name of our own, checked by every test
}

// gate is the health condition of a component on this host.
func (hb *hostBuilder) gate(c units.Component) *resource.Gate {
	e := c.Health
	switch {
	case c.Name == units.ComponentContainerd:
		return &resource.Gate{Name: "containerd to answer", Timeout: gateTimeout,
			Argv: []string{hb.lay.bin("ctr"), "--address", templates.ContainerdSocket, "--timeout", "5s", "version"}}
	case e == nil:
		return nil
	}
	host, port := e.Host, e.Port
	if c.Name == units.ComponentKubeProxy {
		at, err := units.KubeProxyHealthz(hb.h.KubeProxy.Config)
		if err != nil {
			hb.fail("%s: %s: %w", hb.h.Range, hb.at, err)
			return nil
		}
		host, port = at.Addr().String(), int(at.Port())
	}
	if host == "" {
		host = hb.h.Address.String()
	}
	if port == 0 {
		port = hb.cfg.API.Port
	}
	url := e.Scheme + "://" + joinHostPort(host, port)
	g := &resource.Gate{Name: c.Name + " " + e.Path, Timeout: gateTimeout}
	if e.Scheme == "http" {
		g.HTTP = url + e.Path
		return g
	}
	// kubectl is the one HTTPS client that every master has for certain. It
	// shows a client certificate, which the API server wants on every path.
	g.Argv = []string{hb.lay.bin("kubectl"), "--kubeconfig", hb.lay.conf("admin.conf"), "--server", url, "--request-timeout=5s", "get", "--raw", e.Path}
	return g
}

func joinHostPort(host string, port int) string {
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	return host + ":" + strconv.Itoa(port)
}

// binary adds an executable from the lock file.
func (hb *hostBuilder) binary(component, at string) (addr.Address, string) {
	pin, ok := hb.lock.Binary(component, hb.h.Arch)
	switch want := hb.version(component); {
	case !ok:
		hb.fail("%s: %s: %s for %s is not in hardway.lock.hcl; run `hardway init`", hb.h.Range, hb.at, component, hb.h.Arch)
	case pin.Version != want:
		hb.fail("%s: %s: hardway.lock.hcl pins %s %s for %s, and the configuration wants %s; run `hardway init`", hb.h.Range, hb.at, component, pin.Version, hb.h.Arch, want)
	}
	var deps []addr.Address
	if parent := path.Dir(at); !system[parent] {
		deps = append(deps, hb.plain(parent))
	}
	return hb.add(hb.at, component, resource.Spec{Binary: &resource.Binary{
		Path: at, Meta: resource.Root(0o755), Component: component, Version: pin.Version, Arch: hb.h.Arch, SHA256: pin.SHA256, Size: pin.Size,
	}}, deps...), pin.SHA256
}

// version is the version of a component that the configuration asks for.
func (b *builder) version(component string) string {
	v := b.cfg.Version
	switch component {
	case "etcd", "etcdctl", "etcdutl":
		v = b.cfg.Etcd.Version
	case "containerd", "containerd-shim-runc-v2", "ctr":
		v = b.cfg.Runtime.Version
	case "runc":
		v = b.cfg.Runtime.RuncVersion
	case "bridge", "host-local", "loopback", "portmap":
		v = b.cfg.Runtime.CNIPluginsVersion
	}
	return strings.TrimPrefix(v, "v") // as the lock file has it
}

// kubectl says how the API is spoken to on a master.
func (b *builder) kubectl(m addr.Host) resource.Kubectl {
	for _, h := range b.masters {
		if h.Addr == m {
			return resource.Kubectl{
				Path: b.lay.bin("kubectl"), Kubeconfig: b.lay.conf("admin.conf"),
				Server:   "https://" + address(h.Address, b.cfg.API.Port),
				EtcdData: b.lay.data("etcd", "member"),
			}
		}
	}
	return resource.Kubectl{}
}

// apiServers are the units of all API servers.
func (b *builder) apiServers() []addr.Address {
	var out []addr.Address
	for _, m := range b.masters {
		out = append(out, unit(m.Addr, units.ComponentAPIServer))
	}
	return out
}
