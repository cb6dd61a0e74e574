package resource

import "slices"

// Packages are packages of the distribution that have to be there. They are
// installed with one call, and what was there before hardway stays at any removal.
type Packages struct {
	// Manager is apt, dnf, zypper or apk; empty while the distribution is not known.
	Manager string `json:"manager"`
	// Programs maps a program to its package: where the program is there, however it
	// came, its package is not wanted.
	Programs map[string]string `json:"programs,omitempty"`
	Names    []string          `json:"names,omitempty"` // wanted in any case
	// Remove: destroy removes what was installed.
	Remove bool `json:"remove,omitempty"`
}

// Missing returns the packages to install, sorted, given the programs that are
// there and the packages that are installed.
func (p *Packages) Missing(programs map[string]string, installed map[string]bool) []string {
	var out []string
	for program, name := range p.Programs {
		if programs[program] == "" && !installed[name] {
			out = append(out, name)
		}
	}
	for _, name := range p.Names {
		if !installed[name] {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Firewall is what the host's firewalld or ufw lets in, or that it is off. Where
// neither is active there is nothing to do.
type Firewall struct {
	// Mode is open or disable.
	Mode string `json:"mode"`
	// Rules are in the text form of package firewall, in order.
	Rules []string `json:"rules,omitempty"`
}

// SELinux is the mode of a kernel that has it, now and at boot.
type SELinux struct {
	// Mode is permissive or enforcing.
	Mode string `json:"mode"`
	// Like are directories that are labelled as others: the place that the policy
	// knows, by our own. With a mode of enforcing only.
	Like map[string]string `json:"like,omitempty"`
	// Restore are the directories whose labels are put right.
	Restore []string `json:"restore,omitempty"`
}

// FSTab is where swap is turned on at boot; SwapUnits are services that do it too,
// of zram-tools, Ubuntu's zram-config, dphys-swapfile and swapspace.
const FSTab = "/etc/fstab"

// SwapUnits returns the services that turn swap on at boot by themselves.
func SwapUnits() []string {
	return []string{"dphys-swapfile.service", "swapspace.service", "zram-config.service", "zramswap.service"}
}
