package flagtable

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestHelpFlags(t *testing.T) {
	const help = `Usage:

  etcd [flags]
    Start an etcd server.

  etcd --version
    Show the version of etcd.

  etcd -h | --help
    Show the help information about etcd.

  etcd --config-file
    Path to the server configuration file. Note that if a configuration file is provided,
    other command line flags will be ignored.

Member:
  --name 'default'
    Human-readable name for this member.

Security:
  --client-cert-auth 'false'
    Enable client cert authentication.
`
	want := []Flag{
		{Name: "version", Type: "bool", Usage: "Show the version of etcd."},
		{Name: "config-file", Type: "string", Usage: "Path to the server configuration file. Note that if a configuration file is provided,\n    other command line flags will be ignored."},
		{Name: "client-cert-auth", Type: "bool", Default: "false", Usage: "Enable client cert authentication."},
	}
	if diff := cmp.Diff(want, helpFlags(help, []Flag{{Name: "name"}})); diff != "" {
		t.Errorf("flags (-want +got):\n%s", diff)
	}
}

func TestDeprecation(t *testing.T) {
	tests := []struct{ usage, want string }{
		{"Maximum number of files. Deprecated in v3.6 and will be decommissioned in v3.8.", "Deprecated in v3.6 and will be decommissioned in v3.8."},
		{"Discovery URL. Will be deprecated in v3.7, and be decommissioned in v3.8.", ""},
		{"Path to the data directory.", ""},
	}
	for _, tt := range tests {
		if got := deprecation(tt.usage); got != tt.want {
			t.Errorf("deprecation(%q) = %q, want %q", tt.usage, got, tt.want)
		}
	}
}

func TestParseDump(t *testing.T) {
	got, err := parseDump([]byte(`{"name":"v","type":"Level","default":"0","deprecated":"","hidden":false,"usage":"level"}` + "\n"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]Flag{{Name: "v", Type: "Level", Default: "0", Usage: "level"}}, got); diff != "" {
		t.Errorf("flags (-want +got):\n%s", diff)
	}
	for _, bad := range []string{"", "{}\n", "panic: no\n"} {
		if _, err := parseDump([]byte(bad)); err == nil {
			t.Errorf("%q is taken for flags", bad)
		}
	}
}
