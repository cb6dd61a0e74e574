package scripts

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// manager is a package manager that keeps a list of what is installed, and writes
// down how it was called. Before it is refreshed it knows no package.
func (b *bench) manager(name, install, refresh string) {
	record := fmt.Sprintf("printf '%%s %%s\\n' %s \"$*\" >>%s/calls\n", name, b.dir)
	b.programs(map[string]string{name: record + fmt.Sprintf(`case "$*" in
*%[2]s*)
	[ ! -e %[1]s/offline ] || { echo "Could not resolve host: packages.example"; exit 1; }
	>%[1]s/fresh ;;
*%[3]s*)
	[ -e %[1]s/fresh ] || { echo "no such package"; exit 1; }
	while [ $# -gt 0 ] && [ "$1" != -- ]; do shift; done
	shift
	for p; do [ "$p" != missing ] || { echo "no package $p"; exit 1; }; echo "$p" >>%[1]s/db; done ;;
esac
`, b.dir, refresh, install)})
}

// TestPackages runs the real script with each manager's likeness: what was there
// stays, what was not is noted before, and goes when it is asked for.
func TestPackages(t *testing.T) {
	for manager, c := range map[string]struct {
		tool, install, refresh string
		flags                  []string // that must be there, so that nobody is asked and locks are waited for
	}{
		"apt":    {"apt-get", "install", "update", []string{"-y", "DPkg::Lock::Timeout=300", "--no-install-recommends", "--force-confold"}},
		"dnf":    {"dnf", "install", "makecache", []string{"-y", "install_weak_deps=False"}},
		"zypper": {"zypper", "install", "refresh", []string{"--non-interactive", "--no-recommends"}},
		"apk":    {"apk", "add", "update", []string{"--wait 300"}},
	} {
		t.Run(manager, func(t *testing.T) {
			b := newBench(t)
			state := filepath.Join(b.dir, "state")
			db := b.write("db", "there\n")
			has := func(before string) string {
				return before + fmt.Sprintf("for p; do last=$p; done\ngrep -qx \"$last\" %s && echo installed\n", db)
			}
			drop := fmt.Sprintf("for p; do last=$p; done\n[ \"$last\" != needed ] || exit 1\ngrep -vx \"$last\" %[1]s >%[1]s.new; mv %[1]s.new %[1]s\n", db)
			b.manager(c.tool, c.install, c.refresh)
			switch manager {
			case "apt":
				b.programs(map[string]string{"dpkg-query": has(""), "dpkg": drop})
			case "apk":
				text := b.read(filepath.Join(b.dir, "bin", "apk"))
				b.programs(map[string]string{"apk": "case \"$*\" in info*) " + strings.TrimSpace(has("")) + "; exit ;; *del*) " + strings.TrimSpace(drop) + "; exit ;; esac\n" + text})
			default:
				b.programs(map[string]string{"rpm": "if [ \"$1\" = -q ]; then\n" + has("") + "else\n" + drop + "fi\n"})
			}
			b.want("installed one\ninstalled needed\n", 0, "packages", "install", manager, "there", "one", "needed")
			calls := b.read(b.dir + "/calls")
			for _, flag := range c.flags {
				if !strings.Contains(calls, flag) {
					t.Errorf("%s was called without %s:\n%s", c.tool, flag, calls)
				}
			}
			if note := b.read(state + "/packages"); note != manager+" needed\n"+manager+" one\n" {
				t.Errorf("noted: %q", note)
			}
			b.want("", 0, "packages", "install", manager, "there", "one")
			if again := b.read(b.dir + "/calls"); again != calls {
				t.Errorf("the second run called %s", again)
			}
			if out, code := b.run("packages", "install", manager, "missing"); code != 1 || !strings.Contains(out, "cannot install missing") || !strings.Contains(out, "no package missing") {
				t.Errorf("a package that does not exist: %d %s", code, out)
			}
			b.write("offline", "")
			if err := os.Remove(b.dir + "/fresh"); err != nil {
				t.Fatal(err)
			}
			if out, code := b.run("packages", "install", manager, "two"); code != 1 || !strings.Contains(out, "its repositories cannot be read") || !strings.Contains(out, "Could not resolve host") {
				t.Errorf("offline: %d %s", code, out)
			}
			b.want("kept needed\nremoved one\n", 0, "packages", "remove", manager)
			if left := b.read(db); left != "there\nneeded\n" {
				t.Errorf("left: %q", left)
			}
			b.want("", 0, "packages", "remove", manager)
		})
	}
	b := newBench(t)
	for _, bad := range [][]string{{"install", "pip", "x"}, {"install", "apt", "-o"}, {"install", "apt", "a b"}, {"upgrade", "apt"}} {
		if _, code := b.run("packages", bad...); code == 0 {
			t.Errorf("%q was taken", bad)
		}
	}
}

