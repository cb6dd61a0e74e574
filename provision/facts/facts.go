// Package facts holds what was observed on hosts, and what can be asked of them.
//
// It is a leaf: plain values, no I/O. It must never know what should be on a
// host, nor how the observation travelled. Whatever a host says is data: it is
// never evaluated, templated or taken for a path to write to.
package facts

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"time"
)

// Request lists everything one batched observation of a host reads. It only
// names things; the host decides nothing.
type Request struct {
	// Files are absolute paths; each is reported whether it exists or not.
	Files []FileRequest `json:"files,omitempty"`
	// Units are systemd unit names with their suffix, such as "kubelet.service";
	// with ".program" behind it the name is that of a program of supervisord.
	Units []string `json:"units,omitempty"`
	// Argv asks for the command lines of the units' main processes.
	Argv bool `json:"argv,omitempty"`
	// Sysctls are keys in dotted form.
	Sysctls []string `json:"sysctls,omitempty"`
	// Modules are kernel modules with the paths that show their effect.
	Modules []ModuleRequest `json:"modules,omitempty"`
	// Images, when not nil, asks for the images that the runtime holds.
	Images *ImagesRequest `json:"images,omitempty"`
	// Kube, when not nil, asks for Kubernetes objects through this host's kubectl.
	Kube *KubeRequest `json:"kube,omitempty"`
	// Ports are TCP ports whose listening state is asked for.
	Ports []int `json:"ports,omitempty"`
	// Deep asks for every digest to be computed from the bytes on the disk, also
	// where the host recorded one for exactly this inode, size and times.
	Deep bool `json:"deep,omitempty"`
	// Packages are names whose presence the host's package manager is asked for.
	Packages []string `json:"packages,omitempty"`
	// Preflight, when not nil, asks whether the machine is fit for its part.
	Preflight *PreflightRequest `json:"preflight,omitempty"`
}

// FileRequest asks for one path. Content is read only when wanted, and only up
// to MaxContent bytes: private keys and binaries are asked for without it.
type FileRequest struct {
	Path    string `json:"path"`
	Content bool   `json:"content,omitempty"`
	// Certificates asks for the CERTIFICATE blocks of a PEM file only, through
	// a symbolic link too: a key that stands beside them never travels.
	Certificates bool `json:"certificates,omitempty"`
	// Known is the content that whoever asks has already. Where the host's regular
	// file has its digest, the content need not travel, and the observation has the
	// very slice of Known. The answer is the same, byte for byte, with and without.
	Known *Known `json:"-"`
}

// Known is a content with its digest. It is shared by requests and observations,
// and never changed.
type Known struct {
	Content []byte
	SHA256  string // lower-case hex
}

// Knowing returns the Known of a text.
func Knowing(text string) *Known {
	sum := sha256.Sum256([]byte(text))
	return &Known{Content: []byte(text), SHA256: hex.EncodeToString(sum[:])}
}

// Is reports whether it is the content with that digest.
func (k *Known) Is(sha256 string) bool { return k != nil && k.SHA256 == sha256 }

// MaxContent is the largest file content, in bytes, that an observation carries.
const MaxContent = 256 << 10

// ModuleRequest asks whether a kernel module is there. A module counts as
// present by its effect: one of these paths exists, or, for a path written as
// "/proc/filesystems:overlay", the file has that word. (A module that is built
// in is neither in lsmod nor in /sys/module.)
type ModuleRequest struct {
	Name    string   `json:"name"`
	Effects []string `json:"effects,omitempty"`
}

// ImagesRequest says how to list images: the path of ctr, and containerd's socket.
type ImagesRequest struct {
	Ctr    string `json:"ctr"`
	Socket string `json:"socket"`
}

// KubeRequest says how to read objects: kubectl's path, a root-only kubeconfig,
// and the etcd data directory whose absence means that no cluster exists yet.
type KubeRequest struct {
	Kubectl    string      `json:"kubectl"`
	Kubeconfig string      `json:"kubeconfig"`
	EtcdData   string      `json:"etcd_data"`
	Objects    []ObjectRef `json:"objects,omitempty"`
	Nodes      bool        `json:"nodes,omitempty"`
}

// ObjectRef names a Kubernetes object; Namespace is empty for cluster-scoped ones.
type ObjectRef struct {
	Kind      string `json:"kind"` // as kubectl takes it: clusterrolebinding
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name"`
}

// Observation is what one host said, in one batch. When the host could not be
// reached or did not answer in full, Err says why and the rest is unknown:
// unreachable is a value, never "nothing there".
type Observation struct {
	Err string `json:"err,omitempty"`

	OS       OS        `json:"os"`
	Arch     string    `json:"arch"` // Go's name: amd64, arm64
	Hostname string    `json:"hostname"`
	Machine  string    `json:"machine_id"`
	Kernel   string    `json:"kernel"`
	Cgroup   int       `json:"cgroup"` // version, 1 or 2
	CPUs     int       `json:"cpus"`
	MemoryKB int64     `json:"memory_kb"`
	Clock    time.Time `json:"clock"` // the host's own, when observed
	// Skew is the host's clock minus the controller's, corrected by half the round trip.
	Skew time.Duration `json:"skew"`
	// Addresses are the host's own IP addresses.
	Addresses []string `json:"addresses,omitempty"`
	// Commands are the programs of the request-independent list (iptables, nft,
	// modprobe, …) that were found, by name.
	Commands map[string]string `json:"commands,omitempty"`

	Files   map[string]File   `json:"files,omitempty"`
	Units   map[string]Unit   `json:"units,omitempty"`
	Sysctls map[string]string `json:"sysctls,omitempty"`
	Modules map[string]bool   `json:"modules,omitempty"`
	// Unloadable is why a module that was asked for, and is not there, cannot be
	// loaded either, as modprobe said when it was asked without doing it.
	Unloadable map[string]string `json:"unloadable,omitempty"`
	Swaps      []string          `json:"swaps,omitempty"`
	// Images maps an image reference to the digest of the archive it came from
	// (the label hardway puts on it), empty when unlabelled.
	Images map[string]string `json:"images,omitempty"`
	// Listeners maps an asked port to the program that listens on it.
	Listeners map[int]string `json:"listeners,omitempty"`
	// Holders are the processes behind Listeners, where they could be found out.
	Holders map[int]Holder `json:"holders,omitempty"`
	// Packages are those asked for that are installed.
	Packages map[string]bool `json:"packages,omitempty"`
	System   System          `json:"system,omitzero"`
	Kube     Kube            `json:"kube"`
	// Mark is what the last apply left behind; its zero value says that none did.
	Mark Mark `json:"mark,omitzero"`
}

