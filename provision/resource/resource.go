// Package resource is the closed set of kinds that hardway manages, as plain
// values with stable digests.
//
// It is a leaf: it knows what should be, field by field. It must never know how
// a resource is observed, compared, written or restored.
package resource

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"hardway/provision/addr"
)

// Kind is the second word of an address.
type Kind string

// Every kind there is. A new one needs a row in resource.Spec, and a case in
// the observation request, the comparison and the interpreter; a test holds that.
const (
	KindAuthority   Kind = "authority" // a CA; cluster scope; lives in the sealed state
	KindKeyPair     Kind = "keypair"   // service-account keys; cluster scope; sealed
	KindDirectory   Kind = "directory"
	KindFile        Kind = "file"
	KindBlock       Kind = "block" // a managed block inside a file of the system
	KindBinary      Kind = "binary"
	KindImage       Kind = "image"
	KindCertificate Kind = "cert" // a leaf and its key, on a host
	KindSysctl      Kind = "sysctl"
	KindModule      Kind = "module"
	KindSwap        Kind = "swap"
	KindUnit        Kind = "unit"
	KindObject      Kind = "object" // a Kubernetes object; cluster scope
	KindNode        Kind = "node"   // labels and taints of a Node; cluster scope
)

// Resource is one thing that should be. Exactly one field of Spec is set.
type Resource struct {
	Addr addr.Address `json:"address"`
	Spec Spec         `json:"spec"`
	// DependsOn are created before, and removed after, this resource.
	DependsOn []addr.Address `json:"depends_on,omitempty"`
}

// Spec is a tagged union of the kinds.
type Spec struct {
	Authority   *Authority   `json:"authority,omitempty"`
	KeyPair     *KeyPair     `json:"keypair,omitempty"`
	Directory   *Directory   `json:"directory,omitempty"`
	File        *File        `json:"file,omitempty"`
	Block       *Block       `json:"block,omitempty"`
	Binary      *Binary      `json:"binary,omitempty"`
	Image       *Image       `json:"image,omitempty"`
	Certificate *Certificate `json:"cert,omitempty"`
	Sysctl      *Sysctl      `json:"sysctl,omitempty"`
	Module      *Module      `json:"module,omitempty"`
	Swap        *Swap        `json:"swap,omitempty"`
	Unit        *Unit        `json:"unit,omitempty"`
	Object      *Object      `json:"object,omitempty"`
	Node        *Node        `json:"node,omitempty"`
}

// Meta is what every path has: permission bits and owner.
type Meta struct {
	Mode  uint32 `json:"mode"`
	Owner string `json:"owner"`
	Group string `json:"group"`
}

// Root returns the Meta of a file that belongs to root:root.
func Root(mode uint32) Meta { return Meta{Mode: mode, Owner: "root", Group: "root"} }

// Directory is a directory. It is removed at destroy only if hardway made it.
// Purge says that its content is ours too; Data, that the content cannot be
// made again, so that only destroy --destroy-data removes it.
type Directory struct {
	Path string `json:"path"`
	Meta
	Purge bool `json:"purge,omitempty"`
	Data  bool `json:"data,omitempty"`
}

// File is a file with a known text, or with material of the state that only
// apply can open. With Material set, Content is empty for private material and
// Digest is the SHA-256 to expect; both are empty while the material is not
// yet made ("known after apply").
type File struct {
	Path string `json:"path"`
	Meta
	Content  string `json:"content,omitempty"`
	Material string `json:"material,omitempty"` // a name as Material* builds it
	Digest   string `json:"digest,omitempty"`
	// Once: written when absent, never compared later (values that only count
	// at creation, or that the component rewrites itself).
	Once bool `json:"once,omitempty"`
}

// Names of the material that only the state holds.
func MaterialBundle(authority string) string { return "bundle/" + authority }
func MaterialCert(authority string) string   { return "cert/" + authority }
func MaterialKey(authority string) string    { return "key/" + authority }
func MaterialPublic(keypair string) string   { return "public/" + keypair }
func MaterialPrivate(keypair string) string  { return "private/" + keypair }

// Block is hardway's marked block inside a file that belongs to the system.
type Block struct {
	Path    string `json:"path"`
	Content string `json:"content"`
}

// BlockBegin and BlockEnd mark the managed block.
const (
	BlockBegin = "# BEGIN hardway"
	BlockEnd   = "# END hardway"
)

