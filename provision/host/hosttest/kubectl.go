package hosttest

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"

	"hardway/provision/host"
)

// invocation is a kubectl command line, taken apart.
type invocation struct {
	words     []string // without flags
	namespace string
	ignore    bool // --ignore-not-found
	raw       string
}

// takesValue are the flags whose value is the next word.
var takesValue = map[string]bool{
	"--kubeconfig": true, "-n": true, "--namespace": true, "-o": true, "--output": true, "-f": true, "--filename": true,
	"--request-timeout": true, "--field-manager": true, "--cache-dir": true, "--context": true, "--raw": true,
	"--timeout": true, "-l": true, "--selector": true, "--grace-period": true, "--server": true, "-s": true,
}

func parseKubectl(args []string) invocation {
	var in invocation
	for i := 0; i < len(args); i++ {
		flag, value, joined := strings.Cut(args[i], "=")
		if !strings.HasPrefix(flag, "-") || flag == "-" {
			in.words = append(in.words, args[i])
			continue
		}
		if takesValue[flag] && !joined && i+1 < len(args) {
			i++
			value = args[i]
		}
		switch flag {
		case "-n", "--namespace":
			in.namespace = value
		case "--raw":
			in.raw = value
		case "--ignore-not-found":
			in.ignore = value != "false"
		}
	}
	return in
}

// Kubectl is the small kubectl of this package. It knows apply (of JSON or YAML
// documents on stdin), get (KIND, KIND NAME, KIND/NAME …, always as JSON, and
// --raw), delete, label node, taint node and version. Other verbs succeed
// silently; a test that needs more uses HandleExec.
func (m *Machine) Kubectl(args []string, stdin []byte) host.Result {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := m.kube
	fail := func(text string) host.Result { return host.Result{Exit: 1, Stderr: []byte(text + "\n")} }
	if !c.up() {
		return fail("The connection to the server 127.0.0.1:6443 was refused - did you specify the right host or port?")
	}
	in := parseKubectl(args)
	if len(in.words) == 0 {
		return fail("kubectl: no verb")
	}
	c.register()
	switch verb := in.words[0]; verb {
	case "apply", "create":
		return c.apply(stdin, in.namespace)
	case "get":
		if in.raw != "" {
			return host.Result{Stdout: []byte("ok")}
		}
		return c.get(in)
	case "delete":
		return c.delete(in, stdin)
	case "label", "taint":
		if len(in.words) < 3 {
			return fail("kubectl " + verb + ": too few arguments")
		}
		words := in.words[1:]
		if _, name, ok := strings.Cut(words[0], "/"); ok {
			words = append([]string{"node", name}, words[1:]...)
		}
		o, ok := c.objects[objectKey(words[0], in.namespace, words[1])]
		if !ok {
			return fail(fmt.Sprintf(`Error from server (NotFound): nodes "%s" not found`, words[1]))
		}
		if verb == "label" {
			label(o, words[2:])
		} else {
			taint(o, words[2:])
		}
	}
	return host.Result{}
}

// apply merges each document into what is there, as server-side apply does with
// fields that nobody else owns.
func (c *Cluster) apply(stdin []byte, namespace string) host.Result {
	var said strings.Builder
	for document := range strings.SplitSeq("\n"+string(stdin), "\n---\n") {
		if strings.TrimSpace(document) == "" {
			continue
		}
		var o map[string]any
		if err := yaml.Unmarshal([]byte(document), &o); err != nil {
			return host.Result{Exit: 1, Stderr: []byte("error: " + err.Error())}
		}
		kind, _ := o["kind"].(string)
		meta, _ := o["metadata"].(map[string]any)
		name, _ := meta["name"].(string)
		if kind == "" || name == "" {
			return host.Result{Exit: 1, Stderr: []byte("error: an object needs a kind and a name")}
		}
		in := namespace
		if ns, _ := meta["namespace"].(string); ns != "" {
			in = ns
		}
		key := objectKey(kind, in, name)
		if c.objects[key] == nil {
			c.objects[key] = map[string]any{}
		}
		merge(c.objects[key], o)
		fmt.Fprintf(&said, "%s/%s serverside-applied\n", strings.ToLower(kind), name)
	}
	return host.Result{Stdout: []byte(said.String())}
}

