package preflight

import (
	"fmt"
	"slices"
	"strings"

	"hardway/provision/config"
	"hardway/provision/packages"
)

// identity judges what tells hosts apart, and what kind of machine it is.
func (c *check) identity() {
	c.unique("hostname", strings.ToLower(c.o.Hostname), func(o other) string { return strings.ToLower(o.Hostname) },
		"give each host a name of its own: hostnamectl set-hostname "+c.h.Name)
	c.unique("machine-id", c.o.Machine, func(o other) string { return o.Machine },
		"it was copied with the machine: rm /etc/machine-id /var/lib/dbus/machine-id; systemd-machine-id-setup; then reboot")
	if name := strings.ToLower(c.o.Hostname); name == "localhost" || strings.HasPrefix(name, "localhost.") {
		c.warn("hostname", c.h.Range, "its hostname is "+c.o.Hostname, "give it a name: hostnamectl set-hostname "+c.h.Name)
	}
	if c.o.Machine == "" {
		c.fail("machine-id", c.h.Range, "/etc/machine-id is empty or absent", "make one: systemd-machine-id-setup")
	}
	c.addresses()
	if c.o.Arch != c.h.Arch {
		c.fail("architecture", c.h.Range, fmt.Sprintf("it is %s, and its block says %s", c.o.Arch, c.h.Arch),
			fmt.Sprintf("set arch = %q in its block and run `hardway init`", c.o.Arch))
	}
	switch manager := packages.ManagerOf(c.o.OS.ID, c.o.OS.Like); {
	case c.o.OS.ID == "":
		c.warn("distribution", c.h.Range, "/etc/os-release does not say which distribution it is", "use a distribution with systemd")
	case manager == packages.APK:
		c.fail("distribution", c.h.Range, c.o.OS.Name+" has no systemd, under which hardway runs the components", "use a distribution with systemd")
	case manager == packages.None && c.m.Packages == config.PackagesInstall:
		c.fail("distribution", c.m.RangeOf("packages"), "no package manager of "+c.o.OS.Name+" is known",
			`install the packages by hand and set host.packages = "check"`)
	}
}

// other is what is compared between hosts.
type other struct{ Hostname, Machine string }

// unique reports a value that another host has too. A host that answered under two
// names is told by its machine-id.
func (c *check) unique(id, value string, of func(other) string, do string) {
	if value == "" {
		return
	}
	var same []string
	for _, h := range c.in.Config.Hosts {
		o, ok := c.in.Observed[h.Addr]
		if ok && o.Reachable() && h.Addr != c.h.Addr && of(other{o.Hostname, o.Machine}) == value {
			same = append(same, h.Addr.String())
		}
	}
	if len(same) > 0 {
		c.fail(id, c.h.Range, fmt.Sprintf("its %s %s is also that of %s", id, value, strings.Join(same, ", ")), do)
	}
}

// addresses judges whether the host has its address, and alone. One that did not
// say which addresses it has is not judged.
func (c *check) addresses() {
	want := c.h.Address.String()
	if len(c.o.Addresses) > 0 && !slices.Contains(c.o.Addresses, want) {
		c.fail("address", c.h.AddressRange, fmt.Sprintf("%s is not an address of the host, which has %s", want, strings.Join(c.o.Addresses, ", ")),
			"write the address by which other hosts reach it; where SSH needs another one, ssh { host = … }")
	}
	for _, h := range c.in.Config.Hosts {
		if o := c.in.Observed[h.Addr]; h.Addr != c.h.Addr && o.Reachable() && slices.Contains(o.Addresses, want) {
			c.fail("address", c.h.AddressRange, want+" is also an address of "+h.Addr.String(), "give each host an address of its own")
		}
	}
}
