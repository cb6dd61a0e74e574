package audit

import (
	"slices"
	"strconv"
	"strings"
)

// Check is one row of the table.
type Check struct {
	// ID is the benchmark's. A check that its edition has no more carries the
	// edition that had it last in front: "1.24/4.2.6".
	ID    string `json:"id"`
	Title string `json:"title"`
	// Scored: the benchmark calls it automated. Others are decided all the same
	// where that is possible; see Decided.
	Scored  bool `json:"scored"`
	Level   int  `json:"level"`
	Masters bool `json:"masters"` // about masters only; else about every host
	// Since and Until bound the Kubernetes minors that it applies to; "" is open.
	Since string `json:"since,omitempty"`
	Until string `json:"until,omitempty"`
	// Fix is the HCL that makes it pass; for one that a person has to decide, what to look at.
	Fix string `json:"fix"`
	// Accepted is why hardway's own default does not satisfy it; "" where it does.
	Accepted string `json:"accepted,omitempty"`
	// Source says where the row is from.
	Source string `json:"source"`

	rule rule
}

// Decided reports whether hardway decides the check; a person decides the others.
func (c Check) Decided() bool { return c.rule.test != nil }

// Settings are the settings of the configuration that decide the check.
func (c Check) Settings() []string {
	var out []string
	for _, s := range c.rule.reads {
		out = append(out, s.String())
	}
	return out
}

// Section is a part of the benchmark: "1.2", "API server".
type Section struct{ ID, Title string }

// Sections are the parts of the benchmark that the table has rows of, in order.
func Sections() []Section {
	return []Section{
		{"1.1", "Files of the control plane"}, {"1.2", "API server"}, {"1.3", "Controller manager"}, {"1.4", "Scheduler"},
		{"2", "etcd"}, {"3.1", "Authentication of people"}, {"3.2", "Audit log"},
		{"4.1", "Files of every node"}, {"4.2", "Kubelet"}, {"4.3", "kube-proxy"},
		{"5.1", "RBAC and service accounts"}, {"5.2", "Pod security standards"}, {"5.3", "Network policies"},
		{"5.4", "Secrets"}, {"5.5", "Admission control"}, {"5.6", "General policies"},
		{older, "Checks of older editions"},
	}
}

// older is the section of checks that the edition has no more.
const older = "older"

// Section is the id of the section that the check belongs to.
func (c Check) Section() string {
	if strings.Contains(c.ID, "/") {
		return older
	}
	parts := strings.Split(c.ID, ".")
	if len(parts) == 2 { // etcd's are 2.1, 2.2, …
		return parts[0]
	}
	return parts[0] + "." + parts[1]
}

// Sources of rows.
const (
	source    = "kube-bench cfg/cis-1.12"
	sourceOld = "kube-bench cfg/cis-1.24"
	source16  = "kube-bench cfg/cis-1.6"
)

// Checks is the table, in the order of the benchmark.
func Checks() []Check {
	list := slices.Concat(controlPlaneFiles(), apiServer(), controllerManager(), scheduler(), etcd(), people(), auditLog(), nodeFiles(), kubelet(), kubeProxy(), policies())
	for i := range list {
		if list[i].Source == "" {
			list[i].Source = source
		}
	}
	return append(list, olderEditions()...)
}

// outOfRange says why the check does not apply to a version; "" where it does.
func (c Check) outOfRange(version string) string {
	switch v := minorOf(version); {
	case c.Since != "" && v < minorOf(c.Since):
		return "it is about Kubernetes " + c.Since + " and newer"
	case c.Until != "" && v > minorOf(c.Until):
		return "it is about Kubernetes up to " + c.Until
	}
	return ""
}

// minorOf returns 37 for "1.37.1" and "1.37"; a text that is no version is 0.
func minorOf(version string) int {
	parts := strings.Split(version, ".")
	if len(parts) < 2 {
		return 0
	}
	n, _ := strconv.Atoi(parts[1])
	return n
}
