package units

import (
	"strings"
	"testing"

	"hardway/units/unitfile"
)

// TestDefaultsAreKnown holds that what we render by default exists in the
// version it is rendered for.
func TestDefaultsAreKnown(t *testing.T) {
	for _, version := range []string{"1.36.3", "1.37.1"} {
		for _, u := range append(hostUnits(t, version, "master"), hostUnits(t, version, "node")...) {
			component := strings.TrimSuffix(u.Name, ".service")
			table := Flags(component)
			if table == nil {
				continue
			}
			componentVersion := version
			if component == ComponentEtcd {
				componentVersion = etcdVersionOf(version)
			}
			_, flags, _ := unitfile.SplitFlags(u.Exec)
			for name, value := range flags {
				row, ok := table.Lookup(name)
				if !ok || !row.In(componentVersion) {
					t.Errorf("%s %s does not know --%s", component, componentVersion, name)
				}
				for _, p := range checkFlagValue(component, componentVersion, row, value) {
					t.Errorf("%s %s: %s", component, componentVersion, p.Message)
				}
			}
		}
	}
}

// TestOwnedExist holds that every owned flag and field is one that exists.
func TestOwnedExist(t *testing.T) {
	for key, row := range ownedFlags() {
		if _, ok := Flags(key.component).Lookup(key.name); !ok {
			t.Errorf("%s has no flag --%s", key.component, key.name)
		}
		if row.reason == "" {
			t.Errorf("%s --%s has no reason", key.component, key.name)
		}
	}
	for key := range ownedFields() {
		if !fieldExists(key) {
			t.Errorf("%s has no field %s", key.component, key.name)
		}
	}
	for key, row := range fieldRows() {
		if row.removed == "" && !hasField(key.component, "1.37.1", key.name) {
			t.Errorf("%s: %s is there, and its parent is not", key.component, key.name)
		}
	}
}

// fieldExists asks the check itself: it must not call the field unknown.
func fieldExists(key ownedKey) bool {
	parts := strings.Split(key.name, ".")
	var value any
	for i := len(parts) - 1; i >= 0; i-- {
		value = map[string]any{parts[i]: value}
		if i > 0 && parts[i-1] == "profiles" {
			value = []any{value}
		}
	}
	for _, p := range CheckConfig(key.component, "1.37.1", value.(map[string]any)) {
		if p.Kind == KindUnknown || p.Kind == KindBadValue {
			return false
		}
	}
	return true
}

// TestFlagTables holds the form of the tables, which a program writes.
func TestFlagTables(t *testing.T) {
	for _, c := range Components("1.37.1") {
		table := Flags(c.Name)
		if c.Name == ComponentContainerd || c.Name == ComponentRoutes {
			if table != nil {
				t.Errorf("%s has a table", c.Name)
			}
			continue
		}
		if len(table) < 50 {
			t.Errorf("%s has %d flags", c.Name, len(table))
		}
		for i, f := range table {
			if i > 0 && table[i-1].Name == f.Name {
				t.Errorf("%s: --%s stands twice", c.Name, f.Name)
			}
			if f.Name == "" || f.Type == "" || strings.ContainsAny(f.Name, " _") || strings.HasPrefix(f.Name, "-") {
				t.Errorf("%s: the row %+v is odd", c.Name, f)
			}
		}
	}
	for path, rows := range map[string][]named{"admission": admissionPlugins(), "gates": featureGates()} {
		for _, r := range rows {
			for _, minor := range []string{r.since, r.removed} {
				if _, err := minorOf(minor); minor != "" && err != nil {
					t.Errorf("%s: %s: %v", path, r.name, err)
				}
			}
		}
	}
}
