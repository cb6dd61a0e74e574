// Package flagtable makes the tables of component flags over their versions: what the components' own constructors say
// for the versions that are built, and hand-entered rows for what was there before them.
//
// It must never know what hardway does with the tables.
package flagtable

import (
	"fmt"
	"slices"
	"strings"
)

// Row is one flag over all versions. Since, Deprecated and Removed are minors ("1.37"): Since is empty when the flag is
// older than the table, Removed is the first minor without it.
type Row struct {
	Name, Type, Since, Deprecated, Removed, Replacement, Source string
}

// header names a table's columns.
const header = "name\ttype\tsince\tdeprecated\tremoved\treplacement\tsource"

// Format writes a table.
func Format(rows []Row) []byte {
	var b strings.Builder
	b.WriteString(header + "\n")
	for _, r := range rows {
		b.WriteString(strings.Join([]string{r.Name, r.Type, r.Since, r.Deprecated, r.Removed, r.Replacement, r.Source}, "\t") + "\n")
	}
	return []byte(b.String())
}

// ParseLegacy reads the hand-entered rows: a table with the component before the other columns. Lines that start with
// # are comments; names of several flags with the same fate are separated by spaces.
func ParseLegacy(text string) (map[string][]Row, error) {
	tables := map[string][]Row{}
	seen := map[[2]string]bool{}
	for i, line := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		if i == 0 {
			if line != "component\t"+header {
				return nil, fmt.Errorf("line 1: the header is not %q", "component\t"+header)
			}
			continue
		}
		if strings.HasPrefix(line, "#") {
			continue
		}
		cells := strings.Split(line, "\t")
		if len(cells) != 8 {
			return nil, fmt.Errorf("line %d: %d columns, not 8", i+1, len(cells))
		}
		for _, component := range strings.Fields(cells[0]) {
			for _, name := range strings.Fields(cells[1]) {
				if seen[[2]string{component, name}] {
					return nil, fmt.Errorf("line %d: %s --%s stands twice", i+1, component, name)
				}
				seen[[2]string{component, name}] = true
				tables[component] = append(tables[component], Row{name, cells[2], cells[3], cells[4], cells[5], cells[6], cells[7]})
			}
		}
	}
	return tables, nil
}

// sortRows orders by name, which is how tables are searched.
func sortRows(rows []Row) {
	slices.SortFunc(rows, func(a, b Row) int { return strings.Compare(a.Name, b.Name) })
}
