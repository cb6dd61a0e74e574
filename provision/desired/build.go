// Package desired compiles a configuration into the resources that should be,
// with the edges that say what needs what.
//
// It is pure: configuration, lock file, facts and the public state go in, a
// resource.Set comes out; equal inputs give equal sets. It must never know SSH,
// a terminal, a secret, or what a host looks like now (that is package plan's).
package desired

import (
	"errors"
	"fmt"
	"net/netip"
	"path"
	"slices"
	"strconv"

	"hardway/provision/addr"
	"hardway/provision/binaries"
	"hardway/provision/config"
	"hardway/provision/facts"
	"hardway/provision/resource"
	"hardway/provision/state"
	"hardway/units"
)

// Input is everything that the desired state depends on.
type Input struct {
	Config *config.Cluster
	Lock   binaries.Lock
	// Facts are used for the architecture, which must be the declared one, and
	// for the host name.
	Facts map[addr.Host]facts.Observation
	State state.Public
}

// Result is what should be.
type Result struct {
	Set         resource.Set
	Allocations state.Allocations
}

// Build compiles the configuration. Its errors are the user's to mend: a
// binary that is not in the lock file, a flag that is hardway's own to set.
func Build(in Input) (Result, error) {
	b := newBuilder(in.Config)
	b.lock, b.facts, b.state = in.Lock, in.Facts, in.State
	var err error
	if b.alloc, err = allocate(in.Config, in.State); err != nil {
		return Result{}, err
	}
	b.living()
	b.authorities()
	b.hostsText = b.hostsBlock()
	b.routesText = b.routeList()
	for _, h := range in.Config.Hosts {
		b.host(h)
	}
	b.objects()
	if len(b.errs) > 0 {
		return Result{}, errors.Join(b.errs...)
	}
	set, err := resource.NewSet(b.list)
	if err != nil {
		return Result{}, err
	}
	return Result{Set: set, Allocations: b.alloc}, nil
}

// allocate extends the allocation table by the hosts that have no entry yet.
func allocate(cfg *config.Cluster, s state.Public) (state.Allocations, error) {
	table := s.Allocations
	if !etcdLives(s) {
		table.Etcd = nil
	}
	var names []string
	for _, h := range cfg.Hosts {
		names = append(names, h.Name)
	}
	table, err := table.AssignPods(cfg.PodCIDR, cfg.NodePrefix, names)
	if err != nil {
		return table, fmt.Errorf("%s: %w", cfg.Range, err)
	}
	var members []state.EtcdHost
	for _, m := range cfg.Masters() {
		members = append(members, state.EtcdHost{Name: m.Name, PeerURL: "https://" + netip.AddrPortFrom(m.Address, 2380).String()})
	}
	return table.AssignEtcd(members), nil
}

// builder collects resources; errs collects what the user has to mend, so that
// one run shows all of it.
type builder struct {
	cfg     *config.Cluster
	masters []config.Host
	lay     layout
	lock    binaries.Lock
	facts   map[addr.Host]facts.Observation
	state   state.Public
	alloc   state.Allocations

	hostsText  string // the block in /etc/hosts, the same on all hosts
	routesText string // the routes to the pods of every host, the same on all hosts
	// kubeconfigs are those written so far, by user, server, certificate and key.
	kubeconfigs map[[4]string]string
	list        []resource.Resource
	errs        []error
}

func newBuilder(cfg *config.Cluster) *builder {
	return &builder{cfg: cfg, masters: cfg.Masters(), lay: layout{cfg.Directories, cfg.PKI.Naming}, kubeconfigs: map[[4]string]string{}}
}

func (b *builder) fail(format string, args ...any) {
	b.errs = append(b.errs, fmt.Errorf(format, args...))
}

// add puts a resource into the set and returns its address, for those that need it.
func (b *builder) add(h addr.Host, name string, spec resource.Spec, deps ...addr.Address) addr.Address {
	a := addr.Address{Host: h, Kind: string(spec.Kind()), Name: name}
	deps = slices.Clone(deps)
	slices.SortFunc(deps, addr.Address.Compare)
	b.list = append(b.list, resource.Resource{Addr: a, Spec: spec, DependsOn: slices.Compact(deps)})
	return a
}

var cluster = addr.Host{Role: addr.Cluster}

func authority(name string) addr.Address {
	return addr.Address{Host: cluster, Kind: string(resource.KindAuthority), Name: name}
}

func keypair(name string) addr.Address {
	return addr.Address{Host: cluster, Kind: string(resource.KindKeyPair), Name: name}
}

func unit(h addr.Host, name string) addr.Address {
	return addr.Address{Host: h, Kind: string(resource.KindUnit), Name: name}
}

