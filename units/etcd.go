package units

import (
	"fmt"
	"net/netip"
	"path"
	"slices"
	"strings"

	"hardway/units/unitfile"
)

// Ports of etcd. The metrics port listens on loopback only and answers /health
// and /readyz without a client certificate.
const (
	EtcdClientPort  = 2379
	EtcdPeerPort    = 2380
	EtcdMetricsPort = 2381
)

// EtcdParams describes one member of etcd.
type EtcdParams struct {
	Version string // of etcd: "3.7.3"
	Bin     string // directory of the executable
	Name    string // of the member
	Address netip.Addr
	DataDir string // mode 0700, owned by User
	// User runs the member; "" is root. Its certificates have to be readable by it.
	User string
	// Serving is presented to clients and must have the client usage too: the
	// gateway dials its own server.
	Serving, Peer            KeyPair
	TrustedCA, PeerTrustedCA string // bundles
	// InitialEnvFile is the file that EtcdInitialEnv fills.
	InitialEnvFile string
	Flags          map[string]string // the user's
}

// Etcd returns the unit of an etcd member. It sends READY=1 only after it
// joined a quorum, so that the members of a new cluster have to be started
// together, without waiting for the first.
func Etcd(p EtcdParams) (Unit, error) {
	f := newFlagSet(ComponentEtcd, p.Version)
	f.text("name", p.Name)
	f.path("data-dir", p.DataDir)
	client := "https://" + netip.AddrPortFrom(p.Address, EtcdClientPort).String()
	if !p.Address.IsValid() {
		f.fail("no address was given")
	}
	f.set("advertise-client-urls", client)
	f.set("listen-client-urls", client+",https://"+loopback(p.Address, EtcdClientPort))
	f.set("listen-peer-urls", "https://"+netip.AddrPortFrom(p.Address, EtcdPeerPort).String())
	f.set("listen-metrics-urls", fmt.Sprintf("http://127.0.0.1:%d", EtcdMetricsPort))
	f.pair("cert-file", "key-file", p.Serving)
	f.path("trusted-ca-file", p.TrustedCA)
	f.bool("client-cert-auth", true)
	f.pair("peer-cert-file", "peer-key-file", p.Peer)
	f.path("peer-trusted-ca-file", p.PeerTrustedCA)
	f.bool("peer-client-cert-auth", true)
	f.setIfKnown("TLS1.2", "tls-min-version")
	// The API server serves lists from its watch cache only while etcd tells it
	// how far the watch got.
	f.setIfKnown("5s", "watch-progress-notify-interval", "experimental-watch-progress-notify-interval")
	f.user(p.Flags)
	argv, err := f.argv(p.Bin, "etcd")
	if err != nil {
		return Unit{}, err
	}
	if !path.IsAbs(p.InitialEnvFile) {
		return Unit{}, fmt.Errorf("building the unit of etcd: the file of initial values %q is not an absolute path", p.InitialEnvFile)
	}
	u := service(ComponentEtcd)
	u.Description = "etcd, the store of the Kubernetes API"
	u.Documentation = []string{"https://etcd.io/docs/"}
	u.Comment = []string{"The values that count only when the member is made stand in " + p.InitialEnvFile + "."}
	u.Type = TypeNotify
	u.User = p.User
	u.EnvironmentFile = []string{p.InitialEnvFile}
	u.Exec = argv
	// A member that waits for its quorum or takes over a large snapshot is not
	// broken: the default of 90 s would kill it in the middle.
	u.TimeoutStartSec = "5min"
	u.LimitNOFILE = "65536"
	u.OOMScoreAdjust = new(int)
	*u.OOMScoreAdjust = -999
	return u, nil
}

// loopback is the loopback address of the same family.
func loopback(a netip.Addr, port uint16) string {
	lo := netip.AddrFrom4([4]byte{127, 0, 0, 1})
	if a.Is6() {
		lo = netip.IPv6Loopback()
	}
	return netip.AddrPortFrom(lo, port).String()
}

// EtcdMember is a member at the time the cluster, or one more member, is made.
type EtcdMember struct {
	Name    string
	Address netip.Addr
}

// EtcdInitial holds what etcd reads only when a member is made.
type EtcdInitial struct {
	Self    EtcdMember
	Members []EtcdMember // all of them, Self included
	// Existing is set for a member that joins a running cluster.
	Existing bool
	Token    string // the same for all members, different for every cluster
}

// EtcdInitialEnv returns the environment file with the values that count only
// when the member is made. They are not flags, so that a later change of the
// membership does not look like a change of the unit: write the file once and
// never compare it.
func EtcdInitialEnv(p EtcdInitial) (string, error) {
	var peers []string
	found := false
	for _, m := range p.Members {
		if err := checkEnvWord("member name", m.Name); err != nil {
			return "", err
		}
		if !m.Address.IsValid() {
			return "", fmt.Errorf("writing the initial values of etcd: member %s has no address", m.Name)
		}
		found = found || m == p.Self
		peers = append(peers, m.Name+"="+peerURL(m))
	}
	if !found {
		return "", fmt.Errorf("writing the initial values of etcd: %s is not among the members", p.Self.Name)
	}
	if err := checkEnvWord("token", p.Token); err != nil {
		return "", err
	}
	slices.Sort(peers)
	state := "new"
	if p.Existing {
		state = "existing"
	}
	return Header + "\n" +
		"# etcd reads these values only when the member is made; later changes have no effect.\n" +
		"ETCD_INITIAL_ADVERTISE_PEER_URLS=\"" + peerURL(p.Self) + "\"\n" +
		"ETCD_INITIAL_CLUSTER=\"" + strings.Join(peers, ",") + "\"\n" +
		"ETCD_INITIAL_CLUSTER_STATE=\"" + state + "\"\n" +
		"ETCD_INITIAL_CLUSTER_TOKEN=\"" + p.Token + "\"\n", nil
}

func peerURL(m EtcdMember) string {
	return "https://" + netip.AddrPortFrom(m.Address, EtcdPeerPort).String()
}

// checkEnvWord allows what needs no quoting in an environment file and no
// escaping in etcd's list of members.
func checkEnvWord(what, s string) error {
	if s == "" {
		return fmt.Errorf("writing the initial values of etcd: the %s is empty", what)
	}
	for _, r := range s {
		if !unitfile.IsPlain(r) || r == '=' || r == ',' {
			return fmt.Errorf("writing the initial values of etcd: the %s %q contains %q; use letters, digits and ._-", what, s, r)
		}
	}
	return nil
}
