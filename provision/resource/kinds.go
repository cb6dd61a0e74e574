package resource

import (
	"encoding/json"
	"path"
	"slices"
	"strings"
	"time"

	"hardway/provision/addr"
)

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

// CombinedFile is the file that holds a combined certificate's bytes. CertPath is
// a link to it: the kubelet's certificate store wants a link that it can turn to
// the next certificate, and with a file in its place every rotation would fail
// (client-go util/certificate/certificate_store.go). One name, so that an
// interrupted apply leaves no other key behind.
func (c *Certificate) CombinedFile() string {
	return path.Join(path.Dir(c.CertPath), "kubelet-client-hardway.pem")
}

// Subject is a distinguished name. Kubernetes reads CN, the user, and O, the groups.
type Subject struct {
	CN string   `json:"cn"`
	O  []string `json:"o,omitempty"`
	OU []string `json:"ou,omitempty"`
	L  []string `json:"l,omitempty"`
	ST []string `json:"st,omitempty"`
	C  []string `json:"c,omitempty"`
}

// Authority is a certificate authority.
type Authority struct {
	CN string `json:"cn"`
	// Names are the other parts of its subject; their CN is empty.
	Names      Subject       `json:"names,omitzero"`
	Algorithm  string        `json:"algorithm"`
	Validity   time.Duration `json:"validity"`
	Generation int           `json:"generation"`
}

// KeyPair is a bare key pair, such as the service-account keys.
type KeyPair struct {
	Algorithm  string `json:"algorithm"`
	Generation int    `json:"generation"`
}

// ProgramSuffix ends the name of a unit that is a program of supervisord.
const ProgramSuffix = ".program"

// LogCommand is what shows a person on the host the log of a unit.
func LogCommand(unit string) string {
	if program, ok := strings.CutSuffix(unit, ProgramSuffix); ok {
		return "supervisorctl tail -10000 " + program
	}
	return "journalctl -u " + unit
}

// Unit is a systemd unit file, or a program of supervisord, and the state that
// it should be in. Whose it is shows in its name.
type Unit struct {
	Name string `json:"name"` // kubelet.service, kubelet.program
	Path string `json:"path"`
	Meta
	Content string `json:"content"`
	// Inputs is the digest of everything that needs a restart to take effect.
	// It stands in the unit as HARDWAY_INPUTS too, so that the running process
	// shows which inputs it was started with.
	Inputs  string `json:"inputs"`
	Enabled bool   `json:"enabled"`
	Running bool   `json:"running"`
	// ReadAtStart are the resources behind Inputs. Where one of them was changed
	// by somebody else and is put right again, Inputs stays the same, and the
	// process may still run with what it read in between.
	ReadAtStart []addr.Address `json:"read_at_start,omitempty"`
	// Oneshot: no process stays behind, so only the exit state is observed.
	Oneshot bool `json:"oneshot,omitempty"`
	// Gate is what must hold before anything that depends on the unit goes on.
	Gate *Gate `json:"gate,omitempty"`
	// BeforeStart runs before each start that hardway makes, while the process is
	// down: it removes what one with other settings left, and would not find.
	BeforeStart []Command `json:"before_start,omitempty"`
	// Cleanup runs after the unit was stopped for good, in order: what the
	// process leaves behind (mounts, rules, interfaces) is nobody else's to remove.
	Cleanup []Command `json:"cleanup,omitempty"`
	// Stage orders restarts across hosts: etcd, control-plane, node.
	Stage string `json:"stage,omitempty"`
}

// With returns what goes with a unit when it is changed, put back or held back:
// on its host, what it reads at its start, and the other files and programs that
// it depends on, such as the kubeconfig that asks it whether it is healthy. Leaf
// certificates are not among them: they are read again while it runs.
func (u *Unit) With(at addr.Host, dependsOn []addr.Address) []addr.Address {
	var out []addr.Address
	for _, a := range u.ReadAtStart {
		if a.Host == at {
			out = append(out, a)
		}
	}
	for _, a := range dependsOn {
		if k := Kind(a.Kind); a.Host == at && (k == KindFile || k == KindBinary) && !slices.Contains(out, a) {
			out = append(out, a)
		}
	}
	return out
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
	Name   string            `json:"name"`
	Host   addr.Host         `json:"host"`
	Labels map[string]string `json:"labels,omitempty"`
	Taints []string          `json:"taints,omitempty"` // key=value:Effect
	// DropLabels and DropTaints were ours and are wanted no more; the plan fills
	// them in from what the state says was set.
	DropLabels []string `json:"drop_labels,omitempty"`
	DropTaints []string `json:"drop_taints,omitempty"`
	Kubectl    Kubectl  `json:"kubectl"`
	// KubeletUnit is the name of the kubelet's unit; empty for kubelet.service.
	KubeletUnit string `json:"kubelet_unit,omitempty"`
	// Timeout is how long to wait for the Node to be Ready.
	Timeout time.Duration `json:"timeout"`
}
