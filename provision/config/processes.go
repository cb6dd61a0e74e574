package config

// Process managers, as the processes block names them.
const (
	Systemd     = "systemd"
	Supervisord = "supervisord"
)

// defaultProgramDir is where Debian's supervisord reads programs.
const defaultProgramDir = "/etc/supervisor/conf.d"

// readProcesses reads what keeps the components running.
func (l *loader) readProcesses(c *Cluster) {
	c.Processes = Processes{Manager: Systemd}
	b := l.decl.single["processes"]
	if b == nil {
		return
	}
	s := schema{}
	if b.Labels[0] == Supervisord {
		s.attributes = []string{"conf_dir"}
	} else {
		s.instead = map[string]string{"conf_dir": "systemd reads units from a fixed directory."}
	}
	r, _ := l.reader(b, s)
	c.Processes.Range, c.Processes.Manager = b.DefRange(), b.Labels[0]
	if b.Labels[0] == Supervisord {
		c.Processes.ConfDir = r.absolute("conf_dir", defaultProgramDir)
	}
}
