package config

import (
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"filippo.io/age"
	"github.com/hashicorp/hcl/v2"

	"hardway/versions"
)

func (l *loader) readEtcd(c *Cluster) layer {
	r, _ := l.block("etcd", etcdSchema())
	m, _ := versions.Of(c.Version)
	out := r.layer()
	c.Etcd = Etcd{Component: component(out), Version: r.release("version", "etcd", m.Etcd), VersionRange: r.rangeOf("version")}
	if r.has("version") {
		r.checkEtcdVersion(c.Etcd.Version, c.Version)
	}
	return out
}

func (l *loader) readRuntime(c *Cluster) layer {
	r, _ := l.block("runtime", runtimeSchema())
	m, _ := versions.Of(c.Version)
	out := r.layer()
	c.Runtime = Runtime{
		Component:         component(out),
		Name:              "containerd",
		Version:           r.release("version", "containerd", m.Containerd),
		RuncVersion:       r.release("runc_version", "runc", m.Runc),
		CNIPluginsVersion: r.release("cni_plugins_version", "the CNI plugins", m.CNIPlugins),
		SandboxImage:      r.image("sandbox_image", pauseRepository+":"+m.Pause),
		Images:            map[string]string{},
		ImageRanges:       map[string]hcl.Range{},
	}
	if r.has("version") {
		r.checkContainerd(c.Runtime.Version, c.Version)
	}
	images, ranges := r.mapping("images")
	for _, ref := range sortedKeys(images) {
		if !isImageReference(ref) {
			l.diags.add(errorAt(ranges[ref], "Invalid image reference", "%s is not the name of an image, such as registry.k8s.io/pause:3.10.2.", quote(ref)))
			continue
		}
		abs, err := l.existingFile(images[ref])
		if err != nil {
			l.diags.add(errorAt(ranges[ref], "No image archive", "The archive of %s: %v. Make it with: ctr images export FILE %s", ref, err, ref))
			continue
		}
		c.Runtime.Images[ref], c.Runtime.ImageRanges[ref] = abs, ranges[ref]
	}
	return out
}

// image reads an image reference.
func (r reader) image(name, fallback string) string {
	s, ok := r.word(name)
	if !ok {
		return fallback
	}
	if !isImageReference(s) {
		r.fail(name, "Invalid image reference", "%s of %s is %s; an image such as %s is wanted.", name, r.where, quote(s), fallback)
	}
	return s
}