// Binary is an executable whose bytes the lock file pins.
type Binary struct {
	Path string `json:"path"`
	Meta
	Component string `json:"component"` // kubelet
	Version   string `json:"version"`
	Arch      string `json:"arch"`
	SHA256    string `json:"sha256"`
	Size      int64  `json:"size"`
}

// Image is a container image imported from an archive that the lock file pins.
type Image struct {
	Ref    string `json:"ref"`
	SHA256 string `json:"sha256"` // of the archive
	Size   int64  `json:"size"`
	Ctr    string `json:"ctr"`
	Socket string `json:"socket"`
}

// Certificate is a leaf certificate with its key on a host. It is issued in
// apply; the plan carries only this description. With Combined set both stand
// in CertPath, as the kubelet's kubelet-client-current.pem has them.
type Certificate struct {
	Name     string `json:"name"` // in the catalogue of package certs
	CertPath string `json:"cert_path"`
	KeyPath  string `json:"key_path"`
	Combined bool   `json:"combined,omitempty"`
	// Once: seeded when absent, expired, close to its end or of another
	// authority; otherwise the component rotates it by itself.
	Once        bool          `json:"once,omitempty"`
	Owner       string        `json:"owner"`
	Group       string        `json:"group"`
	Authority   string        `json:"authority"`
	Subject     Subject       `json:"subject"`
	DNS         []string      `json:"dns,omitempty"`
	IPs         []string      `json:"ips,omitempty"`
	Usages      []string      `json:"usages"` // "server auth", "client auth"
	Algorithm   string        `json:"algorithm"`
	Validity    time.Duration `json:"validity"`
	RenewBefore time.Duration `json:"renew_before"`
	// Endpoint is where the certificate is served, as "port" on the host's own
	// loopback or address; renewing asks it for the serial it then serves.
	Endpoint string `json:"endpoint,omitempty"`
}

// Subject is the part of a distinguished name that Kubernetes reads: CN is the
// user, O the groups.
type Subject struct {
	CN string   `json:"cn"`
	O  []string `json:"o,omitempty"`
}

// Authority is a certificate authority.
type Authority struct {
	CN         string        `json:"cn"`
	Algorithm  string        `json:"algorithm"`
	Validity   time.Duration `json:"validity"`
	Generation int           `json:"generation"`
}

// KeyPair is a bare key pair, such as the service-account keys.
type KeyPair struct {
	Algorithm  string `json:"algorithm"`
	Generation int    `json:"generation"`
}

// Unit is a systemd unit file and the state that the unit should be in.
type Unit struct {
	Name string `json:"name"` // kubelet.service
	Path string `json:"path"`
	Meta
	Content string `json:"content"`
	// Inputs is the digest of everything that needs a restart to take effect.
	// It stands in the unit as HARDWAY_INPUTS too, so that the running process
	// shows which inputs it was started with.
	Inputs  string `json:"inputs"`
	Enabled bool   `json:"enabled"`
	Running bool   `json:"running"`
	// Oneshot: no process stays behind, so only the exit state is observed.
	Oneshot bool `json:"oneshot,omitempty"`
	// Gate is what must hold before anything that depends on the unit goes on.
	Gate *Gate `json:"gate,omitempty"`
	// Cleanup runs after the unit was stopped for good, in order: what the
	// process leaves behind (mounts, rules, interfaces) is nobody else's to remove.
	Cleanup []Command `json:"cleanup,omitempty"`
	// Stage orders restarts across hosts: etcd, control-plane, node.
	Stage string `json:"stage,omitempty"`
}

// Gate is a health condition with the time it may take: either HTTP, a plain
// http URL on the host that must answer 200, or Argv, a command that must exit 0.
type Gate struct {
	Name    string        `json:"name"` // what is shown while waiting: "kube-apiserver /readyz"
	HTTP    string        `json:"http,omitempty"`
	Argv    []string      `json:"argv,omitempty"`
	Timeout time.Duration `json:"timeout"`
}

// Command is a known remote script with its arguments.
type Command struct {
	Script string   `json:"script"`
	Args   []string `json:"args,omitempty"`
}

// Sysctl is a kernel parameter's live value.
type Sysctl struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// Module is a kernel module, present by its effect (see facts.ModuleRequest).
type Module struct {
	Name    string   `json:"name"`
	Effects []string `json:"effects,omitempty"`
}

// Swap turned off, now and at boot.
type Swap struct {
	Off bool `json:"off"`
}