// TestSELinux runs the real script with stand-ins for getenforce, setenforce,
// semanage and restorecon, which keep the mode and write down how they were called.
func TestSELinux(t *testing.T) {
	b := newBench(t)
	mode := b.write("mode", "Enforcing\n")
	before := "# comment\nSELINUX=enforcing\nSELINUXTYPE=targeted\n"
	conf := b.write("config", before)
	dir := filepath.Join(b.dir, "bin")
	record := "printf '%s\\n' \"${0##*/} $*\" >>" + b.dir + "/calls\n"
	b.programs(map[string]string{
		"getenforce": "cat " + mode + "\n", "setenforce": record + "echo $1 >" + mode + "\n",
		"semanage":   "[ \"$2\" != -l ] || exit 0\n" + record,
		"restorecon": record + "echo Relabeled\n",
	})
	b.want("written\n", 0, "selinux", "permissive", conf)
	if got := b.read(mode) + b.read(conf); got != "Permissive\n"+strings.Replace(before, "=enforcing", "=permissive", 1) {
		t.Errorf("permissive: %q", got)
	}
	b.want("unchanged\n", 0, "selinux", "permissive", conf)
	b.stdin = "like /usr/local/bin " + dir + "\nlabel " + dir + "\nlabel /does/not/exist\n"
	b.want("written\n", 0, "selinux", "enforcing", conf)
	if got := b.read(mode) + b.read(conf); got != "Enforcing\n"+before {
		t.Errorf("enforcing: %q", got)
	}
	b.stdin = ""
	b.want("written\n", 0, "selinux", "permissive", conf)
	b.want("written\n", 0, "selinux", "restore", conf)
	if got := b.read(mode) + b.read(conf); got != "Enforcing\n"+before {
		t.Errorf("restored: %q", got)
	}
	b.want("unchanged\n", 0, "selinux", "restore", conf)
	want := "setenforce Permissive\nsemanage fcontext -a -e /usr/local/bin " + dir + "\nrestorecon -R -v -- " + dir +
		"\nsetenforce Enforcing\nsetenforce Permissive\nsemanage fcontext -d -e /usr/local/bin " + dir + "\nsetenforce Enforcing\n"
	if got := b.read(b.dir + "/calls"); got != want {
		t.Errorf("called:\n%swant:\n%s", got, want)
	}
	b.write("mode", "Disabled\n")
	b.want("unchanged\n", 0, "selinux", "enforcing", conf)
}

// TestFirewall: where neither is active nothing is done, and what is no
// rule is refused. What happens with firewalld and ufw is held by their own
// commands; their likenesses stand here for the words they are given.
func TestFirewall(t *testing.T) {
	b := newBench(t)
	b.write("active", "")
	b.programs(map[string]string{
		"systemctl": "exit 3\n",
		"ufw": fmt.Sprintf(`if [ "$1" = status ]; then
	[ ! -s %[1]s/active ] || echo "Status: active"
	exit
fi
rule=$(printf '%%s\n' "$*" | sed 's/delete //')
case "$*" in
*delete*) grep -qxF "$rule" %[1]s/theirs && { grep -vxF "$rule" %[1]s/theirs >%[1]s/new; mv %[1]s/new %[1]s/theirs; echo "Rule deleted"; } || echo "Skipping, no such rule" ;;
"--force disable") : >%[1]s/active ;;
"--force enable") echo yes >%[1]s/active ;;
*) grep -qxF "$rule" %[1]s/theirs && echo "Skipping adding existing rule" || { echo "$rule" >>%[1]s/theirs; echo "Rule added"; } ;;
esac
`, b.dir),
	})
	theirs := "allow proto tcp from any to any port 6443\n"
	rules := b.write("theirs", theirs)
	b.stdin = "port tcp 6443 any\nport tcp 2379-2380 10.0.0.1\ntrust 10.244.0.0/16\n"
	b.want("", 0, "firewall", "open") // ufw is off
	b.write("active", "yes")
	b.want("added port tcp 2379-2380 10.0.0.1\nadded trust 10.244.0.0/16\n", 0, "firewall", "open")
	if want := theirs + "allow proto tcp from 10.0.0.1 to any port 2379:2380\nallow from 10.244.0.0/16\nroute allow from 10.244.0.0/16\nroute allow to 10.244.0.0/16\n"; b.read(rules) != want {
		t.Errorf("rules:\n%s", b.read(rules))
	}
	b.want("", 0, "firewall", "open")
	b.stdin = "port tcp 6443 any\ntrust 10.244.0.0/16\n"
	b.want("removed port tcp 2379-2380 10.0.0.1\n", 0, "firewall", "open")
	b.stdin = ""
	b.want("disabled ufw\n", 0, "firewall", "disable")
	b.want("enabled ufw\nremoved trust 10.244.0.0/16\n", 0, "firewall", "restore")
	if b.read(rules) != theirs {
		t.Errorf("rules after restore:\n%s", b.read(rules))
	}
	b.want("", 0, "firewall", "restore")
	for _, bad := range []string{"port tcp 6443", "port icmp 1 any", "port tcp 1;id any", "trust $(id)", "trust", "open everything", "port tcp -1 any"} {
		b.stdin = bad + "\n"
		if out, code := b.run("firewall", "open"); code != 64 {
			t.Errorf("%q: %d %s", bad, code, out)
		}
	}
}
