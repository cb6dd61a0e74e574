package audit

import "strings"

// paths are the files that a check is about, or why there is none.
type paths func(*machine) ([]string, string)

// stat wants every file of a list to be there and to satisfy a test.
func stat(about paths, good func(file) bool, shown func(file) string) rule {
	return rule{test: func(m *machine) finding {
		list, problem := about(m)
		if len(list) == 0 {
			return unknown("%s", problem)
		}
		var bad, missing []string
		for _, p := range list {
			switch f := m.files[p]; {
			case !f.known:
				missing = append(missing, p+" was not read")
			case !f.exists:
				missing = append(missing, p+" is not there")
			case f.link:
				bad = append(bad, p+" is a link")
			case !good(f):
				bad = append(bad, p+" "+shown(f))
			}
		}
		switch {
		case len(bad) > 0:
			return fail("%s", quoted(strings.Join(bad, ", ")))
		case len(missing) > 0:
			return unknown("%s", quoted(strings.Join(missing, ", ")))
		case len(list) == 1:
			return pass("%s %s", list[0], shown(m.files[list[0]]))
		}
		return pass("all of %d", len(list))
	}}
}

// atMost wants permission bits to be within these.
func atMost(mode uint32, about paths) rule {
	return stat(about, func(f file) bool { return f.mode&^mode == 0 }, func(f file) string { return octal(f.mode) })
}

func octal(mode uint32) string {
	digits := [4]byte{}
	for i := range digits {
		digits[3-i] = '0' + byte(mode>>(3*i)&7)
	}
	return string(digits[:])
}

func ownedBy(owner string, about paths) rule {
	return stat(about, func(f file) bool { return f.owner == owner && f.group == owner }, func(f file) string { return f.owner + ":" + f.group })
}

func byRoot(about paths) rule { return ownedBy("root", about) }

// unitFile is the unit of a component: it takes the place of what the benchmark
// calls a pod specification file or a service file.
func unitFile(component string) paths {
	return func(m *machine) ([]string, string) { return one(m.places.units[component]), component + " has no unit" }
}

// fileOf is the file that a flag names, or a field of the config object.
func fileOf(component, flag, fieldPath string) paths {
	return func(m *machine) ([]string, string) {
		var out []string
		for _, c := range m.commands[component] {
			v := c.value(m, flag, fieldPath)
			if v.problem != "" {
				return nil, v.problem
			}
			if p := v.last(); p != "" {
				out = append(out, p)
			}
		}
		return unique(out), component + " names no such file, or is not there"
	}
}

func one(p string) []string {
	if p == "" {
		return nil
	}
	return []string{p}
}

func unique(list []string) []string {
	var out []string
	seen := map[string]bool{}
	for _, p := range list {
		if !seen[p] {
			seen[p] = true
			out = append(out, p)
		}
	}
	return out
}

func adminConf(m *machine) ([]string, string) {
	return one(m.places.admin), "the plan has no admin kubeconfig"
}
func pkiCerts(m *machine) ([]string, string) { return m.places.certs, "the plan has no certificates" }
func pkiKeys(m *machine) ([]string, string)  { return m.places.keys, "the plan has no keys" }
func pkiFiles(m *machine) ([]string, string) { return m.places.pki, "the plan has no PKI" }

// cniFiles are the networks that hardway wrote; without one the check is a person's.
func cniFiles(r func(paths) rule) rule {
	inner := r(func(m *machine) ([]string, string) { return m.places.cni, "" })
	return rule{test: func(m *machine) finding {
		if len(m.places.cni) == 0 {
			return manual("the network is not hardway's")
		}
		return inner.test(m)
	}}
}
