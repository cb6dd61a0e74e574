package plan

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hardway/provision/facts"
	"hardway/provision/resource"
	"hardway/provision/state"
)

// TestCompareMachine covers the kinds that say only "as wanted" or "not".
func TestCompareMachine(t *testing.T) {
	directory := resource.Spec{Directory: &resource.Directory{Path: "/d", Meta: resource.Root(0o755)}}
	binary := resource.Spec{Binary: &resource.Binary{Path: "/b", Meta: resource.Root(0o755), Component: "runc", SHA256: sha("good"), Size: 4}}
	block := resource.Spec{Block: &resource.Block{Path: "/h", Content: "10.0.0.1 m1\n"}}
	image := resource.Spec{Image: &resource.Image{Ref: "pause:1", SHA256: "ab"}}
	sysctl := resource.Spec{Sysctl: &resource.Sysctl{Key: "net.ipv4.ping_group_range", Value: "0 100"}}
	module := resource.Spec{Module: &resource.Module{Name: "overlay"}}
	swap := resource.Spec{Swap: &resource.Swap{Off: true}}
	fstab := func(text string, units map[string]facts.Unit) facts.Observation {
		o := filesOf("/etc/fstab", facts.File{Type: facts.Regular, Content: []byte(text)})
		o.Units = units
		return o
	}
	packages := resource.Spec{Packages: &resource.Packages{Manager: "apt", Programs: map[string]string{"nft": "nftables", "ip": "iproute2"}, Names: []string{"nfs-common"}}}
	has := func(programs, installed string) facts.Observation {
		o := facts.Observation{Commands: map[string]string{}, Packages: map[string]bool{}}
		for _, p := range strings.Fields(programs) {
			o.Commands[p] = "/usr/sbin/" + p
		}
		for _, p := range strings.Fields(installed) {
			o.Packages[p] = true
		}
		return o
	}
	open := resource.Spec{Firewall: &resource.Firewall{Mode: "open", Rules: []string{"port tcp 6443 any"}}}
	off := resource.Spec{Firewall: &resource.Firewall{Mode: "disable"}}
	ufw := func(tuple string) facts.Observation {
		return facts.Observation{Units: map[string]facts.Unit{"ufw.service": {Active: "active"}}, Files: map[string]facts.File{
			"/etc/ufw/ufw.conf":   {Type: facts.Regular, Content: []byte("ENABLED=yes\n")},
			"/etc/ufw/user.rules": {Type: facts.Regular, Content: []byte("### tuple ### " + tuple + "\n")}}}
	}
	permissive := resource.Spec{SELinux: &resource.SELinux{Mode: "permissive"}}
	enforcing := resource.Spec{SELinux: &resource.SELinux{Mode: "enforcing", Restore: []string{"/usr/local/bin"}}}
	selinux := func(now, boot string) facts.Observation {
		return facts.Observation{System: facts.System{Asked: true, SELinux: now, SELinuxBoot: boot}}
	}
	dir := func(mode uint32, owner string) facts.Observation {
		return filesOf("/d", facts.File{Type: facts.Directory, Mode: mode, Owner: owner, Group: "root"})
	}
	bin := func(content string, mode uint32) facts.Observation {
		f := text(content, mode)
		f.Content = nil // is never asked for
		return filesOf("/b", f)
	}
	hosts := func(s string) facts.Observation { return filesOf("/h", text(s, 0o644)) }
	sysctls := func(v string) facts.Observation {
		return facts.Observation{Sysctls: map[string]string{"net.ipv4.ping_group_range": v}}
	}
	const begin, end = resource.BlockBegin + "\n", resource.BlockEnd + "\n"
	for name, c := range map[string]struct {
		spec   resource.Spec
		obs    facts.Observation
		expect verdict
	}{
		"directory absent":         {directory, facts.Observation{}, verdict{Create, "", ""}},
		"directory":                {directory, dir(0o755, "root"), verdict{NoOp, "", ""}},
		"directory mode":           {directory, dir(0o700, "root"), verdict{Update, "mode or owner differ", ""}},
		"directory owner":          {directory, dir(0o755, "kube"), verdict{Update, "mode or owner differ", ""}},
		"directory is a file":      {directory, filesOf("/d", text("", 0o755)), verdict{Update, "a file stands there", ""}},
		"binary absent":            {binary, facts.Observation{}, verdict{Create, "", "absent"}},
		"binary":                   {binary, bin("good", 0o755), verdict{NoOp, "", sha("good")}},
		"binary of other bytes":    {binary, bin("evil", 0o755), verdict{Update, "another binary stands there", sha("evil")}},
		"binary not executable":    {binary, bin("good", 0o644), verdict{Update, "mode or owner differ", sha("good")}},
		"block, no file":           {block, facts.Observation{}, verdict{Create, "", "absent"}},
		"block, no marks":          {block, hosts("127.0.0.1 localhost\n"), verdict{Create, "", sha("127.0.0.1 localhost\n")}},
		"block":                    {block, hosts("a\n" + begin + "10.0.0.1 m1\n" + end + "b\n"), verdict{NoOp, "", sha("a\n" + begin + "10.0.0.1 m1\n" + end + "b\n")}},
		"block at the very top":    {block, hosts(begin + "10.0.0.1 m1\n" + end), verdict{NoOp, "", sha(begin + "10.0.0.1 m1\n" + end)}},
		"block of other lines":     {block, hosts(begin + "10.0.0.9 m1\n" + end), verdict{Update, "content differs", sha(begin + "10.0.0.9 m1\n" + end)}},
		"block empty":              {block, hosts(begin + end), verdict{Update, "content differs", sha(begin + end)}},
		"block without its end":    {block, hosts(begin + "10.0.0.1 m1\n"), verdict{Create, "", sha(begin + "10.0.0.1 m1\n")}},
		"mark inside a line":       {block, hosts("x " + begin + "10.0.0.1 m1\n" + end), verdict{Create, "", sha("x " + begin + "10.0.0.1 m1\n" + end)}},
		"image absent":             {image, facts.Observation{}, verdict{Create, "", ""}},
		"image":                    {image, facts.Observation{Images: map[string]string{"pause:1": "ab"}}, verdict{NoOp, "", ""}},
		"image of another archive": {image, facts.Observation{Images: map[string]string{"pause:1": "cd"}}, verdict{Update, "it came from another archive", ""}},
		"image without a label":    {image, facts.Observation{Images: map[string]string{"pause:1": ""}}, verdict{Update, "it came from another archive", ""}},
		"sysctl unknown":           {sysctl, facts.Observation{}, verdict{Create, "the kernel does not have it yet", ""}},
		"sysctl":                   {sysctl, sysctls("0 100"), verdict{NoOp, "", ""}},
		"sysctl in kernel's form":  {sysctl, sysctls("0\t100"), verdict{NoOp, "", ""}},
		"sysctl differs":           {sysctl, sysctls("1 0"), verdict{Update, "live value differs", ""}},
		"module absent":            {module, facts.Observation{}, verdict{Create, "", ""}},
		"module":                   {module, facts.Observation{Modules: map[string]bool{"overlay": true}}, verdict{NoOp, "", ""}},
		"module has no effect":     {module, facts.Observation{Modules: map[string]bool{"overlay": false}}, verdict{Create, "", ""}},
		"swap off":                 {swap, facts.Observation{}, verdict{NoOp, "", ""}},
		"swap in fstab":            {swap, fstab("/dev/vda2 none swap sw 0 0\n", nil), verdict{Update, "it would be on after a reboot", ""}},
		"swap commented out":       {swap, fstab("#hardway#/dev/vda2 none swap sw 0 0\n# a swap file\n/dev/vda1 /swap ext4 rw 0 0\n", nil), verdict{NoOp, "", ""}},
		"swap by a service":        {swap, fstab("", map[string]facts.Unit{"zramswap.service": {Enabled: "enabled"}}), verdict{Update, "it would be on after a reboot", ""}},
		"packages":                 {packages, has("nft ip", "nfs-common"), verdict{NoOp, "", ""}},
		"package of a program":     {packages, has("ip", "nfs-common"), verdict{Update, "programs or packages are missing", ""}},
		"program by another way":   {packages, has("nft ip", "nfs-common"), verdict{NoOp, "", ""}},
		"package, no program":      {packages, has("ip", "nfs-common nftables"), verdict{NoOp, "", ""}},
		"extra package":            {packages, has("nft ip", ""), verdict{Update, "programs or packages are missing", ""}},
		"no firewall":              {open, facts.Observation{}, verdict{NoOp, "", ""}},
		"firewall, open":           {open, ufw("allow tcp 6443 0.0.0.0/0 any 0.0.0.0/0 in"), verdict{NoOp, "", ""}},
		"firewall, closed":         {open, ufw("allow tcp 22 0.0.0.0/0 any 0.0.0.0/0 in"), verdict{Update, "ufw keeps out what the cluster needs", ""}},
		"firewall to turn off":     {off, ufw(""), verdict{Update, "ufw is active", ""}},
		"firewall that is off":     {off, facts.Observation{}, verdict{NoOp, "", ""}},
		"no SELinux":               {enforcing, selinux("", ""), verdict{NoOp, "", ""}},
		"SELinux permissive":       {permissive, selinux("permissive", "permissive"), verdict{NoOp, "", ""}},
		"SELinux enforcing":        {permissive, selinux("enforcing", "enforcing"), verdict{Update, "it is enforcing", ""}},
		"SELinux at boot":          {permissive, selinux("permissive", "enforcing"), verdict{Update, "it would be enforcing after a reboot", ""}},
		"SELinux to label":         {enforcing, selinux("enforcing", "enforcing"), verdict{Update, "what hardway writes is to be labelled", ""}},
		"SELinux to enforce":       {enforcing, selinux("permissive", "enforcing"), verdict{Update, "it is permissive", ""}},
		"swap on":                  {swap, facts.Observation{Swaps: []string{"/dev/sda2"}}, verdict{Update, "the kubelet does not start with swap on", ""}},
	} {
		t.Run(name, func(t *testing.T) {
			got := one(t, c.spec, c.obs)
			if diff := cmp.Diff(c.expect, verdictOf(got)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if got.Disruption != None {
				t.Errorf("disruption %s", got.Disruption)
			}
			if got.Action == NoOp && got.Before == nil || got.Action == Create && got.Before != nil {
				t.Errorf("%s with before %v", got.Action, got.Before)
			}
		})
	}
}

// TestBinaryVersion: the version of what stands on a host is known when hardway
// put it there; of other bytes it is not, and nobody runs them to ask.
func TestBinaryVersion(t *testing.T) {
	want := resource.Binary{Path: "/b", Meta: resource.Root(0o755), Component: "kubelet", Version: "1.37.2", SHA256: sha("new")}
	last := want
	last.Version, last.SHA256 = "1.37.1", sha("old")
	record := state.Record{Spec: resource.Spec{Binary: &last}, SHA256: last.SHA256}
	pending := record
	pending.Pending = true
	for name, c := range map[string]struct {
		content string
		record  []state.Record
		version string
	}{
		"the last one":    {"old", []state.Record{record}, "1.37.1"},
		"as wanted":       {"new", []state.Record{record}, "1.37.2"},
		"another":         {"evil", []state.Record{record}, "unknown"},
		"nobody's":        {"old", nil, "unknown"},
		"half an upgrade": {"old", []state.Record{pending}, "unknown"},
	} {
		t.Run(name, func(t *testing.T) {
			f := text(c.content, 0o755)
			f.Content = nil
			got := one(t, resource.Spec{Binary: &want}, filesOf("/b", f), c.record...)
			if got.Before["version"].Text != c.version || got.After["version"].Text != "1.37.2" || got.Before["sha256"].Text != short(sha(c.content)) {
				t.Errorf("%v -> %v", got.Before, got.After)
			}
		})
	}
}
