package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
)

// schema is what one kind of block may hold. Names under later belong to the
// language but not to this version: they are refused by name, so that nobody
// looks for a spelling mistake that is not there.
type schema struct {
	attributes []string
	blocks     []childBlock
	later      []string // attributes
	// instead maps a name that people will try to the sentence that helps them.
	instead map[string]string
}

type childBlock struct {
	name  string
	label string // the label's meaning, "" when the block has none
	later bool
}

// topBlock is a kind of block at the top of a file.
type topBlock struct {
	name  string
	label string   // the label's meaning, "" when the block has none
	kinds []string // the labels there are, when they are a closed set
	// soon are labels, or any label when it holds "*", that later versions bring.
	soon  []string
	many  bool // may stand more than once
	later bool // the whole block is for a later version
}

func topBlocks() []topBlock {
	return []topBlock{
		{name: "cluster", label: "name"},
		{name: "ssh"},
		{name: "master", label: "name", many: true},
		{name: "node", label: "name", many: true},
		{name: "api", label: "kind", kinds: []string{"external"}, soon: []string{"local", "vip"}},
		{name: "etcd", soon: []string{"*"}},
		{name: "apiserver"}, {name: "controller_manager"}, {name: "scheduler"},
		{name: "kubelet"}, {name: "kube_proxy"},
		{name: "network", label: "kind", kinds: []string{"bridge", "none"}, soon: []string{"flannel", "calico", "cilium"}},
		{name: "runtime", label: "kind", kinds: []string{"containerd"}, soon: []string{"cri-o", "crio", "docker", "cri-dockerd"}},
		{name: "directories"}, {name: "host"},
		{name: "processes", label: "kind", kinds: []string{"systemd", "supervisord"}},
		{name: "binaries"}, {name: "pki"}, {name: "state"}, {name: "verify"},
		{name: "variable", label: "name", many: true},
		{name: "locals", many: true},
		{name: "output", label: "name", many: true},

		{name: "user", label: "name", later: true}, {name: "policy", later: true}, {name: "audit", later: true},
		{name: "bastion", later: true}, {name: "moved", later: true}, {name: "removed", later: true},
		{name: "import", later: true}, {name: "check", label: "name", later: true}, {name: "addon", label: "name", later: true},
		{name: "hook", label: "name", later: true}, {name: "backup", later: true},
	}
}

// foreignBlocks are Terraform's blocks that this language will not have.
func foreignBlocks() map[string]string {
	return map[string]string{
		"resource":  "There are no general resources: describe hosts with master and node blocks.",
		"data":      "There are no data sources: read files with file(), templatefile() or yamldecode().",
		"module":    "There are no modules: a directory is a cluster. Share values through .hclvars files.",
		"provider":  "There are no providers: hosts are reached as the ssh block says.",
		"terraform": "The settings of a terraform block have blocks of their own: state and binaries.",
		"dynamic":   "A dynamic block makes blocks inside of another block. To make hosts, write for_each in a master or node block.",
		"worker":    "Hosts that run the workload are declared with node blocks.",
	}
}

func clusterSchema() schema {
	return schema{attributes: []string{"kubernetes_version", "pod_cidr", "node_prefix", "service_cidr", "dns_domain", "dns_address"},
		instead: map[string]string{
			"version":       "Write kubernetes_version.",
			"pod_subnet":    "Write pod_cidr.",
			"cluster_cidr":  "Write pod_cidr.",
			"network":       `Write a block beside this one: network "bridge" {}.`,
			"proxy_mode":    "Write kube_proxy { mode = … } beside this block.",
			"node_cidr":     "Write node_prefix for the length of each host's share of pod_cidr.",
			"feature_gates": `Write flags = { "feature-gates" = … } in the component's block.`,
		}}
}

// loginAttributes are what an ssh block and a bastion block have in common.
func loginAttributes() []string {
	return []string{"port", "user", "private_key", "certificate", "agent", "identities_only", "password", "known_hosts", "host_key_alias",
		"connect_timeout"}
}

