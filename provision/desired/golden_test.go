package desired

import (
	"fmt"
	"path"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"hardway/provision/addr"
	"hardway/provision/resource"
)

// TestSet compares the whole set of resources, in a short form, with golden text.
func TestSet(t *testing.T) {
	for _, name := range []string{"lab", "three"} {
		t.Run(name, func(t *testing.T) {
			golden(t, name+".set.golden", describeSet(build(t, input(t, source(t, name))).Set))
		})
	}
}

// describeSet writes a block a host and a line a resource; what it depends on
// stands behind "<-", without the host where that is its own.
func describeSet(s resource.Set) string {
	var b strings.Builder
	last := addr.Host{Role: "none"}
	for _, r := range s.All() {
		if r.Addr.Host != last {
			last = r.Addr.Host
			fmt.Fprintf(&b, "\n%s\n", last)
		}
		fmt.Fprintf(&b, "  %s %q", r.Addr.Kind, r.Addr.Name)
		if d := describe(r.Spec); d != "" {
			b.WriteString(" " + d)
		}
		var deps []string
		kernel := 0 // what every component of a host waits for is only counted
		for _, d := range r.DependsOn {
			if d.Kind == string(resource.KindSysctl) || d.Kind == string(resource.KindModule) {
				kernel++
				continue
			}
			text := d.Kind + " " + d.Name
			if d.Host != last {
				text = d.Host.String() + " " + text
			}
			deps = append(deps, text)
		}
		if kernel > 0 {
			deps = append(deps, fmt.Sprintf("%d of the kernel", kernel))
		}
		if len(deps) > 0 {
			fmt.Fprintf(&b, "\n    <- %s", strings.Join(deps, ", "))
		}
		b.WriteByte('\n')
	}
	return strings.TrimPrefix(b.String(), "\n")
}

func meta(m resource.Meta) string { return fmt.Sprintf("%04o %s:%s", m.Mode, m.Owner, m.Group) }

func flags(named ...any) string {
	var out string
	for i := 0; i < len(named); i += 2 {
		if named[i+1].(bool) {
			out += " " + named[i].(string)
		}
	}
	return out
}

// describe writes the fields of a spec that a reviewer wants to see.
func describe(s resource.Spec) string {
	switch {
	case s.Authority != nil:
		return fmt.Sprintf("%s %s %s generation %d", s.Authority.CN, s.Authority.Algorithm, s.Authority.Validity, s.Authority.Generation)
	case s.KeyPair != nil:
		return fmt.Sprintf("%s generation %d", s.KeyPair.Algorithm, s.KeyPair.Generation)
	case s.Directory != nil:
		return meta(s.Directory.Meta) + flags("purge", s.Directory.Purge, "data", s.Directory.Data)
	case s.File != nil:
		f := s.File
		what := fmt.Sprintf("sha256:%.12s", resource.SHA256([]byte(f.Content)))
		if f.Material != "" {
			what = f.Material
		}
		return meta(f.Meta) + " " + what + flags("once", f.Once)
	case s.Block != nil:
		return fmt.Sprintf("%q", s.Block.Content)
	case s.Binary != nil:
		return fmt.Sprintf("%s %s %s %s sha256:%.12s", meta(s.Binary.Meta), s.Binary.Path, s.Binary.Version, s.Binary.Arch, s.Binary.SHA256)
	case s.Image != nil:
		return fmt.Sprintf("%s %s sha256:%.12s", s.Image.Ctr, s.Image.Socket, s.Image.SHA256)
	case s.Certificate != nil:
		c := s.Certificate
		return fmt.Sprintf("%s %s by %s CN=%s O=%s dns=%s ip=%s %s %s %s renew %s endpoint=%q", c.CertPath, c.KeyPath, c.Authority, c.Subject.CN, strings.Join(c.Subject.O, ","),
			strings.Join(c.DNS, ","), strings.Join(c.IPs, ","), strings.Join(c.Usages, ","), c.Algorithm, c.Validity, c.RenewBefore, c.Endpoint) +
			flags("combined", c.Combined, "once", c.Once)
	case s.Sysctl != nil:
		return s.Sysctl.Value
	case s.Module != nil:
		return strings.Join(s.Module.Effects, " ")
	case s.Unit != nil:
		u := s.Unit
		out := fmt.Sprintf("%s %s inputs %.12s stage %s", meta(u.Meta), u.Path, u.Inputs, u.Stage) +
			flags("enabled", u.Enabled, "running", u.Running, "oneshot", u.Oneshot)
		if u.Gate != nil {
			out += fmt.Sprintf("\n    gate %s: %s%s within %s", u.Gate.Name, u.Gate.HTTP, strings.Join(u.Gate.Argv, " "), u.Gate.Timeout)
		}
		for _, c := range u.BeforeStart {
			out += "\n    before each start " + c.Script + " " + strings.Join(c.Args, " ")
		}
		for _, c := range u.Cleanup {
			out += "\n    cleanup " + c.Script + " " + strings.Join(c.Args, " ")
		}
		return out
	case s.Object != nil:
		return fmt.Sprintf("%s %s%s", s.Object.Kind, s.Object.Manifest, flags("super-admin", s.Object.SuperAdmin))
	case s.Node != nil:
		return fmt.Sprintf("of %s labels %v taints %v within %s", s.Node.Host, s.Node.Labels, s.Node.Taints, s.Node.Timeout)
	}
	return ""
}

// TestFiles compares every text that a host gets with golden ones: those of a
// master and of a node, of each configuration.
func TestFiles(t *testing.T) {
	for name, hosts := range map[string][]addr.Host{"lab": {m1, n1}, "three": {m2, n1}} {
		in := made(input(t, source(t, name)))
		set := build(t, in).Set
		for _, h := range hosts {
			t.Run(name+"/"+h.Name, func(t *testing.T) {
				golden(t, name+"."+h.Name+".files.golden", string(txtar.Format(texts(set, h))))
			})
		}
	}
}

// texts are the texts of a host, by path.
func texts(s resource.Set, h addr.Host) *txtar.Archive {
	a := &txtar.Archive{}
	for _, r := range s.All() {
		if r.Addr.Host != h {
			continue
		}
		text := ""
		switch {
		case r.Spec.File != nil:
			if text = r.Spec.File.Content; text == "" {
				text = "(" + r.Spec.File.Material + ")\n"
			}
		case r.Spec.Unit != nil:
			text = r.Spec.Unit.Content
		case r.Spec.Block != nil:
			text = r.Spec.Block.Content
		default:
			continue
		}
		a.Files = append(a.Files, txtar.File{Name: path.Clean(r.Spec.Path()), Data: []byte(text)})
	}
	return a
}
