package facts

// PreflightRequest asks for what decides whether a machine is fit for its part.
// It is asked of machines that do not belong to the cluster yet.
type PreflightRequest struct {
	// Spaces are directories in which something will be written. They need not exist.
	Spaces []string `json:"spaces,omitempty"`
}

// System is what preflight reads of a machine, beside what every observation has.
type System struct {
	// Asked reports whether the observation was asked for it; else the rest is empty.
	Asked bool `json:"asked,omitempty"`
	// Systemd is systemd's version; 0 where it could not be found out.
	Systemd int `json:"systemd,omitempty"`
	// SELinux is what the kernel does: enforcing, permissive, or empty without it.
	SELinux string `json:"selinux,omitempty"`
	// SELinuxBoot is SELINUX= of /etc/selinux/config.
	SELinuxBoot string `json:"selinux_boot,omitempty"`
	// AppArmor reports whether the kernel confines by AppArmor.
	AppArmor bool `json:"apparmor,omitempty"`
	// Spaces are keyed by the directories that were asked for.
	Spaces map[string]Space `json:"spaces,omitempty"`
}

// Space is the file system in which a directory stands, or will stand.
type Space struct {
	Path       string   `json:"path"`  // the nearest directory above that exists
	Mount      string   `json:"mount"` // where the file system is mounted
	Type       string   `json:"type"`  // ext4, xfs, overlay, …
	Options    []string `json:"options,omitempty"`
	Free       uint64   `json:"free"`  // bytes that are free for everybody
	Total      uint64   `json:"total"` // bytes
	FreeInodes uint64   `json:"free_inodes"`
	// Inodes is 0 for a file system that makes them as it needs them (btrfs).
	Inodes uint64 `json:"inodes"`
}

// Holder is the process that listens on a port.
type Holder struct {
	Program string `json:"program"` // the file's name
	PID     int    `json:"pid"`
	Unit    string `json:"unit,omitempty"` // systemd's name for where it belongs
}