// sshSchema is for the ssh block at the top and, with host, inside a host block.
func sshSchema(inHost bool) schema {
	s := schema{
		attributes: append(loginAttributes(), "ssh_config"),
		blocks:     []childBlock{{name: "become"}, {name: "bastion"}},
		instead: map[string]string{
			"passphrase":  "A passphrase is asked for on the terminal, or the key is taken from an ssh-agent: it stands nowhere.",
			"config_file": "Write ssh_config = \"path\".",
			"proxy_jump":  "Write bastion { host = … }.",
			"key_file":    "Write private_key.",
		},
	}
	if inHost {
		s.attributes = append(s.attributes, "host", "direct")
	} else {
		s.instead["host"] = "The address to dial differs from host to host: write ssh { host = … } inside the master or node block."
		s.instead["host_key_alias"] = "It differs from host to host: write ssh { host_key_alias = … } inside the master or node block."
		s.attributes = slices.DeleteFunc(s.attributes, func(a string) bool { return a == "host_key_alias" })
		s.instead["direct"] = "Leave bastion out, or write ssh { direct = true } inside the master or node block that has none."
	}
	return s
}

func bastionSchema() schema {
	return schema{attributes: append(loginAttributes(), "host"), instead: map[string]string{
		"ssh_config": "It is read or not for the whole way: write it in the ssh block around this one.",
		"passphrase": "A passphrase is asked for on the terminal, or the key is taken from an ssh-agent: it stands nowhere.",
	}}
}

func becomeSchema() schema { return schema{attributes: []string{"method", "password"}} }

func hostSchema() schema {
	s := schema{
		attributes: []string{"for_each", "address", "arch", "labels", "taints"},
		blocks:     []childBlock{{name: "ssh"}, {name: "runtime", label: "kind"}, {name: "containerd"}},
		later:      []string{"max_unavailable", "lifecycle"},
		instead: map[string]string{
			"count":     `Use for_each = toset(["n1", "n2"]) or a map of names to addresses: with a count, removing one host would renumber the others.`,
			"name":      "A host's name is its block's label or, with for_each, each.key.",
			"hostname":  "A host's name is its block's label or, with for_each, each.key.",
			"ip":        "Write address.",
			"host":      "Write address; where SSH needs another one, ssh { host = … }.",
			"user":      "Write ssh { user = … }.",
			"provider":  "There are no providers: hosts are reached as the ssh block says.",
			"image":     "Hosts are given, not made: describe existing machines.",
			"roles":     "A master or node block is the role.",
			"node_name": "A host's name is its block's label or, with for_each, each.key.",
		},
	}
	for _, c := range hostComponents() {
		s.blocks = append(s.blocks, childBlock{name: c.block})
	}
	return s
}

func componentSchema(own ...string) schema {
	return schema{attributes: append([]string{"flags", "config"}, own...), later: []string{"enabled"}}
}

func kubeProxySchema() schema {
	s := componentSchema("mode")
	s.blocks = []childBlock{{name: "ipvs"}}
	return s
}

func etcdSchema() schema {
	s := componentSchema("version")
	s.blocks = []childBlock{{name: "external", later: true}, {name: "member", label: "name", later: true}}
	return s
}

func runtimeSchema() schema {
	s := componentSchema("version", "runc_version", "cni_plugins_version", "sandbox_image", "images")
	s.blocks = []childBlock{{name: "registry", label: "host", later: true}}
	s.later = append(s.later, "registries", "mirrors", "proxy")
	s.instead = map[string]string{}
	s.withoutFlags()
	return s
}

// withoutFlags is for containerd, which is set up by its file alone.
func (s *schema) withoutFlags() {
	s.attributes = slices.DeleteFunc(s.attributes, func(a string) bool { return a == "flags" })
	s.instead["flags"] = "What can be set on containerd has a key in its configuration file: write config = { … }."
}

func stateSchema() schema {
	return schema{attributes: []string{"recipients", "path"}, blocks: []childBlock{{name: "backend", label: "kind"}}}
}

