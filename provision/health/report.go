package health

import (
	"time"

	"hardway/provision/addr"
)

// Status is the outcome of a check.
type Status string

// Unknown means that the question could not be asked; it counts as not healthy.
const (
	Healthy   Status = "healthy"
	Unhealthy Status = "unhealthy"
	Unknown   Status = "unknown"
	Skipped   Status = "skipped"
)

// Check is one probe and what came of it.
type Check struct {
	Host      addr.Host     `json:"host"`
	Component string        `json:"component"` // etcd, kube-apiserver, node, smoke …
	Name      string        `json:"name"`      // what was asked: "/readyz", "Ready", "pod to pod n1 → n2"
	Status    Status        `json:"status"`
	Message   string        `json:"message,omitempty"`
	Elapsed   time.Duration `json:"elapsed"`
}

// ComponentStatus is a row of `kubectl get componentstatuses`.
type ComponentStatus struct {
	Name    string `json:"name"`
	Status  string `json:"status"`
	Message string `json:"message,omitempty"`
	Error   string `json:"error,omitempty"`
}

// NodeStatus is a row of `kubectl get nodes`.
type NodeStatus struct {
	Name    string   `json:"name"`
	Ready   bool     `json:"ready"`
	Reason  string   `json:"reason,omitempty"`
	Roles   []string `json:"roles,omitempty"`
	Version string   `json:"version"`
	Address string   `json:"address"`
	Runtime string   `json:"runtime"`
}

// Report is everything that one verification found.
type Report struct {
	Cluster           string            `json:"cluster"`
	Checks            []Check           `json:"checks"`
	ComponentStatuses []ComponentStatus `json:"component_statuses,omitempty"`
	Nodes             []NodeStatus      `json:"nodes,omitempty"`
	Healthy           bool              `json:"healthy"`
	Elapsed           time.Duration     `json:"elapsed"`
}
