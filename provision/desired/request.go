package desired

import (
	"slices"
	"strings"

	"hardway/provision/addr"
	"hardway/provision/facts"
	"hardway/provision/firewall"
	"hardway/provision/resource"
	"hardway/provision/state"
)

// Requests compiles, for each host, the one batched observation that a plan
// needs: everything that should be there, and everything that the state says we
// own, whether it still should be or not.
//
// What a file should hold, or held when it was written, goes along, so that a
// host need not send it back: one copy of each text, whatever number of hosts
// have it.
func Requests(hosts []addr.Host, want resource.Set, owned state.Public) map[addr.Host]facts.Request {
	out := map[addr.Host]*request{}
	texts := known{}
	for _, h := range hosts {
		out[h] = &request{files: map[string]facts.FileRequest{}, known: texts}
		out[h].file(facts.FileRequest{Path: resolvConf}) // decides what pods inherit
	}
	shared := request{known: texts} // objects of the cluster, asked of every master
	for _, r := range want.All() {
		shared.add(r.Spec)
		if q, ok := out[r.Addr.Host]; ok {
			q.add(r.Spec)
		}
	}
	for _, a := range owned.Addresses() {
		spec := owned.Resources[a].Spec
		if _, kept := want.Get(a); !kept {
			shared.add(spec)
			if q, ok := out[a.Host]; ok {
				q.add(spec)
			}
		}
	}
	result := map[addr.Host]facts.Request{}
	for h, q := range out {
		if h.Role == addr.Master {
			q.Kube = shared.Kube
		}
		result[h] = q.finish()
	}
	return result
}

type request struct {
	facts.Request
	files map[string]facts.FileRequest
	known known
}

// known are the texts that are known already, by themselves.
type known map[string]*facts.Known

func (k known) text(s string) *facts.Known {
	if k[s] == nil {
		k[s] = facts.Knowing(s)
	}
	return k[s]
}

func (q *request) file(f facts.FileRequest) {
	if q.files == nil {
		return // the shared part has no files
	}
	old := q.files[f.Path]
	if old.Known != nil { // what is wanted was added before what was
		f.Known = old.Known
	}
	f.Content, f.Certificates = f.Content || old.Content, f.Certificates || old.Certificates
	q.files[f.Path] = f
}

func (q *request) add(s resource.Spec) {
	switch s.Kind() {
	case resource.KindFile:
		secret := strings.HasPrefix(s.File.Material, "key/") || strings.HasPrefix(s.File.Material, "private/")
		f := facts.FileRequest{Path: s.File.Path, Content: !secret}
		if !secret && (s.File.Material == "" || s.File.Content != "") {
			f.Known = q.known.text(s.File.Content)
		}
		q.file(f)
	case resource.KindDirectory, resource.KindBinary:
		q.file(facts.FileRequest{Path: s.Path()})
	case resource.KindBlock:
		q.file(facts.FileRequest{Path: s.Block.Path, Content: true})
	case resource.KindUnit:
		q.file(facts.FileRequest{Path: s.Unit.Path, Content: true, Known: q.known.text(s.Unit.Content)})
		q.Units = append(q.Units, s.Unit.Name)
	case resource.KindCertificate:
		q.file(facts.FileRequest{Path: s.Certificate.CertPath, Certificates: true})
		q.file(facts.FileRequest{Path: s.Certificate.KeyPath})
	case resource.KindSysctl:
		q.Sysctls = append(q.Sysctls, s.Sysctl.Key)
	case resource.KindModule:
		q.Modules = append(q.Modules, facts.ModuleRequest{Name: s.Module.Name, Effects: s.Module.Effects})
	case resource.KindSwap:
		q.file(facts.FileRequest{Path: resource.FSTab, Content: true})
		q.Units = append(q.Units, resource.SwapUnits()...)
	case resource.KindPackages:
		q.Packages = append(q.Packages, packageNames(s.Packages)...)
	case resource.KindFirewall:
		q.Units = append(q.Units, firewall.Units()...)
		for _, p := range firewall.Paths() {
			q.file(facts.FileRequest{Path: p, Content: true})
		}
	case resource.KindSELinux:
		q.Preflight = &facts.PreflightRequest{}
	case resource.KindImage:
		q.Images = &facts.ImagesRequest{Ctr: s.Image.Ctr, Socket: s.Image.Socket}
	case resource.KindObject:
		kube := q.kube(s.Object.Kubectl)
		kube.Objects = append(kube.Objects, facts.ObjectRef{Kind: s.Object.Kind, Namespace: s.Object.Namespace, Name: s.Object.Name})
	case resource.KindNode:
		q.kube(s.Node.Kubectl).Nodes = true
	}
}

func (q *request) kube(k resource.Kubectl) *facts.KubeRequest {
	if q.Kube == nil {
		q.Kube = &facts.KubeRequest{Kubectl: k.Path, Kubeconfig: k.Kubeconfig, EtcdData: k.EtcdData}
	}
	return q.Kube
}

func (q *request) finish() facts.Request {
	for _, f := range q.files {
		q.Files = append(q.Files, f)
	}
	slices.SortFunc(q.Files, func(a, b facts.FileRequest) int { return strings.Compare(a.Path, b.Path) })
	slices.Sort(q.Units)
	q.Units = slices.Compact(q.Units)
	slices.Sort(q.Sysctls)
	q.Sysctls = slices.Compact(q.Sysctls)
	slices.Sort(q.Packages)
	q.Packages = slices.Compact(q.Packages)
	return q.Request
}
