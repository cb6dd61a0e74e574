package units

import (
	"embed"
	"fmt"
	"slices"
	"strings"
	"sync"
)

// Names of the components, as their binaries are called.
const (
	ComponentEtcd              = "etcd"
	ComponentAPIServer         = "kube-apiserver"
	ComponentControllerManager = "kube-controller-manager"
	ComponentScheduler         = "kube-scheduler"
	ComponentContainerd        = "containerd"
	ComponentKubelet           = "kubelet"
	ComponentKubeProxy         = "kube-proxy"
	// ComponentRoutes is our own: the static routes to the other hosts' pods.
	ComponentRoutes = "hardway-routes"
)

// Flag is a row of a flag table: what one flag was and is. Since, Deprecated and
// Removed are minors of the component ("1.24"; etcd's own for etcd). An empty
// Since means: since before the first version in the table. Deprecated is the
// first minor that warns, Removed the first that no longer knows the flag.
type Flag struct {
	Name        string
	Type        string // as pflag names it: bool, int32, duration, strings, …
	Since       string
	Deprecated  string
	Removed     string
	Replacement string
	Source      string
}

// In reports whether the version knows the flag.
func (f Flag) In(version string) bool {
	return atLeast(version, f.Since) && (f.Removed == "" || !atLeast(version, f.Removed))
}

// Table is every flag of one component, over all versions, in order of name.
type Table []Flag

// Lookup finds a flag by its name without dashes.
func (t Table) Lookup(name string) (Flag, bool) {
	i, ok := slices.BinarySearchFunc(t, name, func(f Flag, n string) int { return strings.Compare(f.Name, n) })
	if !ok {
		return Flag{}, false
	}
	return t[i], true
}

// Names returns the names of the flags that the version knows.
func (t Table) Names(version string) []string {
	var names []string
	for _, f := range t {
		if f.In(version) {
			names = append(names, f.Name)
		}
	}
	return names
}

//go:embed flags/*.tsv
var flagFiles embed.FS

//go:embed tables/*.tsv
var tableFiles embed.FS

// flagTables are read once and never changed; a table that cannot be read is a
// defect of the build, which a test finds.
var flagTables = sync.OnceValue(func() map[string]Table {
	out := map[string]Table{}
	for _, component := range []string{
		ComponentEtcd, ComponentAPIServer, ComponentControllerManager, ComponentScheduler, ComponentKubelet, ComponentKubeProxy,
	} {
		rows, err := readRows(flagFiles, "flags/"+component+".tsv", "name", "type", "since", "deprecated", "removed", "replacement", "source")
		if err != nil {
			panic("units: " + err.Error())
		}
		table := make(Table, 0, len(rows))
		for _, r := range rows {
			for _, minor := range r[2:5] {
				if _, err := minorOf(minor); minor != "" && err != nil {
					panic(fmt.Sprintf("units: flags/%s.tsv: %s: %v", component, r[0], err))
				}
			}
			table = append(table, Flag{r[0], r[1], r[2], r[3], r[4], r[5], r[6]})
		}
		slices.SortFunc(table, func(a, b Flag) int { return strings.Compare(a.Name, b.Name) })
		out[component] = table
	}
	return out
})

// Flags returns the flag table of a component; nil when it takes no flags from
// the user (containerd, hardway-routes).
func Flags(component string) Table { return flagTables()[component] }

// readRows reads a table of tab-separated values with the given header. Lines
// that start with # are comments.
func readRows(files embed.FS, path string, header ...string) ([][]string, error) {
	data, err := files.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var rows [][]string
	for i, line := range strings.Split(strings.TrimSuffix(string(data), "\n"), "\n") {
		if strings.HasPrefix(line, "#") {
			continue
		}
		cells := strings.Split(line, "\t")
		if len(cells) != len(header) {
			return nil, fmt.Errorf("%s:%d: %d columns, not %d", path, i+1, len(cells), len(header))
		}
		rows = append(rows, cells)
	}
	if len(rows) == 0 || !slices.Equal(rows[0], header) {
		return nil, fmt.Errorf("%s: the header is not %s", path, strings.Join(header, " "))
	}
	return rows[1:], nil
}

// mustRows is readRows for our own tables.
func mustRows(path string, header ...string) [][]string {
	rows, err := readRows(tableFiles, path, header...)
	if err != nil {
		panic("units: " + err.Error())
	}
	return rows
}
