//go:build e2e

package e2e

import (
	"encoding/pem"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// testSecrets looks for the keys that are really in use, each of which is its own
// canary, where none may be: in everything that hardway keeps or prints.
func testSecrets(l *lab) {
	l.addKnobs()
	canaries := l.canaries()
	if len(canaries) < 15 {
		l.t.Fatalf("only %d private keys were found on the hosts", len(canaries))
	}
	look := func(where string, text []byte) {
		l.t.Helper()
		if strings.Contains(string(text), "PRIVATE KEY") {
			l.t.Errorf("%s holds a private key in clear", where)
		}
		for path, canary := range canaries {
			if strings.Contains(string(text), canary) {
				l.t.Errorf("%s holds the key of %s", where, path)
			}
		}
	}

	planFile := filepath.Join(l.dir, "secrets.plan")
	l.turn(`scheduler_flags = { v = "7" }`)
	saved := l.must(0, "plan", "--out", planFile)
	look("plan", []byte(saved.all()))
	look("plan --json", []byte(l.must(0, "plan", "--json").all()))
	look("show", []byte(l.must(0, "show", planFile).all()))
	look("show --json", []byte(l.must(0, "show", "--json", planFile).all()))
	look("the events of apply", []byte(l.must(0, "apply", "--json", "--verify=false", planFile).all()))
	l.on("n1", "echo '# edited' >> /etc/kubernetes/kubelet.conf; cat /etc/kubernetes/pki/kubelet-serving.key >/etc/kubernetes/pki/kubelet-serving.crt || true")
	look("drift", []byte(l.must(2, "drift", "--verbose").all()))
	look("drift --json", []byte(l.must(2, "drift", "--json", "--deep").all()))
	look("a plan of mending it", []byte(l.run("plan", "--verbose").all()))
	look("mending it", []byte(l.must(0, "apply", "--auto-approve", "--verify=false").all()))
	look("state pull", []byte(l.must(0, "state", "pull").all()))
	look("certs list", []byte(l.must(0, "certs", "list", "--json").all()))
	l.turn()
	l.must(0, "apply", "--auto-approve", "--verify=false")
	l.noChanges()

	files := 0
	err := filepath.WalkDir(l.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		files++
		look(path, b)
		return nil
	})
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Logf("%d keys looked for in %d files and 12 outputs", len(canaries), files)
	l.rootOnly()
	l.copyIsSealed(look)
}

// canaries are a line out of the middle of every private key on the hosts, by
// host and path.
func (l *lab) canaries() map[string]string {
	l.t.Helper()
	out := map[string]string{}
	for _, h := range names {
		for path := range strings.Lines(l.on(h, `grep -rlE 'PRIVATE KEY' /etc/kubernetes /etc/etcd /var/lib/kubelet/pki 2>/dev/null || true`)) {
			path = strings.TrimSpace(path)
			for rest := []byte(l.on(h, "cat "+path)); ; {
				var block *pem.Block
				if block, rest = pem.Decode(rest); block == nil {
					break
				}
				if !strings.HasSuffix(block.Type, "PRIVATE KEY") {
					continue
				}
				// The first line is much the same in all keys of one algorithm.
				if lines := strings.Split(string(pem.EncodeToMemory(block)), "\n"); len(lines) > 3 {
					out[h+":"+path] = lines[2]
				}
			}
		}
	}
	return out
}

// rootOnly wants what hardway leaves on a host readable by root alone, and keys
// wherever they are. What stood there before hardway came keeps its own mode,
// below a directory that only root can enter.
func (l *lab) rootOnly() {
	l.t.Helper()
	for _, h := range names {
		if got := l.on(h, `find /var/lib/hardway \( ! -user root -o ! -group root -o -type d ! -perm 0700 -o -type f -perm /0077 ! -path '/var/lib/hardway/prior/*' -o ! -type d ! -type f \) -printf '%m %u:%g %p\n'`); got != "" {
			l.t.Errorf("%s: not root's alone:\n%s", h, got)
		}
		if got := l.on(h, `grep -rlE 'PRIVATE KEY' /etc/kubernetes /etc/etcd /var/lib/kubelet/pki 2>/dev/null | xargs -r stat -c '%a %U %n' | grep -vE '^600 (root|etcd) ' || true`); got != "" {
			l.t.Errorf("%s: keys that others may read:\n%s", h, got)
		}
	}
}

// copyIsSealed wants the masters' copy of the state to be of no use to whoever
// has no identity.
func (l *lab) copyIsSealed(look func(string, []byte)) {
	l.t.Helper()
	sealed := l.on("m1", "cat /var/lib/hardway/state.age")
	look("the copy on the master", []byte(sealed))
	if !strings.HasPrefix(sealed, "age-encryption.org/") && !strings.HasPrefix(sealed, "-----BEGIN AGE") {
		l.t.Errorf("the copy on the master is not sealed: it begins with %q", tail(sealed[:min(len(sealed), 40)], 40))
	}
	stranger := *l
	stranger.dir = l.t.TempDir()
	stranger.env = append(append([]string{}, l.env...), "XDG_CONFIG_HOME="+l.t.TempDir())
	files, err := filepath.Glob(filepath.Join(l.dir, "*.hcl*"))
	if err != nil {
		l.t.Fatal(err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			l.t.Fatal(err)
		}
		stranger.write(filepath.Base(f), string(b))
	}
	if err := os.Symlink(filepath.Join(l.src, ".lab"), filepath.Join(stranger.dir, ".lab")); err != nil {
		l.t.Fatal(err)
	}
	if r := stranger.run("state", "recover", "--auto-approve"); r.exit == 0 {
		l.t.Errorf("without an identity the state was recovered:\n%s", tail(r.all(), 2000))
	}
}
