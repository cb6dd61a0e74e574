package versions

import (
	"testing"

	"golang.org/x/mod/semver"
)

func TestAll(t *testing.T) {
	all := All()
	if len(all) != 24 || all[0].Name != "1.14" || all[len(all)-1].Name != "1.37" {
		t.Fatalf("%d minors from %s to %s, want 1.14 to 1.37", len(all), all[0].Name, all[len(all)-1].Name)
	}
	for i, m := range all {
		if i > 0 && semver.Compare("v"+all[i-1].Name, "v"+m.Name) >= 0 {
			t.Errorf("%s stands after %s", m.Name, all[i-1].Name)
		}
		for what, version := range map[string]string{"newest": m.Newest, "etcd": m.Etcd, "containerd": m.Containerd, "runc": m.Runc, "CNI plugins": m.CNIPlugins} {
			if semver.Canonical("v"+version) != "v"+version {
				t.Errorf("%s: %s %q is not a version", m.Name, what, version)
			}
		}
		if semver.MajorMinor("v"+m.Newest) != "v"+m.Name {
			t.Errorf("%s: the newest patch is %s", m.Name, m.Newest)
		}
		if m.OldestEtcd == "" || semver.Compare("v"+m.Etcd, "v"+m.OldestEtcd) < 0 {
			t.Errorf("%s: etcd %s is older than the oldest, %s", m.Name, m.Etcd, m.OldestEtcd)
		}
		if m.Pause == "" {
			t.Errorf("%s has no sandbox image", m.Name)
		}
	}
	for name, want := range map[string]Support{"1.14": Untested, "1.28": Untested, "1.29": Ended, "1.34": Ended, "1.35": Supported, "1.37": Supported} {
		if m, ok := Of(name + ".3"); !ok || m.Support != want {
			t.Errorf("%s is %q, want %q", name, m.Support, want)
		}
	}
	for _, unknown := range []string{"1.13.9", "1.38.0", "", "x"} {
		if m, ok := Of(unknown); ok {
			t.Errorf("%q is %+v", unknown, m)
		}
	}
}
