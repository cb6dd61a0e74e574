package units

import (
	"fmt"
	"path"
	"strings"
)

// ContainerdParams describes containerd.
type ContainerdParams struct {
	Bin        string // directory of the executable and its shims
	ConfigFile string
}

// Containerd returns the unit of containerd, after the project's own: the
// containers live below the service and must survive its restart (Delegate,
// KillMode=process), and limits would be inherited by all of them.
func Containerd(p ContainerdParams) (Unit, error) {
	if !path.IsAbs(p.Bin) || !path.IsAbs(p.ConfigFile) {
		return Unit{}, fmt.Errorf("building the unit of containerd: %q and %q have to be absolute paths", p.Bin, p.ConfigFile)
	}
	u := service(ComponentContainerd)
	u.Description = "containerd container runtime"
	u.Documentation = []string{"https://containerd.io"}
	// Images are pulled long after the start: the network need not be up for it.
	u.Wants, u.After = nil, []string{"network.target", "dbus.service"}
	u.Type = TypeNotify
	u.Exec = []string{path.Join(p.Bin, "containerd"), "--config=" + p.ConfigFile}
	// The shims and runc are found through PATH.
	u.Environment = map[string]string{"PATH": searchPath(p.Bin)}
	u.KillMode = "process"
	u.Delegate = true
	u.LimitNPROC, u.LimitCORE, u.TasksMax = "infinity", "infinity", "infinity"
	u.OOMScoreAdjust = new(int)
	*u.OOMScoreAdjust = -999
	u.CPUAccounting, u.MemoryAccounting = true, true // the kubelet reads the statistics of the runtime
	return u, nil
}

// searchPath puts our binaries before those of the distribution.
func searchPath(bin string) string {
	dirs := []string{path.Clean(bin)}
	for _, system := range []string{"/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"} {
		if system != dirs[0] {
			dirs = append(dirs, system)
		}
	}
	return strings.Join(dirs, ":")
}
