package health

import (
	"time"

	"hardway/provision/addr"
	"hardway/provision/resource"
)

// Spec is everything a verification asks for, compiled beforehand from the
// configuration: health itself knows no component's paths or ports.
type Spec struct {
	Cluster string
	// Probes are asked on their hosts, in parallel.
	Probes []Probe
	// Masters can run kubectl; the first that answers is used.
	Masters    []addr.Host
	Kubectl    string // absolute path on the masters
	Kubeconfig string // root-only, on the masters
	// Nodes are the Node objects that must be Ready, by host.
	Nodes []NodeSpec
	Smoke Smoke
}

// Probe is a gate together with the host and the component it speaks of.
type Probe struct {
	Host      addr.Host
	Component string
	Gate      resource.Gate
}

// NodeSpec names a Node object and the host it stands for.
type NodeSpec struct {
	Host addr.Host
	Name string
}

// Smoke describes the smoke test; with an empty Image it is skipped.
type Smoke struct {
	Image string // with the command line of agnhost's netexec
	// Namespace is the beginning of the name of the namespace that is made for the
	// test and removed after it; a random suffix follows. Empty: hardway-smoke.
	Namespace string
	// Timeout is for the pods to become Ready; zero: two minutes. What is asked of
	// them then, and the removal, have bounds of their own.
	Timeout time.Duration
}