// imageReference follows the grammar of OCI distribution: host and path, then a
// tag, a digest or both.
var imageReference = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9.-]*(:[0-9]+)?(/[a-z0-9]+([._-]+[a-z0-9]+)*)*(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(@sha256:[0-9a-f]{64})?$`)

func isImageReference(s string) bool { return len(s) <= 255 && imageReference.MatchString(s) }

func (l *loader) readNetwork(c *Cluster) {
	c.Network = Network{Name: "bridge"}
	if b := l.decl.single["network"]; b != nil {
		l.reader(b, schema{later: []string{"mtu", "config", "version"}})
		c.Network = Network{Range: b.DefRange(), Name: b.Labels[0]}
	}
}

func (l *loader) readDirectories(c *Cluster) {
	d := defaultDirectories()
	r, _ := l.block("directories", schema{attributes: []string{"bin", "cert", "conf", "log", "data", "cni"}})
	c.Directories = Directories{
		Bin: r.absolute("bin", d.Bin), Cert: r.absolute("cert", d.Cert), Conf: r.absolute("conf", d.Conf),
		Log: r.absolute("log", d.Log), Data: r.absolute("data", d.Data), CNI: r.absolute("cni", d.CNI),
	}
	r.distinctDirectories(c.Directories)
}

func (l *loader) readBinaries(c *Cluster) {
	r, _ := l.block("binaries", schema{
		attributes: []string{"source", "sources", "cache", "mirrors", "archive", "proxy"}, later: []string{"signatures"},
		instead: map[string]string{"mirror": "Write mirrors, a list that is asked in order.", "http_proxy": "Write proxy.", "https_proxy": "Write proxy."},
	})
	c.Binaries = Binaries{Range: r.rng, Source: defaultSource, Sources: map[string]string{}}
	if s, ok := r.word("source"); ok {
		c.Binaries.Source = r.source(s, r.rangeOf("source"))
	}
	sources, ranges := r.mapping("sources")
	known := []string{"etcd", "containerd", "runc", "cni-plugins"}
	for _, name := range sortedKeys(sources) {
		if !slices.Contains(known, name) {
			l.diags.add(errorAt(ranges[name], "Unknown component", "sources can name %s, not %q.%s Kubernetes itself comes from source.",
				enumerate(known, "and"), name, didYouMean(name, known)))
			continue
		}
		c.Binaries.Sources[name] = r.source(sources[name], ranges[name])
	}
	r.mirrors(&c.Binaries)
	c.Binaries.Archive = r.flag("archive", false)
	c.Binaries.Proxy = r.proxy()
	cache, given := r.word("cache")
	if !given {
		if cache = defaultCache; l.opts.UserHome == "" {
			cache = ".hardway/binaries"
		}
	}
	abs, err := l.path(cache)
	if err != nil {
		r.fail("cache", "Invalid directory", "cache of %s: %v.", r.where, err)
	}
	c.Binaries.Cache = abs
}

func (r reader) mirrors(b *Binaries) {
	list, _ := r.texts("mirrors", true)
	places := elementRanges(r.attrs["mirrors"])
	for i, s := range list {
		rng := r.rangeOf("mirrors")
		if i < len(places) {
			rng = places[i]
		}
		b.Mirrors = append(b.Mirrors, r.source(s, rng))
	}
}

// proxy is an http proxy without credentials: what is read here is printed.
func (r reader) proxy() string {
	s, ok := r.word("proxy")
	if !ok {
		return ""
	}
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" && u.Scheme != "socks5":
		r.fail("proxy", "Invalid proxy", "%s is not the address of a proxy, such as http://proxy.example.com:3128.", quote(s))
	case u.User != nil:
		r.l.files.maskRange(r.rangeOf("proxy"))
		r.fail("proxy", "Credentials in an address", "The proxy has a user in its address. Put the whole address into the environment instead, as HTTPS_PROXY, and leave proxy out.")
	}
	return s
}

// source is an https base without its trailing slash, or an absolute directory.
// Plain http is taken from this machine only.
func (r reader) source(s string, rng hcl.Range) string {
	if !strings.Contains(s, "://") {
		abs, err := r.l.path(s)
		if err != nil {
			r.l.diags.add(errorAt(rng, "Invalid source", "The source of binaries: %v.", err))
		}
		return abs
	}
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Host == "":
		r.l.diags.add(errorAt(rng, "Invalid source", "%s is not an https address or a directory.", quote(s)))
	case u.User != nil:
		r.l.files.maskRange(rng)
		r.l.diags.add(errorAt(rng, "Credentials in an address", "The source of binaries has a user in its address, which would stand in plans and logs. Use a mirror that needs none."))
	case u.RawQuery != "" || u.Fragment != "":
		r.l.diags.add(errorAt(rng, "Invalid source", "%s has a query or a fragment; paths like /v1.37.1/bin/linux/amd64/kubelet are put behind it.", quote(s)))
	case u.Scheme == "https":
	case u.Scheme == "http" && isLoopback(u.Hostname()):
	default:
		r.l.diags.add(errorAt(rng, "Insecure source", "%s is not https. Use https, or download to a directory and name that.", quote(s)))
	}
	return strings.TrimRight(s, "/")
}

func isLoopback(host string) bool {
	a, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && a.IsLoopback()
}

func (l *loader) readState(c *Cluster) {
	r, blocks := l.block("state", stateSchema())
	c.State = State{Range: r.rng}
	path, ok := r.word("path")
	if b := l.one(blocks, "backend"); b != nil && b.Labels[0] != "local" {
		l.diags.add(notYet(b.LabelRanges[0], "The state backend "+quote(b.Labels[0])))
	} else if b != nil {
		backend, _ := l.readerIn(b.Body, r.ctx, schema{attributes: []string{"path"}}, b.DefRange, `backend "local"`)
		if s, given := backend.word("path"); given {
			path, ok = s, true
		}
	}
	if !ok {
		path = defaultStatePath
	}
	abs, err := l.path(path)
	if err != nil {
		r.fail("path", "Invalid path", "path of %s: %v.", r.where, err)
	}
	c.State.Path = abs
	recipients, _ := r.texts("recipients", false)
	places := elementRanges(r.attrs["recipients"])
	for i, text := range recipients {
		rng := r.rangeOf("recipients")
		if i < len(places) {
			rng = places[i]
		}
		if d := recipientProblem(text, rng); d != nil {
			l.files.maskRange(rng)
			l.diags.add(d)
			continue
		}
		c.State.Recipients = append(c.State.Recipients, text)
	}
}

// recipientProblem judges an age recipient. The text is never quoted: the
// commonest mistake is to paste the secret half.
func recipientProblem(text string, rng hcl.Range) *hcl.Diagnostic {
	switch {
	case strings.HasPrefix(strings.ToUpper(text), "AGE-SECRET-KEY-"):
		return errorAt(rng, "Identity instead of recipient", "This is an age identity, the secret half of a key. Write the recipient, which starts with age1, and treat this identity as disclosed.")
	case strings.HasPrefix(text, "ssh-"):
		return notYet(rng, "An SSH key as recipient")
	}
	if parsed, err := age.ParseRecipients(strings.NewReader(text)); err != nil || len(parsed) != 1 {
		return errorAt(rng, "Invalid recipient", "This is not an age recipient. Recipients start with age1; age-keygen prints one as the public key.")
	}
	return nil
}

func (l *loader) readVerify(c *Cluster) {
	r, _ := l.block("verify", schema{attributes: []string{"image", "timeout"}})
	c.Verify = Verify{Range: r.rng, Image: defaultVerifyImage, Timeout: r.duration("timeout", defaultVerifyTimeout)}
	if s, ok := r.text("image"); ok && s == "" {
		c.Verify.Image = "" // no smoke test
	} else {
		c.Verify.Image = r.image("image", defaultVerifyImage)
	}
}