// content decodes a body against a schema, says what does not belong there and
// leaves out what later versions bring.
func (l *loader) content(body hcl.Body, s schema, where string) *hcl.BodyContent {
	var bs hcl.BodySchema
	for _, name := range slices.Concat(s.attributes, s.later) {
		bs.Attributes = append(bs.Attributes, hcl.AttributeSchema{Name: name})
	}
	for name := range s.instead {
		bs.Attributes = append(bs.Attributes, hcl.AttributeSchema{Name: name})
	}
	slices.SortFunc(bs.Attributes, func(a, b hcl.AttributeSchema) int { return strings.Compare(a.Name, b.Name) })
	for _, b := range s.blocks {
		header := hcl.BlockHeaderSchema{Type: b.name}
		if b.label != "" {
			header.LabelNames = []string{b.label}
		}
		bs.Blocks = append(bs.Blocks, header)
	}
	content, diags := body.Content(&bs)
	for _, d := range diags {
		l.diags.add(explainUnknown(d, s, where))
	}
	if content == nil {
		content = &hcl.BodyContent{}
	}
	for _, name := range s.later {
		if a := content.Attributes[name]; a != nil {
			l.diags.add(notYet(a.NameRange, fmt.Sprintf("The attribute %q of %s", name, where)))
			delete(content.Attributes, name)
		}
	}
	for name, hint := range s.instead {
		if a := content.Attributes[name]; a != nil {
			l.diags.add(errorAt(a.NameRange, "Unsupported attribute", "There is no attribute %q in %s. %s", name, where, hint))
			delete(content.Attributes, name)
		}
	}
	content.Blocks = slices.DeleteFunc(content.Blocks, func(b *hcl.Block) bool {
		i := slices.IndexFunc(s.blocks, func(c childBlock) bool { return c.name == b.Type })
		if later := i >= 0 && s.blocks[i].later; later {
			l.diags.add(notYet(b.TypeRange, fmt.Sprintf("The block %q of %s", b.Type, where)))
			return true
		}
		return false
	})
	return content
}

// one returns the only block of a type, and complains about a second one.
func (l *loader) one(blocks hcl.Blocks, name string) *hcl.Block {
	var first *hcl.Block
	for _, b := range blocks.OfType(name) {
		if first == nil {
			first = b
			continue
		}
		if b.DefRange == first.DefRange {
			l.diags.add(errorAt(b.DefRange, "Duplicate block", "This makes more than one block %q, and only one is possible here.", name))
			continue
		}
		l.diags.add(errorAt(b.DefRange, "Duplicate block", "There is a block %q already at %s. Merge the two.", name, at(first.DefRange)))
	}
	return first
}

func notYet(rng hcl.Range, what string) *hcl.Diagnostic {
	return errorAt(rng, "Not supported yet", "%s is not supported yet by this version of hardway. Remove it, or use a newer version.", what)
}

// explainUnknown rewords HCL's messages about names that do not belong in a
// block: it says which block, and offers the nearest name rather than any name
// that is near.
func explainUnknown(d *hcl.Diagnostic, s schema, where string) *hcl.Diagnostic {
	_, rest, _ := strings.Cut(d.Detail, `"`)
	name, _, quoted := strings.Cut(rest, `"`)
	if !quoted || d.Subject == nil {
		return d
	}
	blocks := make([]string, 0, len(s.blocks))
	for _, b := range s.blocks {
		if !b.later {
			blocks = append(blocks, b.name)
		}
	}
	switch d.Summary {
	case "Unsupported argument":
		hint := didYouMean(name, s.attributes)
		if slices.Contains(blocks, name) {
			hint = fmt.Sprintf(" %q is a block: write %s { … } without an equals sign.", name, name)
		} else if hint == "" && len(s.attributes) > 0 {
			hint = " The attributes are " + strings.Join(s.attributes, ", ") + "."
		}
		return errorAt(*d.Subject, "Unsupported attribute", "There is no attribute %q in %s.%s", name, where, hint)
	case "Unsupported block type":
		hint := didYouMean(name, blocks)
		if slices.Contains(s.attributes, name) {
			hint = fmt.Sprintf(" %q is an attribute: write %s = …", name, name)
		} else if hint == "" && len(blocks) > 0 {
			hint = " The blocks are " + strings.Join(blocks, ", ") + "."
		}
		return errorAt(*d.Subject, "Unsupported block", "There is no block %q in %s.%s", name, where, hint)
	}
	return d
}
