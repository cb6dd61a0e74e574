package flagtable

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMerge(t *testing.T) {
	versions := []Version{ // out of order: the newest first
		{Version: "1.37.1", Flags: []Flag{
			{Name: "admission-control", Type: "stringSlice", Deprecated: "Use --enable-admission-plugins or --disable-admission-plugins instead."},
			{Name: "fell-out", Type: "bool", Deprecated: "set it via the config file"},
			{Name: "fresh", Type: "int"},
			{Name: "steady", Type: "duration"},
		}},
		{Version: "1.36.3", Flags: []Flag{
			{Name: "admission-control", Type: "stringSlice", Deprecated: "Use --enable-admission-plugins instead."},
			{Name: "fell-out", Type: "bool"},
			{Name: "gone", Type: "string", Deprecated: "will be removed"},
			{Name: "steady", Type: "int"},
		}},
	}
	versions = append(versions, Version{Version: "1.35.4", Scanned: true, Flags: []Flag{
		{Name: "admission-control", Deprecated: "deprecated"}, {Name: "fell-out"}, {Name: "gone", Deprecated: "deprecated"}, {Name: "steady"},
	}})
	legacy := []Row{
		{Name: "insecure-port", Type: "int", Deprecated: "1.10", Removed: "1.24", Replacement: "secure-port", Source: "CHANGELOG-1.24"},
		{Name: "admission-control", Deprecated: "1.10", Source: "CHANGELOG-1.10"},
		{Name: "gone", Removed: "1.37", Replacement: "steady", Source: "CHANGELOG-1.37"},
		{Name: "steady", Since: "1.28", Source: "flag scan"},
	}
	const both = "source 1.35.4, constructor 1.36.3-1.37.1"
	want := []Row{
		{Name: "admission-control", Type: "stringSlice", Deprecated: "1.10", Replacement: "enable-admission-plugins", Source: both + ", CHANGELOG-1.10"},
		{Name: "fell-out", Type: "bool", Deprecated: "1.37", Source: both},
		{Name: "fresh", Type: "int", Since: "1.37", Source: "constructor 1.37.1"},
		{Name: "gone", Type: "string", Deprecated: "1.35", Removed: "1.37", Replacement: "steady", Source: "source 1.35.4, constructor 1.36.3, CHANGELOG-1.37"},
		{Name: "insecure-port", Type: "int", Deprecated: "1.10", Removed: "1.24", Replacement: "secure-port", Source: "CHANGELOG-1.24"},
		{Name: "steady", Type: "duration", Since: "1.28", Source: both + ", flag scan"},
	}
	got, err := Merge("kube-apiserver", versions, legacy)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("table (-want +got):\n%s", diff)
	}
}

// TestMergeRefusesWhatComesBack holds that a version which was read wrongly does not pass.
func TestMergeRefusesWhatComesBack(t *testing.T) {
	flag := []Flag{{Name: "steady", Type: "bool"}}
	_, err := Merge("kubelet", []Version{{Version: "1.35.4", Flags: flag}, {Version: "1.36.3"}, {Version: "1.37.1", Flags: flag}}, nil)
	if err == nil || !strings.Contains(err.Error(), "--steady is in 1.37.1, and was gone in 1.36") {
		t.Errorf("error is %v", err)
	}
}

func TestMergeRefusesContradictions(t *testing.T) {
	versions := []Version{{Version: "1.37.1", Flags: []Flag{{Name: "alive", Type: "bool"}}}}
	tests := []struct {
		name   string
		legacy Row
		want   string
	}{
		{"removed, yet there", Row{Name: "alive", Removed: "1.30"}, `removed "1.30"`},
		{"no version has it", Row{Name: "dead"}, "does not say when it was removed"},
		{"no type", Row{Name: "dead", Removed: "1.20"}, "has no type"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Merge("kubelet", versions, []Row{tt.legacy})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error is %v, want one with %q", err, tt.want)
			}
		})
	}
}

func TestReplacement(t *testing.T) {
	tests := []struct{ message, want string }{
		{"Use --enable-admission-plugins or --disable-admission-plugins instead.", "enable-admission-plugins"},
		{"Deprecated, use --audit-webhook-initial-backoff instead.", "audit-webhook-initial-backoff"},
		{"This flag is deprecated and will be removed in a future release. Please use --healthz-bind-address instead.", "healthz-bind-address"},
		{"This parameter should be set via the config file specified by the Kubelet's --config flag.", ""},
		{"will be removed in a future version", ""},
	}
	for _, tt := range tests {
		if got := replacement(Flag{Name: "old", Deprecated: tt.message}); got != tt.want {
			t.Errorf("replacement of %q is %q, want %q", tt.message, got, tt.want)
		}
	}
}

func TestLegacyRowsAreReadable(t *testing.T) {
	tables, err := Legacy()
	if err != nil {
		t.Fatal(err)
	}
	for component, rows := range tables {
		for _, row := range rows {
			for _, minor := range []string{row.Since, row.Deprecated, row.Removed} {
				if minor != "" && strings.Count(minor, ".") != 1 {
					t.Errorf("%s --%s: %q is not a minor", component, row.Name, minor)
				}
			}
			if row.Source == "" {
				t.Errorf("%s --%s has no source", component, row.Name)
			}
		}
	}
}

func FuzzParseLegacy(f *testing.F) {
	f.Add("component\t" + header + "\n# comment\nkubelet etcd\ta b\tbool\t\t1.1\t1.2\tc\tsource\n")
	f.Add("component\t" + header + "\nkubelet\ta\n")
	f.Fuzz(func(t *testing.T, text string) {
		tables, err := ParseLegacy(text)
		if err != nil {
			return
		}
		for component, rows := range tables {
			for _, row := range rows {
				if row.Name == "" || strings.ContainsAny(component+row.Name, " \t\n") {
					t.Errorf("%q: a row without a proper name: %+v", component, row)
				}
			}
		}
	})
}