// Object is a Kubernetes object that hardway owns, as canonical JSON.
type Object struct {
	Kind      string          `json:"kind"` // as kubectl takes it
	Namespace string          `json:"namespace,omitempty"`
	Name      string          `json:"name"`
	Manifest  json.RawMessage `json:"manifest"`
	// SuperAdmin: written with a short-lived certificate of system:masters,
	// because it is what makes the everyday admin one.
	SuperAdmin bool    `json:"super_admin,omitempty"`
	Kubectl    Kubectl `json:"kubectl"`
}

// Kubectl says how the API is spoken to from a master.
type Kubectl struct {
	Path       string `json:"path"`
	Kubeconfig string `json:"kubeconfig"` // root-only, of the everyday admin
	Server     string `json:"server"`
	// EtcdData is the data directory on the same master: while it is absent
	// there is no cluster whose objects could be asked for.
	EtcdData string `json:"etcd_data"`
}

// Node is what hardway sets on a registered Node with the admin credential:
// the NodeRestriction plugin forbids a kubelet to do it.
type Node struct {
	Name    string            `json:"name"`
	Host    addr.Host         `json:"host"`
	Labels  map[string]string `json:"labels,omitempty"`
	Taints  []string          `json:"taints,omitempty"` // key=value:Effect
	Kubectl Kubectl           `json:"kubectl"`
	// Timeout is how long to wait for the Node to be Ready.
	Timeout time.Duration `json:"timeout"`
}

// Kind returns the kind of the one field that is set.
func (s Spec) Kind() Kind {
	switch {
	case s.Authority != nil:
		return KindAuthority
	case s.KeyPair != nil:
		return KindKeyPair
	case s.Directory != nil:
		return KindDirectory
	case s.File != nil:
		return KindFile
	case s.Block != nil:
		return KindBlock
	case s.Binary != nil:
		return KindBinary
	case s.Image != nil:
		return KindImage
	case s.Certificate != nil:
		return KindCertificate
	case s.Sysctl != nil:
		return KindSysctl
	case s.Module != nil:
		return KindModule
	case s.Swap != nil:
		return KindSwap
	case s.Unit != nil:
		return KindUnit
	case s.Object != nil:
		return KindObject
	case s.Node != nil:
		return KindNode
	}
	return ""
}

// Path returns the file system path that the resource owns, if it owns one.
func (s Spec) Path() string {
	switch {
	case s.Directory != nil:
		return s.Directory.Path
	case s.File != nil:
		return s.File.Path
	case s.Block != nil:
		return s.Block.Path
	case s.Binary != nil:
		return s.Binary.Path
	case s.Certificate != nil:
		return s.Certificate.CertPath
	case s.Unit != nil:
		return s.Unit.Path
	}
	return ""
}

// Digest returns the SHA-256 of the canonical JSON of the spec: equal specs,
// equal digests, on every machine.
func (s Spec) Digest() string {
	b, err := json.Marshal(s)
	if err != nil { // only plain values are in a Spec
		panic(fmt.Sprintf("resource: encoding %s: %v", s.Kind(), err))
	}
	return SHA256(b)
}

// SHA256 returns the lower-case hex digest of b.
func SHA256(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// Set is all resources that should be, in address order, each once.
type Set struct {
	list  []Resource
	index map[addr.Address]int
}

// NewSet sorts and checks: a second resource with the same address, a
// dependency on something that is not in the set, or a cycle is an error of the
// compiler, never of the user.
func NewSet(list []Resource) (Set, error) {
	s := Set{list: slices.Clone(list), index: make(map[addr.Address]int, len(list))}
	slices.SortFunc(s.list, func(a, b Resource) int { return a.Addr.Compare(b.Addr) })
	for i, r := range s.list {
		if _, twice := s.index[r.Addr]; twice {
			return Set{}, fmt.Errorf("resource %s is declared twice", r.Addr)
		}
		if string(r.Spec.Kind()) != r.Addr.Kind {
			return Set{}, fmt.Errorf("resource %s holds a %s", r.Addr, r.Spec.Kind())
		}
		s.index[r.Addr] = i
	}
	for _, r := range s.list {
		for _, d := range r.DependsOn {
			if _, ok := s.index[d]; !ok {
				return Set{}, fmt.Errorf("resource %s depends on %s, which is not in the set", r.Addr, d)
			}
		}
	}
	return s, nil
}

// All returns the resources in address order. The slice must not be changed.
func (s Set) All() []Resource { return s.list }

// Get returns the resource with that address.
func (s Set) Get(a addr.Address) (Resource, bool) {
	i, ok := s.index[a]
	if !ok {
		return Resource{}, false
	}
	return s.list[i], true
}
