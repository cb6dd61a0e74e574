package preflight

import (
	"fmt"

	"hardway/provision/config"
	"hardway/provision/packages"
)

// programs judges what is missing, and whether it could be installed.
func (c *check) programs() {
	manager := packages.ManagerOf(c.o.OS.ID, c.o.OS.Like)
	install := c.m.Packages == config.PackagesInstall && manager != packages.None
	if install && c.o.Commands[Executable(manager)] == "" {
		c.fail("packages", c.m.RangeOf("packages"), fmt.Sprintf("%s is a distribution of %s, which is not there", c.o.OS.Name, Executable(manager)),
			`install the packages by hand and set host.packages = "check"`)
		install = false
	}
	for _, need := range c.in.Needs {
		if c.o.Commands[need.Program] != "" {
			continue
		}
		if _, selinux := map[string]bool{"setenforce": true, "restorecon": true, "semanage": true}[need.Program]; selinux && c.o.System.SELinux == "" {
			continue // there is nothing that it could be used for
		}
		name, known := packages.Name(manager, need.Program)
		if install && known {
			continue // the plan shows it
		}
		do := `install it, or set host { packages = "install" }`
		if known {
			do = fmt.Sprintf(`install the package %s, or set host { packages = "install" }`, name)
		}
		if install {
			do = "install it"
		}
		report := c.fail
		if need.Optional {
			report = c.warn
		}
		report("programs", c.h.Range, fmt.Sprintf("%s is not there: %s", need.Program, need.Why), do)
	}
}

// Executable is the program of a package manager.
func Executable(m packages.Manager) string {
	if m == packages.APT {
		return "apt-get"
	}
	return string(m)
}
