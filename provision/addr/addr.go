// Package addr names things: hosts and the resources on them.
//
// An address is stable API: it stands in state files, in plans, in --target and
// in JSON. It knows only names. It must never know what a resource contains,
// how it is fetched or who uses it, and it imports nothing else of hardway.
package addr

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
)

// Role is the kind of host block that a host was declared with, or Cluster for
// what belongs to no single host.
type Role string

// The roles an address can start with.
const (
	Cluster Role = "cluster"
	Master  Role = "master"
	Node    Role = "node"
)

// Host names one host: master["m1"], node["n1"]. The zero value, and a Host
// with the role Cluster, stand for the cluster as a whole.
type Host struct {
	Role Role
	Name string
}

// IsCluster reports whether h names the cluster rather than a single host.
func (h Host) IsCluster() bool { return h.Role == Cluster || h.Role == "" }

// String returns the form used in plans and in --target.
func (h Host) String() string {
	if h.IsCluster() {
		return string(Cluster)
	}
	return string(h.Role) + "[" + strconv.Quote(h.Name) + "]"
}

// Compare orders the cluster first, then masters, then nodes, by name.
func (h Host) Compare(o Host) int {
	return cmp.Or(cmp.Compare(h.rank(), o.rank()), cmp.Compare(h.Name, o.Name))
}

func (h Host) rank() int {
	switch h.Role {
	case Master:
		return 1
	case Node:
		return 2
	}
	return 0
}

// Address names one resource, such as node["n1"].unit["kubelet"]. With an empty
// Kind it names the whole host, which is what --target accepts.
type Address struct {
	Host Host
	Kind string
	Name string
}

// String returns the stable text form; Parse is its inverse.
func (a Address) String() string {
	if a.Kind == "" {
		return a.Host.String()
	}
	return a.Host.String() + "." + a.Kind + "[" + strconv.Quote(a.Name) + "]"
}

// Compare orders addresses by host, then kind, then name.
func (a Address) Compare(b Address) int {
	return cmp.Or(a.Host.Compare(b.Host), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name))
}

// Covers reports whether a, used as a target, selects b: the same resource, or
// any resource of the host that a names.
func (a Address) Covers(b Address) bool {
	if a.Host.Compare(b.Host) != 0 {
		return false
	}
	return a.Kind == "" || (a.Kind == b.Kind && (a.Name == "" || a.Name == b.Name))
}

// MarshalText lets an Address be a JSON value and a JSON object key.
func (a Address) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText is the inverse of MarshalText.
func (a *Address) UnmarshalText(b []byte) error {
	p, err := Parse(string(b))
	if err != nil {
		return err
	}
	*a = p
	return nil
}

// MarshalText lets a Host be a JSON value and a JSON object key.
func (h Host) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// UnmarshalText is the inverse of MarshalText.
func (h *Host) UnmarshalText(b []byte) error {
	a, err := Parse(string(b))
	if err != nil {
		return err
	}
	if a.Kind != "" {
		return fmt.Errorf("%q names a resource, not a host", b)
	}
	*h = a.Host
	return nil
}

// Parse reads an address as String writes it. `node["n1"].unit` (a kind without
// a name) is accepted too and covers all resources of that kind.
func Parse(s string) (Address, error) {
	var a Address
	role, name, rest, err := segment(s)
	if err != nil {
		return a, fmt.Errorf("address %q: %w", s, err)
	}
	switch a.Host = (Host{Role: Role(role), Name: name}); a.Host.Role {
	case Cluster:
		if name != "" {
			return a, fmt.Errorf("address %q: the cluster has no name here; write cluster.KIND[\"NAME\"]", s)
		}
	case Master, Node:
		if name == "" {
			return a, fmt.Errorf("address %q: write %s[\"NAME\"]", s, role)
		}
	default:
		return a, fmt.Errorf("address %q: starts with %q; want master, node or cluster", s, role)
	}
	if rest == "" {
		return a, nil
	}
	if a.Kind, a.Name, rest, err = segment(rest); err != nil {
		return a, fmt.Errorf("address %q: %w", s, err)
	}
	if rest != "" {
		return a, fmt.Errorf("address %q: unexpected %q at the end", s, rest)
	}
	return a, nil
}

// segment reads one `word` or `word["name"]` and the dot behind it.
func segment(s string) (word, name, rest string, err error) {
	end := strings.IndexAny(s, ".[")
	if end < 0 {
		end = len(s)
	}
	if word, s = s[:end], s[end:]; word == "" {
		return "", "", "", fmt.Errorf("a name is missing")
	}
	if strings.HasPrefix(s, "[") {
		quoted, err := strconv.QuotedPrefix(s[1:])
		if err != nil || quoted[0] != '"' {
			return "", "", "", fmt.Errorf("want a quoted name behind %s[", word)
		}
		if name, err = strconv.Unquote(quoted); err != nil {
			return "", "", "", err
		}
		s = s[1+len(quoted):]
		if !strings.HasPrefix(s, "]") {
			return "", "", "", fmt.Errorf("a ] is missing behind %s[%s", word, quoted)
		}
		s = s[1:]
	}
	if s == "" {
		return word, name, "", nil
	}
	if s[0] != '.' || len(s) == 1 {
		return "", "", "", fmt.Errorf("unexpected %q", s)
	}
	return word, name, s[1:], nil
}
