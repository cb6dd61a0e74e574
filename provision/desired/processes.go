package desired

import (
	"path"
	"slices"
	"strings"

	"hardway/provision/addr"
	"hardway/provision/config"
	"hardway/provision/resource"
	"hardway/units"
)

// keeper is how a process manager keeps one component.
type keeper struct {
	name, path string
	// oneshot: no process stays behind.
	oneshot bool
	needs   []addr.Address
	render  func(u units.Unit, inputs string) (string, error)
}

// keeper returns that of the cluster's process manager.
func (hb *hostBuilder) keeper(c units.Component) keeper {
	if hb.cfg.Processes.Manager != config.Supervisord {
		return keeper{name: c.Unit, path: unitPath(c.Unit), oneshot: c.Oneshot, render: units.Unit.Render}
	}
	order := slices.IndexFunc(units.Components(hb.cfg.Version), func(o units.Component) bool { return o.Name == c.Name })
	options := units.ProgramOptions{Log: hb.lay.log(c.Name + ".log"), Priority: 100 + 10*order}
	k := keeper{
		name: c.Name + units.ProgramSuffix, path: path.Join(hb.cfg.Processes.ConfDir, c.Name+".conf"),
		render: func(u units.Unit, inputs string) (string, error) { return u.RenderProgram(inputs, options) },
	}
	if dir := path.Dir(options.Log); !system[dir] {
		k.needs = []addr.Address{hb.plain(dir)}
	}
	return k
}

// kubeletUnit names the kubelet's unit where it is not systemd's.
func (b *builder) kubeletUnit() string {
	if b.cfg.Processes.Manager != config.Supervisord {
		return ""
	}
	return units.ComponentKubelet + units.ProgramSuffix
}

// sameManager refuses to hand running components to another process manager: both
// would keep one of each.
func (b *builder) sameManager() {
	for _, a := range b.state.Addresses() {
		u := b.state.Resources[a].Spec.Unit
		if u == nil {
			continue
		}
		then := config.Systemd
		if strings.HasSuffix(u.Name, resource.ProgramSuffix) {
			then = config.Supervisord
		}
		if now := b.cfg.Processes.Manager; then != now {
			at := b.cfg.Processes.Range
			if at.Filename == "" {
				at = b.cfg.Range
			}
			b.fail("%s: processes of a living cluster cannot be changed from %s to %s: both would keep one of each component; put the old one back, or destroy the cluster first", at, then, now)
			return
		}
	}
}
