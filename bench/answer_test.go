package bench

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"hardway/provision/facts"
)

// writeObservation answers a request as templates/scripts/observe.sh does, from
// an observation that is known already.
func writeObservation(out *bytes.Buffer, q facts.Request, observe func(facts.Request) facts.Observation) {
	rec := func(fields ...string) {
		for _, f := range fields {
			out.WriteString(f)
			out.WriteByte(0)
		}
	}
	clock := func() {
		now := time.Now()
		rec("clock", fmt.Sprintf("%d.%09d", now.Unix(), now.Nanosecond()))
	}
	clock()
	o := observe(q)
	rec("uname", o.Hostname, o.Kernel, map[string]string{"amd64": "x86_64", "arm64": "aarch64"}[o.Arch])
	var system strings.Builder
	line := func(path, text string) { system.WriteString(path + ":" + text + "\n") }
	for _, key := range slices.Sorted(maps.Keys(o.Sysctls)) {
		path := "/proc/sys/" + strings.ReplaceAll(key, ".", "/")
		rec("sysctl", path)
		line(path, o.Sysctls[key])
	}
	for _, name := range slices.Sorted(maps.Keys(o.Modules)) {
		rec("module", name, map[bool]string{true: "1", false: "0"}[o.Modules[name]], o.Unloadable[name])
	}
	if q.Kube != nil {
		for _, objects := range []map[string]string{texts(o.Kube.Nodes), texts(o.Kube.Objects)} {
			for _, key := range slices.Sorted(maps.Keys(objects)) {
				rec("json", objects[key])
			}
		}
		rec("kube", string(o.Kube.State), o.Kube.Message)
	}
	if m := o.Mark; m == (facts.Mark{}) {
		rec("mark", "/var/lib/hardway/mark", string(facts.Absent), "")
	} else {
		rec("mark", "/var/lib/hardway/mark", string(facts.Regular), fmt.Sprintf("%s\n%d\n%s\n%s\n", m.Lineage, m.Serial, m.Cluster, m.Copy))
	}
	var sums, pems strings.Builder
	var contents []byte
	for _, asked := range q.Files {
		f := o.Files[asked.Path]
		if !f.Exists() {
			continue
		}
		letter := map[facts.FileType]string{facts.Regular: "f", facts.Directory: "d", facts.Symlink: "l"}[f.Type]
		rec("file", asked.Path, letter, fmt.Sprintf("%o", f.Mode), f.Owner, f.Group, fmt.Sprint(f.Size), f.Target)
		switch {
		case f.Empty:
			rec("empty", asked.Path)
		case asked.Certificates:
			pems.WriteString(asked.Path + "\n")
			for line := range strings.Lines(string(f.Content)) {
				pems.WriteString(":" + line)
			}
		case asked.Content && !asked.Known.Is(f.SHA256):
			contents = append(contents, f.Content...)
		}
		if f.Type == facts.Regular {
			sums.WriteString(f.SHA256 + "  " + asked.Path + "\n")
		}
		if f.Mount {
			line("/proc/self/mountinfo", "1 2 0:3 / "+asked.Path+" rw - tmpfs tmpfs rw")
		}
	}
	rec("sums", sums.String(), "certificates", pems.String())
	if len(contents) > 0 {
		rec("contents", base64.StdEncoding.EncodeToString(contents))
	}
	writeUnits(rec, q, o)
	if q.Images != nil {
		table := "REF TYPE DIGEST SIZE PLATFORMS LABELS\n"
		for _, ref := range slices.Sorted(maps.Keys(o.Images)) {
			table += ref + " type sha256:0 1B linux hardway.io/archive=" + o.Images[ref] + "\n"
		}
		rec("images", table)
	}
	line("/etc/os-release", "ID="+o.OS.ID)
	line("/etc/os-release", fmt.Sprintf("VERSION_ID=%q", o.OS.Version))
	line("/etc/os-release", fmt.Sprintf("PRETTY_NAME=%q", o.OS.Name))
	line("/etc/machine-id", o.Machine)
	line("/proc/self/status", fmt.Sprintf("Cpus_allowed_list:\t0-%d", o.CPUs-1))
	line("/proc/meminfo", fmt.Sprintf("MemTotal: %d kB", o.MemoryKB))
	for _, swap := range o.Swaps {
		line("/proc/swaps", swap)
	}
	rec("system", system.String(), "cgroup", fmt.Sprint(o.Cgroup))
	ipv4 := ""
	for _, a := range o.Addresses {
		ipv4 += "|-- " + a + "\n"
	}
	rec("ipv4", ipv4)
	for _, name := range slices.Sorted(maps.Keys(o.Commands)) {
		rec("command", name, o.Commands[name])
	}
	clock()
	rec("Z")
}

func texts[T ~[]byte](m map[string]T) map[string]string {
	out := map[string]string{}
	for k, v := range m {
		out[k] = string(v)
	}
	return out
}

// writeUnits prints blocks as systemctl show does. A running unit's inputs are
// its process's; those of a oneshot stand in what systemd has loaded.
func writeUnits(rec func(...string), q facts.Request, o facts.Observation) {
	if len(q.Units) == 0 {
		return
	}
	yes := map[bool]string{true: "yes", false: "no"}
	inputs := []string{"inputs"}
	var blocks []string
	for _, name := range q.Units {
		u := o.Units[name]
		kind, environment := "simple", ""
		switch {
		case u.PID > 0 && u.Inputs != "":
			inputs = append(inputs, fmt.Sprintf("/proc/%d/environ", u.PID), "HARDWAY_INPUTS="+u.Inputs)
		case u.Inputs != "":
			kind, environment = "oneshot", "HARDWAY_INPUTS="+u.Inputs
		}
		blocks = append(blocks, fmt.Sprintf("Id=%s\nLoadState=%s\nActiveState=%s\nSubState=%s\nUnitFileState=%s\nFragmentPath=%s\nDropInPaths=%s\n"+
			"MainPID=%d\nNRestarts=%d\nResult=%s\nNeedDaemonReload=%s\nType=%s\nEnvironment=%s\n",
			name, u.Load, u.Active, u.Sub, u.Enabled, u.Fragment, strings.Join(u.DropIns, " "), u.PID, u.Restarts, u.Result, yes[u.NeedsReload], kind, environment))
	}
	rec("units", strings.Join(blocks, "\n"))
	rec(append(inputs, "")...)
	texts := map[string]string{}
	for _, u := range o.Units {
		maps.Copy(texts, u.DropInTexts)
	}
	var dropIns strings.Builder
	for _, path := range slices.Sorted(maps.Keys(texts)) {
		dropIns.WriteString(path + "\n")
		for line := range strings.Lines(texts[path]) {
			dropIns.WriteString(":" + line)
		}
	}
	if dropIns.Len() > 0 {
		rec("dropins", dropIns.String())
	}
}
