package apply

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"hardway/certs"
	"hardway/provision/host"
	"hardway/provision/plan"
	"hardway/provision/resource"
)

// superAdminConf begins the name under which the break-glass kubeconfig stands for the moment of
// its use: on a tmpfs, readable by root alone, with a certificate of minutes.
const superAdminConf = "/run/hardway/super-admin.conf"

// superAdminValidity is the lifetime of that certificate: long enough for one
// command on a slow host, too short to be worth stealing.
const superAdminValidity = 10 * time.Minute

func (r *run) kubectl(h host.Host, k resource.Kubectl, stdin []byte, args ...string) (string, error) {
	argv := append([]string{k.Path, "--kubeconfig", k.Kubeconfig, "--cache-dir=/dev/null", "--request-timeout=20s"}, args...)
	res, err := h.Run(r.ctx, host.Script{Name: "exec", Args: argv, Stdin: stdin})
	return string(res.Stdout), err
}

// object writes a Kubernetes object that we own, field by field, so that what
// others added to it stays.
func (r *run) object(h host.Host, o *resource.Object) (err error) {
	k := o.Kubectl
	if o.SuperAdmin {
		conf, confErr := r.superAdmin(k)
		if confErr != nil {
			return confErr
		}
		k.Kubeconfig = superAdminConf + "." + resource.SHA256([]byte(o.Kind + "/" + o.Name))[:12]
		if err := r.script(h, "directory", "/run/hardway", "0700", "root", "root"); err != nil {
			return err
		}
		if err := h.Put(r.ctx, content(k.Kubeconfig, resource.Root(0o600), "", conf)); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, h.Remove(r.ctx, host.Remove{Path: k.Kubeconfig})) }()
	}
	_, err = r.kubectl(h, k, o.Manifest, "apply", "--server-side", "--force-conflicts", "--field-manager=hardway", "-f", "-")
	return err
}

// superAdmin makes the kubeconfig of system:masters. It lies nowhere: it can be
// made because the authority's key can be opened.
func (r *run) superAdmin(k resource.Kubectl) ([]byte, error) {
	authority, err := r.authority(certs.AuthorityKubernetes)
	if err != nil {
		return nil, err
	}
	req, err := certs.NewRequest(certs.LeafSuperAdmin, certs.Params{Validity: superAdminValidity})
	if err != nil {
		return nil, err
	}
	leaf, err := certs.Issue(authority, req, r.Now())
	if err != nil {
		return nil, err
	}
	return certs.Kubeconfig(certs.KubeconfigSpec{
		Cluster: "hardway", Server: k.Server, CAData: authority.CertPEM,
		User: req.Subject.CN, CertData: leaf.CertPEM, KeyData: leaf.KeyPEM,
	})
}

// node waits for the Node to register, sets what a kubelet may not set itself,
// and waits until it is Ready.
func (r *run) node(h host.Host, c plan.Change, n *resource.Node) error {
	ctx, cancel := context.WithTimeout(r.stop, n.Timeout)
	defer cancel()
	r.emit(Event{Phase: Waiting, Addr: c.Addr, Action: c.Action, Message: "Node " + n.Name + " to register"})
	if err := r.untilNode(ctx, h, n, func(nodeView) bool { return true }); err != nil {
		return fmt.Errorf("the Node %s did not register: %w", n.Name, err)
	}
	if len(n.Labels)+len(n.DropLabels) > 0 {
		args := []string{"label", "node", n.Name, "--overwrite"}
		for _, k := range n.DropLabels {
			args = append(args, k+"-")
		}
		for _, k := range slices.Sorted(maps.Keys(n.Labels)) {
			args = append(args, k+"="+n.Labels[k])
		}
		if _, err := r.kubectl(h, n.Kubectl, nil, args...); err != nil {
			return err
		}
	}
	if len(n.Taints)+len(n.DropTaints) > 0 {
		args := append([]string{"taint", "node", n.Name, "--overwrite"}, n.Taints...)
		for _, t := range n.DropTaints {
			args = append(args, t+"-")
		}
		if _, err := r.kubectl(h, n.Kubectl, nil, args...); err != nil {
			return err
		}
	}
	r.emit(Event{Phase: Waiting, Addr: c.Addr, Action: c.Action, Message: "Node " + n.Name + " to be Ready"})
	return r.ready(ctx, h, c, n)
}

// ready waits for the Node. A kubelet that came up before the API server knew
// its rights can stay NotReady for good ("failed to initialize CSINode"); one
// restart cures it, so after half the time it gets exactly one, and we say so.
func (r *run) ready(ctx context.Context, h host.Host, c plan.Change, n *resource.Node) error {
	half, cancel := context.WithTimeout(ctx, n.Timeout/2)
	defer cancel()
	isReady := func(v nodeView) bool { return v.ready() == "True" }
	if err := r.untilNode(half, h, n, isReady); err == nil || ctx.Err() != nil || over(err) {
		return err
	}
	if own, ok := r.Hosts[n.Host]; ok {
		r.emit(Event{Phase: Waiting, Addr: c.Addr, Action: c.Action, Message: "Node " + n.Name + " to be Ready, after one restart of its kubelet"})
		if err := own.Unit(r.ctx, cmp.Or(n.KubeletUnit, "kubelet.service"), host.Restart); err != nil {
			return err
		}
	}
	if err := r.untilNode(ctx, h, n, isReady); err != nil {
		return fmt.Errorf("the Node %s is not Ready, also after one restart of its kubelet: %w; see %s on %s", n.Name, err, resource.LogCommand(cmp.Or(n.KubeletUnit, "kubelet.service")), n.Host)
	}
	return nil
}

// nodeView is the part of a Node that is waited for.
type nodeView struct {
	Status struct {
		Conditions []struct{ Type, Status, Reason, Message string }
	}
}

func (v nodeView) ready() string {
	for _, c := range v.Status.Conditions {
		if c.Type == "Ready" {
			return c.Status
		}
	}
	return ""
}

func (v nodeView) why() string {
	for _, c := range v.Status.Conditions {
		if c.Type == "Ready" && c.Status != "True" {
			return c.Reason + ": " + c.Message
		}
	}
	return "it has no Ready condition yet"
}

// untilNode polls the Node until ok, ctx ends, or the session that is asked does.
func (r *run) untilNode(ctx context.Context, h host.Host, n *resource.Node, ok func(nodeView) bool) error {
	last := errors.New("not asked yet")
	for wait := 200 * time.Millisecond; ; wait = min(wait*2, 2*time.Second) {
		out, err := r.kubectl(h, n.Kubectl, nil, "get", "node", n.Name, "-o", "json")
		var v nodeView
		switch {
		case over(err):
			return err
		case err != nil:
			last = err
		case json.Unmarshal([]byte(out), &v) != nil:
			last = errors.New("kubectl printed no JSON")
		case ok(v):
			return nil
		default:
			last = errors.New(strings.TrimSpace(v.why()))
		}
		select {
		case <-ctx.Done():
			return last
		case <-time.After(wait):
		}
	}
}
