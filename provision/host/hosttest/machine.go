// Package hosttest is a host in memory, for tests of everything above the seam.
//
// A Machine has files, units, kernel parameters, images and a share in a small
// Kubernetes store; Connect opens sessions on it that implement host.Host. It
// behaves as the scripts of templates/scripts do, error by error, and the
// conformance suite holds it to that. Faults can be injected at any operation. It
// must never know plans or resources, and never touch the machine it runs on.
package hosttest

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"
	"sync"
	"time"

	"hardway/provision/facts"
	"hardway/provision/host"
)

// Machine is one machine. Its methods may be called from several goroutines.
type Machine struct {
	Name string // also its hostname, and the name of its Node

	mu      *sync.Mutex       // one for all machines of a cluster
	system  facts.Observation // what an observation says of the machine itself
	files   map[string]*File
	units   map[string]*unit
	units0  map[string]string // text as systemd has loaded it
	sysctls map[string]string
	modules map[string]bool
	swaps   []string
	swapped []string // turned off by swap-off
	// unswapped are services that swap-off disabled; installed, packages that script
	// packages installed; the rest, what firewall and selinux found.
	unswapped  []string
	installed  []string
	ufwOff     bool
	ufwBefore  *string
	selinuxWas *facts.System
	holders    map[int]facts.Holder
	// packages are those that are installed; spaces, file systems by directory.
	packages map[string]bool
	spaces   map[string]facts.Space
	images   map[string]string
	listens  map[int]string
	prior    map[string]*File // nil for "nothing stood there"
	blocks   map[string]string
	mark     facts.Mark
	kept     map[string]map[string]*File // by generation and path, as prior
	clock    func() time.Time
	nextPID  int
	broken   map[string]bool // units that fail to start

	generation int64
	holder     *Session
	holderText string

	kube    *Cluster
	scripts map[string]ScriptFunc
	execs   map[string]ScriptFunc

	ops    int
	faults []fault
	onOp   func(n int, step string)
	down   error
}

// File is what stands at a path.
type File struct {
	Type         facts.FileType
	Mode         uint32
	Owner, Group string
	Content      string
	Target       string // of a symlink
	Mount        bool   // a mount point: it cannot be removed or renamed over
}

// ScriptFunc stands in for a script, or for a program that script exec runs; then
// the arguments are those behind the program. It may use the machine's exported
// methods. An error other than a *host.ScriptError means a lost connection.
type ScriptFunc func(m *Machine, args []string, stdin []byte) (host.Result, error)

// NewMachine returns a fresh Debian-like machine: amd64, 2 CPUs, 4 GiB, an empty
// /etc/systemd/system, and its own one-machine Cluster.
func NewMachine(name string) *Machine {
	m := &Machine{
		Name: name, mu: new(sync.Mutex), files: map[string]*File{}, units: map[string]*unit{}, units0: map[string]string{},
		sysctls: map[string]string{
			"net.ipv4.ip_forward": "0", "net.bridge.bridge-nf-call-iptables": "0", "net.bridge.bridge-nf-call-ip6tables": "0",
			"kernel.panic": "0", "kernel.panic_on_oops": "0", "vm.overcommit_memory": "0", "vm.panic_on_oom": "0",
			"vm.max_map_count": "65530", "net.netfilter.nf_conntrack_max": "131072",
		},
		modules: map[string]bool{"overlay": false, "br_netfilter": false, "ip_vs": false, "nf_conntrack": false},
		images:  map[string]string{}, listens: map[int]string{}, holders: map[int]facts.Holder{}, packages: map[string]bool{}, spaces: map[string]facts.Space{}, prior: map[string]*File{}, blocks: map[string]string{}, kept: map[string]map[string]*File{},
		clock: time.Now, nextPID: 1000, broken: map[string]bool{},
		scripts: map[string]ScriptFunc{}, execs: map[string]ScriptFunc{},
	}
	m.system = facts.Observation{
		System: facts.System{Systemd: 252},
		OS:     facts.OS{ID: "debian", Version: "12", Name: "Debian GNU/Linux 12 (bookworm)"},
		Arch:   "amd64", Hostname: name, Kernel: "6.1.0-test", Cgroup: 2, CPUs: 2, MemoryKB: 4 << 20,
		Machine: digest("machine " + name)[:32], Commands: map[string]string{},
	}
	for _, c := range []string{"iptables", "nft", "ip", "modprobe", "conntrack", "socat", "swapoff", "sysctl", "bash", "systemctl", "flock", "mount", "umount", "losetup", "nsenter", "ipset", "ipvsadm", "ethtool", "tar", "apt-get"} {
		m.system.Commands[c] = "/usr/sbin/" + c
	}
	for _, dir := range []string{
		"/", "/bin", "/boot", "/dev", "/etc", "/etc/modules-load.d", "/etc/sysctl.d", "/etc/systemd", "/etc/systemd/system",
		"/home", "/opt", "/proc", "/root", "/run", "/sys", "/usr", "/usr/bin", "/usr/lib", "/usr/local",
		"/usr/local/bin", "/usr/local/sbin", "/usr/sbin", "/var", "/var/cache", "/var/lib", "/var/log",
	} {
		m.files[dir] = &File{Type: facts.Directory, Mode: 0o755, Owner: "root", Group: "root"}
	}
	m.files["/tmp"] = &File{Type: facts.Directory, Mode: 0o1777, Owner: "root", Group: "root"}
	m.WriteFile("/etc/hosts", 0o644, "127.0.0.1 localhost\n127.0.1.1 "+name+"\n")
	m.WriteFile("/etc/fstab", 0o644, "/dev/vda1 / ext4 defaults 0 1\n")
	m.WriteFile("/etc/resolv.conf", 0o644, "nameserver 192.0.2.53\n")
	m.kube = &Cluster{objects: map[string]map[string]any{}, machines: []*Machine{m}}
	m.builtins()
	return m
}