func merge(into, from map[string]any) {
	for k, v := range from {
		deeper, ok := v.(map[string]any)
		old, was := into[k].(map[string]any)
		if ok && was {
			merge(old, deeper)
			continue
		}
		into[k] = v
	}
}

// named returns the keys that the words behind a verb name.
func (in invocation) named() (kind string, keys []string) {
	for _, w := range in.words[1:] {
		k, name, slash := strings.Cut(w, "/")
		switch {
		case slash:
			keys = append(keys, objectKey(k, in.namespace, name))
		case kind == "":
			kind = w
		default:
			keys = append(keys, objectKey(kind, in.namespace, w))
		}
	}
	return kind, keys
}

func (c *Cluster) get(in invocation) host.Result {
	kind, keys := in.named()
	list := len(keys) != 1
	if len(keys) == 0 {
		prefix := objectKey(kind, in.namespace, "")
		for _, k := range slices.Sorted(maps.Keys(c.objects)) {
			if strings.HasPrefix(k, prefix) {
				keys = append(keys, k)
			}
		}
	}
	items := []json.RawMessage{}
	for _, k := range keys {
		if o, ok := c.objects[k]; ok {
			items = append(items, encode(o))
		} else if !in.ignore {
			return host.Result{Exit: 1, Stderr: []byte("Error from server (NotFound): " + k + " not found\n")}
		}
	}
	if !list {
		if len(items) == 0 {
			return host.Result{}
		}
		return host.Result{Stdout: items[0]}
	}
	out := map[string]any{"apiVersion": "v1", "kind": "List", "items": items}
	return host.Result{Stdout: encode(out)}
}

func (c *Cluster) delete(in invocation, stdin []byte) host.Result {
	_, keys := in.named()
	if len(keys) == 0 && len(stdin) > 0 {
		for document := range strings.SplitSeq("\n"+string(stdin), "\n---\n") {
			var i struct {
				Kind     string
				Metadata struct{ Name, Namespace string }
			}
			if yaml.Unmarshal([]byte(document), &i) == nil && i.Kind != "" {
				keys = append(keys, objectKey(i.Kind, i.Metadata.Namespace, i.Metadata.Name))
			}
		}
	}
	for _, k := range keys {
		if _, ok := c.objects[k]; !ok && !in.ignore {
			return host.Result{Exit: 1, Stderr: []byte("Error from server (NotFound): " + k + " not found\n")}
		}
		delete(c.objects, k)
	}
	return host.Result{}
}

// object returns a map inside an object, made if need be.
func object(o map[string]any, key string) map[string]any {
	in, ok := o[key].(map[string]any)
	if !ok {
		in = map[string]any{}
		o[key] = in
	}
	return in
}

func label(o map[string]any, changes []string) {
	labels := object(object(o, "metadata"), "labels")
	for _, change := range changes {
		if key, ok := strings.CutSuffix(change, "-"); ok && !strings.Contains(change, "=") {
			delete(labels, key)
			continue
		}
		key, value, _ := strings.Cut(change, "=")
		labels[key] = value
	}
}

// taint takes KEY=VALUE:EFFECT, and KEY:EFFECT- or KEY- to take away.
func taint(o map[string]any, changes []string) {
	spec := object(o, "spec")
	taints, _ := spec["taints"].([]any)
	for _, change := range changes {
		change, away := strings.CutSuffix(change, "-")
		pair, effect, _ := strings.Cut(change, ":")
		key, value, _ := strings.Cut(pair, "=")
		taints = slices.DeleteFunc(taints, func(t any) bool {
			old, _ := t.(map[string]any)
			return old["key"] == key && (effect == "" || old["effect"] == effect)
		})
		if away {
			continue
		}
		add := map[string]any{"key": key, "effect": effect}
		if value != "" {
			add["value"] = value
		}
		taints = append(taints, add)
	}
	if len(taints) == 0 {
		delete(spec, "taints")
		return
	}
	spec["taints"] = taints
}
