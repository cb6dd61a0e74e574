package config

import "github.com/zclconf/go-cty/cty"

// cluster reads all blocks into a Cluster and judges the whole. The result is
// of use only when no error was reported.
func (l *loader) cluster() *Cluster {
	c := &Cluster{Dir: l.dir}
	l.evaluateLocals()
	l.readCluster(c)
	wide := l.clusterLayers(c)
	l.readHosts(c, l.clusterSSH(), wide)
	l.readAPI(c)
	l.readNetwork(c)
	l.readDirectories(c)
	l.readMachine(c)
	l.readProcesses(c)
	l.readBinaries(c)
	l.readPKI(c)
	l.readState(c)
	l.readVerify(c)
	c.Outputs = l.readOutputs()
	if l.decl.single["cluster"] != nil {
		l.validateHosts(c)
		l.validateNetwork(c)
	}
	if l.meter.spent {
		l.diags.add(tooExpensive(l.meter.place))
	}
	if l.diags.errors {
		return nil
	}
	c.Digest = digest(c)
	return c
}

// evaluateLocals evaluates local values that nothing refers to, too: a mistake
// should not wait for its first use.
func (l *loader) evaluateLocals() {
	for _, name := range sortedKeys(l.decl.locals) {
		l.scope.named("local", name, l.decl.locals[name].NameRange)
	}
}

func (l *loader) readOutputs() []Output {
	var out []Output
	for _, b := range l.decl.outputs {
		r, _ := l.reader(b, schema{attributes: []string{"value", "description", "sensitive"}, later: []string{"precondition", "depends_on"}})
		r.text("description")
		o := Output{Name: b.Labels[0], Sensitive: r.flag("sensitive", false), Value: cty.NullVal(cty.DynamicPseudoType), Range: b.DefRange()}
		if !r.has("value") {
			l.diags.add(errorAt(b.DefRange(), "Missing attribute", "%s needs a value.", blockTitle(b)))
			continue
		}
		v, ok := r.raw("value")
		if ok {
			if v.ContainsMarked() && !o.Sensitive {
				l.diags.add(errorAt(r.rangeOf("value"), "Output of a sensitive value",
					"The value of %s derives from a sensitive one. Write sensitive = true, so that it is shown only on request, or nonsensitive(…) on what is no secret.", blockTitle(b)))
				continue
			}
			o.Value, _ = v.UnmarkDeep()
		}
		out = append(out, o)
	}
	return out
}