// Mark says whose host it is, and how far that cluster's state had come when
// it was last changed. A state with a lower serial is an older one.
type Mark struct {
	Lineage string `json:"lineage"`
	Serial  uint64 `json:"serial"`
	Cluster string `json:"cluster"` // for people
	// Copy is the SHA-256 of the sealed copy of the state that lies on the host;
	// empty where there is none.
	Copy string `json:"copy,omitempty"`
}

// Reachable reports whether the observation is complete.
func (o Observation) Reachable() bool { return o.Err == "" }

// OS identifies the distribution, from /etc/os-release.
type OS struct {
	ID      string `json:"id"`
	Version string `json:"version"`
	Name    string `json:"name"`
	// Like are the distributions that it follows: debian, rhel, fedora.
	Like []string `json:"like,omitempty"`
}

// FileType is what stands at a path.
type FileType string

// The types that matter here; anything else is Other.
const (
	Absent    FileType = "absent"
	Regular   FileType = "file"
	Directory FileType = "directory"
	Symlink   FileType = "symlink"
	Other     FileType = "other"
)

// File is one observed path. Mode holds the permission bits (0644); SHA256 is
// the lower-case hex digest of a regular file's content.
type File struct {
	Type    FileType `json:"type"`
	Mode    uint32   `json:"mode,omitempty"`
	Owner   string   `json:"owner,omitempty"`
	Group   string   `json:"group,omitempty"`
	Size    int64    `json:"size,omitempty"`
	SHA256  string   `json:"sha256,omitempty"`
	Target  string   `json:"target,omitempty"` // of a symlink
	Mount   bool     `json:"mount,omitempty"`  // the path is itself a mount point
	Empty   bool     `json:"empty,omitempty"`  // a directory without entries
	Content []byte   `json:"content,omitempty"`
}

// Exists reports whether anything stands at the path.
func (f File) Exists() bool { return f.Type != "" && f.Type != Absent }

// Unit is systemd's view of a unit (systemctl show) and, for a running one, the
// value of HARDWAY_INPUTS in the environment of its main process.
type Unit struct {
	Load     string   `json:"load"`   // loaded, not-found, masked
	Active   string   `json:"active"` // active, inactive, failed, activating
	Sub      string   `json:"sub"`
	Enabled  string   `json:"enabled"` // UnitFileState: enabled, disabled, masked, ""
	Fragment string   `json:"fragment,omitempty"`
	DropIns  []string `json:"drop_ins,omitempty"`
	// DropInTexts are the contents of DropIns by path, of those that can be read
	// and have up to MaxContent bytes; each ends with a line break.
	DropInTexts map[string]string `json:"drop_in_texts,omitempty"`

	PID      int    `json:"pid,omitempty"`
	Restarts int    `json:"restarts,omitempty"`
	Inputs   string `json:"inputs,omitempty"`
	Result   string `json:"result,omitempty"`
	// Argv is what the main process was started with, where that was asked for.
	Argv []string `json:"argv,omitempty"`
	// NeedsReload: the unit file on disk is newer than the one systemd loaded.
	NeedsReload bool `json:"needs_reload,omitempty"`
}

// KubeState says whether the API could be asked.
type KubeState string

// The states. NoCluster means that no etcd data exists, so nothing can exist in
// it; Down means unknown, and must never be taken for absent.
const (
	NotAsked  KubeState = ""
	NoCluster KubeState = "no-cluster"
	Up        KubeState = "up"
	// Forbidden: the API answers, but does not let the everyday admin in yet.
	Forbidden KubeState = "forbidden"
	Down      KubeState = "down"
)

// Kube is what the API server said. Objects are keyed by ObjectRef.String and
// hold the JSON as kubectl printed it; an object that does not exist is absent.
type Kube struct {
	State   KubeState                  `json:"state,omitempty"`
	Message string                     `json:"message,omitempty"`
	Nodes   map[string]json.RawMessage `json:"nodes,omitempty"`
	Objects map[string]json.RawMessage `json:"objects,omitempty"`
}

// String returns KIND/NAME or KIND/NAMESPACE/NAME.
func (r ObjectRef) String() string {
	if r.Namespace == "" {
		return r.Kind + "/" + r.Name
	}
	return r.Kind + "/" + r.Namespace + "/" + r.Name
}

// Unreachable returns the observation of a host that could not be asked.
func Unreachable(err error) Observation { return Observation{Err: err.Error()} }