// routeList has the route to the pods of each host.
func (b *builder) routeList() string {
	if b.cfg.Network.Name != "bridge" {
		return ""
	}
	var routes []units.Route
	for _, h := range b.cfg.Hosts {
		routes = append(routes, units.Route{PodCIDR: b.alloc.Pods[h.Name].CIDR, Via: h.Address})
	}
	text, err := units.RouteList(routes)
	if err != nil {
		b.fail("%s: %w", b.cfg.Network.Range, err)
	}
	return text
}

// hostBuilder adds the resources of one host and remembers what it added.
type hostBuilder struct {
	*builder
	h    config.Host
	at   addr.Host
	dirs map[string]addr.Address
}

// host compiles one host, in the order in which a reader would do it by hand.
func (b *builder) host(h config.Host) {
	hb := &hostBuilder{builder: b, h: h, at: h.Addr, dirs: map[string]addr.Address{}}
	if f, ok := b.facts[h.Addr]; ok && f.Reachable() && f.Arch != h.Arch {
		hb.fail("%s: %s is %s, and its block says %s: set arch = %q and run `hardway init`", h.Range, h.Addr, f.Arch, h.Arch, f.Arch)
	}
	first := len(b.list)
	machine := hb.machine()
	trust := hb.trust()
	if h.IsMaster() {
		hb.etcd(trust)
		hb.controlPlane(trust)
	}
	runtime := hb.runtime(machine)
	hb.node(machine, trust, runtime)
	hb.label(first)
}

// dir adds a directory with those of its parents that are hardway's to make,
// and returns its address.
func (hb *hostBuilder) dir(p string, d resource.Directory) addr.Address {
	if a, ok := hb.dirs[p]; ok {
		return a
	}
	var deps []addr.Address
	if parent := path.Dir(p); !system[parent] {
		deps = append(deps, hb.dir(parent, resource.Directory{Meta: resource.Root(0o755)}))
	}
	d.Path = p
	a := hb.add(hb.at, p, resource.Spec{Directory: &d}, deps...)
	hb.dirs[p] = a
	return a
}

// plain is a directory that everybody may read.
func (hb *hostBuilder) plain(p string) addr.Address {
	return hb.dir(p, resource.Directory{Meta: resource.Root(0o755)})
}

// system are directories that every Linux has; hardway neither makes nor removes them.
var system = map[string]bool{
	"/": true, "/etc": true, "/etc/systemd/system": true, "/etc/sysctl.d": true, "/etc/modules-load.d": true,
	"/usr": true, "/usr/libexec": true, "/usr/local": true, "/usr/local/bin": true, "/usr/bin": true, "/opt": true,
	"/var": true, "/var/lib": true, "/var/log": true, "/run": true, "/mnt": true, "/srv": true, "/home": true, "/root": true,
}

// file adds a file with known text.
func (hb *hostBuilder) file(p string, mode uint32, text string, deps ...addr.Address) addr.Address {
	return hb.put(resource.File{Path: p, Meta: resource.Root(mode), Content: text}, deps...)
}

// material adds a file whose content the state holds.
func (hb *hostBuilder) material(p string, mode uint32, name string, maker addr.Address) addr.Address {
	content, digest, _ := hb.state.Material(name)
	return hb.put(resource.File{Path: p, Meta: resource.Root(mode), Material: name, Content: string(content), Digest: digest}, maker)
}

func (hb *hostBuilder) put(f resource.File, deps ...addr.Address) addr.Address {
	if parent := path.Dir(f.Path); !system[parent] {
		deps = append(deps, hb.plain(parent))
	}
	return hb.add(hb.at, f.Path, resource.Spec{File: &f}, deps...)
}

func (hb *hostBuilder) podCIDR() string { return hb.alloc.Pods[hb.h.Name].CIDR.String() }

// address returns ip:port of the host, in brackets where IPv6 wants them.
func address(ip netip.Addr, port int) string {
	return netip.AddrPortFrom(ip, uint16(port)).String()
}

// apiServer is the URL that a host's components use: a master its own API
// server, so that it needs no other; a node the cluster's endpoint.
func (hb *hostBuilder) apiServer() string {
	if hb.h.IsMaster() {
		return "https://" + address(hb.h.Address, hb.cfg.API.Port)
	}
	return hb.endpoint()
}

// endpoint is where clients outside the masters reach the API.
func (b *builder) endpoint() string {
	host := b.cfg.API.Host
	if host == "" {
		host = b.masters[0].Address.String()
	}
	if ip, err := netip.ParseAddr(host); err == nil {
		return "https://" + address(ip, b.cfg.API.Port)
	}
	return "https://" + host + ":" + strconv.Itoa(b.cfg.API.Port)
}

// Endpoint is the URL at which people and nodes reach the API server.
func Endpoint(cfg *config.Cluster) string { return newBuilder(cfg).endpoint() }
