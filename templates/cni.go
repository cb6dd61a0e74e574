package templates

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
)

// CNIConfDir is where the runtime looks for networks, and CNIPath the one that
// hardway puts there.
const (
	CNIConfDir = "/etc/cni/net.d"
	CNIPath    = CNIConfDir + "/10-hardway.conflist"
	// CNIBridge is the interface that the pods of a host hang on.
	CNIBridge = "cni0"
)

// CNIParams describes the bridge network of one host.
type CNIParams struct {
	Name    string // of the network: the cluster's
	PodCIDR netip.Prefix
	// MTU of the bridge; 0 leaves the kernel's.
	MTU int
}

// CNI returns the CNI network list of the bridge: the host is the gateway of
// its pods, a pod reaches itself through its own Service (hairpin), and host
// ports are mapped. Packets that leave the host's share of the pod range are
// masqueraded, so that pods on other hosts see the node's address. The loopback
// interface is brought up by the runtime and needs no entry.
func CNI(p CNIParams) (string, error) {
	if err := word("name", p.Name); err != nil {
		return "", fmt.Errorf("rendering %s: %w", CNIPath, err)
	}
	if !p.PodCIDR.IsValid() {
		return "", errors.New("rendering " + CNIPath + ": no range of pods was given")
	}
	everywhere := "0.0.0.0/0"
	if p.PodCIDR.Addr().Is6() {
		everywhere = "::/0"
	}
	bridge := bridgePlugin{
		Type: "bridge", Bridge: CNIBridge, MTU: p.MTU,
		IsGateway: true, IPMasq: true, HairpinMode: true,
		IPAM: hostLocal{
			Type:   "host-local",
			Ranges: [][]subnet{{{p.PodCIDR.Masked().String()}}},
			Routes: []route{{everywhere}},
		},
	}
	list := struct {
		CNIVersion string `json:"cniVersion"` // containerd 2.x takes 1.1.0, 1.7 no more than 1.0.0
		Name       string `json:"name"`
		Plugins    []any  `json:"plugins"`
	}{"1.0.0", p.Name, []any{bridge, portMap{Type: "portmap", Capabilities: map[string]bool{"portMappings": true}}}}
	text, err := json.MarshalIndent(list, "", "  ")
	if err != nil {
		return "", fmt.Errorf("rendering %s: %w", CNIPath, err)
	}
	return string(text) + "\n", nil
}

type bridgePlugin struct {
	Type        string    `json:"type"`
	Bridge      string    `json:"bridge"`
	MTU         int       `json:"mtu,omitempty"`
	IsGateway   bool      `json:"isGateway"`
	IPMasq      bool      `json:"ipMasq"`
	HairpinMode bool      `json:"hairpinMode"`
	IPAM        hostLocal `json:"ipam"`
}

type hostLocal struct {
	Type   string     `json:"type"`
	Ranges [][]subnet `json:"ranges"`
	Routes []route    `json:"routes"`
}

type subnet struct {
	Subnet string `json:"subnet"`
}

type route struct {
	Dst string `json:"dst"`
}

type portMap struct {
	Type         string          `json:"type"`
	Capabilities map[string]bool `json:"capabilities"`
}