// Connect opens a session. It fails at the first operation while the machine is down.
func (m *Machine) Connect() *Session { return &Session{machine: m} }

// System changes what an observation says of the machine itself (OS, architecture,
// addresses, commands, …).
func (m *Machine) System(change func(*facts.Observation)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	change(&m.system)
}

// SetClock gives the machine a clock of its own.
func (m *Machine) SetClock(now func() time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.clock = now
}

// SetSysctl sets a kernel parameter; one that was never set does not exist.
func (m *Machine) SetSysctl(key, value string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sysctls[key] = value
}

// SetModule says whether a module is there. One that was never set cannot be loaded.
func (m *Machine) SetModule(name string, present bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.modules[name] = present
}

// SetSwaps says what swap is on.
func (m *Machine) SetSwaps(devices ...string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.swaps = devices
}

// SetListener says which program listens on a port; an empty one for none.
func (m *Machine) SetListener(port int, program string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if program == "" {
		delete(m.listens, port)
		return
	}
	m.listens[port] = program
}

// SetHolder says which process listens on a port.
func (m *Machine) SetHolder(port int, h facts.Holder) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.listens[port], m.holders[port] = h.Program, h
}

// SetSpace says in which file system a directory stands.
func (m *Machine) SetSpace(dir string, s facts.Space) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.spaces[dir] = s
}

// SetPackage says whether a package is installed.
func (m *Machine) SetPackage(name string, installed bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.packages[name] = installed
}

// Handle puts f in place of a script. It replaces what the machine does by itself.
func (m *Machine) Handle(script string, f ScriptFunc) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.scripts[script] = f
}

// HandleExec puts f in place of a program that script exec runs, by the last
// element of its path. Without one, kubectl is the small one of this package and
// every other program succeeds silently.
func (m *Machine) HandleExec(program string, f ScriptFunc) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.execs[program] = f
}

// Snapshot is everything on a machine that an operation can change, for cmp.Diff,
// but for what hardway keeps for itself: mark, generations, what stood there before.
type Snapshot struct {
	Files   map[string]File
	Units   map[string]facts.Unit
	Sysctls map[string]string
	Modules map[string]bool
	Swaps   []string
	Images  map[string]string
	Objects map[string]string // of the cluster that the machine is in, as JSON
}

// Snapshot returns a deep copy of the present state. PIDs are left out: they say
// only how often something started.
func (m *Machine) Snapshot() Snapshot {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := Snapshot{
		Files: map[string]File{}, Units: map[string]facts.Unit{}, Sysctls: maps.Clone(m.sysctls),
		Modules: maps.Clone(m.modules), Swaps: slices.Clone(m.swaps), Images: maps.Clone(m.images), Objects: m.kube.dump(),
	}
	for p, f := range m.files {
		s.Files[p] = *f
	}
	for name := range m.units {
		u := m.show(name)
		u.PID = 0
		s.Units[name] = u
	}
	return s
}

func digest(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}
