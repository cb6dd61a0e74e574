package preflight

import (
	"fmt"
	"slices"
	"strings"

	"hardway/provision/config"
)

// What a role needs. Masters: kubeadm's own limits (cmd/kubeadm/app/constants of
// 1.36: ControlPlaneNumCPU 2, ControlPlaneMem 1700 MB); nodes: what kubelet,
// containerd and kube-proxy take, with room for a pod.
const (
	masterCPUs     = 2
	masterMemoryMB = 1700
	nodeMemoryMB   = 512
	// noteNodeMemoryMB is from where on a node has room for more than a pod or two.
	noteNodeMemoryMB = 1024
)

// Space, in bytes, and inodes that are needed and that are comfortable.
const (
	gib           = 1 << 30
	mib           = 1 << 20
	fewInodes     = 20_000
	noteInodes    = 100_000
	binaries      = 800 * mib // of a master with everything
	data          = 2 * gib   // images, etcd, logs of pods: below it the kubelet evicts at once
	noteData      = 10 * gib
	configuration = 20 * mib
)

// written is a directory that is written to, and what it takes.
type written struct {
	attribute, path string
	need, note      uint64
	programs        bool // are run from there
}

func directories(d config.Directories) []written {
	return []written{
		{"bin", d.Bin, binaries, binaries, true},
		{"cni", d.CNI, 100 * mib, 100 * mib, true},
		{"data", d.Data, data, noteData, true}, // containers run from below it
		{"conf", d.Conf, configuration, configuration, false},
		{"cert", d.Cert, configuration, configuration, false},
	}
}

// capacity judges file systems, memory and processors.
func (c *check) capacity() {
	for _, d := range directories(c.in.Config.Directories) {
		c.directory(d)
	}
	if n := c.o.CPUs; c.h.IsMaster() && n > 0 && n < masterCPUs {
		c.fail("cpus", c.h.Range, fmt.Sprintf("it has %d CPU; a control plane needs %d", n, masterCPUs), `give the machine more, or set host.preflight = { cpus = "warn" }`)
	}
	mb := c.o.MemoryKB / 1000
	switch {
	case mb <= 0:
	case c.h.IsMaster() && mb < masterMemoryMB:
		c.fail("memory", c.h.Range, fmt.Sprintf("it has %d MB of memory; a control plane needs %d", mb, masterMemoryMB), `give the machine more, or set host.preflight = { memory = "warn" }`)
	case mb < nodeMemoryMB:
		c.fail("memory", c.h.Range, fmt.Sprintf("it has %d MB of memory; a node needs %d", mb, nodeMemoryMB), `give the machine more, or set host.preflight = { memory = "warn" }`)
	case mb < noteNodeMemoryMB:
		c.warn("memory", c.h.Range, fmt.Sprintf("it has %d MB of memory, which leaves little for pods", mb), "give the machine more")
	}
}

func (c *check) directory(d written) {
	s, ok := c.o.System.Spaces[d.path]
	if !ok {
		return
	}
	at := c.in.Config.Range
	where := fmt.Sprintf("%s (directories.%s, on %s)", d.path, d.attribute, s.Mount)
	switch {
	case slices.Contains(s.Options, "ro"):
		c.fail("mounts", at, where+" is mounted read-only", "mount it read-write, or choose another directory")
	case d.programs && slices.Contains(s.Options, "noexec"):
		c.fail("mounts", at, where+" is mounted noexec: nothing can be run from it", "mount it with exec, or choose another directory")
	}
	if s.Total > 0 {
		switch {
		case s.Free < d.need:
			c.fail("disk", at, fmt.Sprintf("%s has %s free of %s; %s are needed", where, size(s.Free), size(s.Total), size(d.need)), "make room, or choose another directory")
		case s.Free < d.note:
			c.warn("disk", at, fmt.Sprintf("%s has %s free of %s; images and etcd want %s", where, size(s.Free), size(s.Total), size(d.note)), "make room, or choose another directory")
		}
	}
	if s.Inodes == 0 || !d.programs { // made as they are needed; and configuration is few files
		return
	}
	switch {
	case s.FreeInodes < fewInodes:
		c.fail("inodes", at, fmt.Sprintf("%s has %d inodes free of %d", where, s.FreeInodes, s.Inodes), "remove small files, or make the file system anew with more inodes")
	case s.FreeInodes < noteInodes && d.attribute == "data":
		c.warn("inodes", at, fmt.Sprintf("%s has %d inodes free of %d; unpacked images take many", where, s.FreeInodes, s.Inodes), "remove small files, or make the file system anew with more inodes")
	}
}

func size(bytes uint64) string {
	if bytes >= gib {
		return strings.TrimSuffix(fmt.Sprintf("%.1f", float64(bytes)/gib), ".0") + " GiB"
	}
	return fmt.Sprintf("%d MiB", bytes/mib)
}
