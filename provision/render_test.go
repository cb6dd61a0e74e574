package provision_test

import (
	"crypto/tls"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hardway/certs"
	"hardway/provision"
	"hardway/provision/plan"
	"hardway/provision/resource"
)

func (w *world) render(o provision.RenderOptions) provision.Rendered {
	w.t.Helper()
	s := w.open()
	defer w.close(s)
	done, err := s.Render(w.t.Context(), o)
	if err != nil {
		w.t.Fatal(err)
	}
	if w.ops() != 0 {
		w.t.Error("a host was asked")
	}
	return done
}

// folder reads a whole folder: mode and content of each path.
func folder(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		content := []byte{}
		if d.Type().IsRegular() {
			if content, err = os.ReadFile(path); err != nil {
				return err
			}
		}
		if d.Type()&fs.ModeSymlink != 0 {
			target, err := os.Readlink(path)
			if err != nil {
				return err
			}
			content = []byte(target)
		}
		out[strings.TrimPrefix(path, dir)] = info.Mode().String() + " " + string(content)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// Rendering asks no host and writes no key unless told to; it lists what it left
// out, and the same state gives the same bytes.
func TestRender(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "testdata/one")
	dir := filepath.Join(w.dir, "out")
	done := w.render(provision.RenderOptions{Dir: dir})
	first := folder(t, dir)
	for _, name := range []string{
		"/m1/etc/systemd/system/etcd.service", "/n1/var/lib/kubelet/config.yaml", "/cluster/clusterrolebinding-hardway-cluster-admins.json",
		"/m1/etc/hosts.hardway", "/m1/etc/kubernetes/admin.conf", "/MANIFEST",
	} {
		if first[name] == "" {
			t.Errorf("%s is missing", name)
		}
	}
	if first["/m1/etc/hosts"] != "" {
		t.Error("copied over /etc/hosts, the block would be all of it")
	}
	if done.Missing == 0 || len(done.Files) < 30 {
		t.Errorf("%d files, %d missing", len(done.Files), done.Missing)
	}
	for path, text := range first {
		if strings.Contains(text, "PRIVATE KEY") {
			t.Errorf("%s holds a key", path)
		}
	}
	for _, want := range []string{
		"key\t0600\troot\troot\t-\tm1/etc/kubernetes/pki/ca-signing.key\tprivate; `hardway render --with-keys` writes it\n",
		"certificate\t0644\troot\troot\t-\tm1/etc/kubernetes/pki/apiserver.crt\tnot made yet",
		"directory\t0700\troot\troot\t-\tm1/var/lib/etcd\t\n",
		"\tm1/usr/local/bin/kubelet\t" + w.dir + "/mirror/v1.37.1/bin/linux/amd64/kubelet (not written; sha256 ",
	} {
		if !strings.Contains(first["/MANIFEST"], want) {
			t.Errorf("MANIFEST does not say %q:\n%s", want, first["/MANIFEST"])
		}
	}
	w.render(provision.RenderOptions{Dir: dir})
	if d := cmp.Diff(first, folder(t, dir)); d != "" {
		t.Errorf("the second time (-first +second):\n%s", d)
	}
}

// With keys a folder is all that a host needs; rendered again it keeps what is
// right, and rendered without keys it loses them.
func TestRenderWithKeys(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "testdata/one")
	dir := filepath.Join(w.dir, "out")
	with := provision.RenderOptions{Dir: dir, WithKeys: true, WithBinaries: true}
	if done := w.render(with); done.Missing != 0 {
		t.Errorf("%d entries are missing", done.Missing)
	}
	first := folder(t, dir)
	pki := dir + "/m1/etc/kubernetes/pki/"
	if _, err := tls.LoadX509KeyPair(pki+"apiserver.crt", pki+"apiserver.key"); err != nil {
		t.Error(err)
	}
	current := dir + "/n1/var/lib/kubelet/pki/kubelet-client-current.pem"
	if _, err := tls.LoadX509KeyPair(current, current); err != nil {
		t.Error(err)
	}
	if at, err := os.Readlink(current); err != nil || at != "kubelet-client-hardway.pem" {
		t.Errorf("%s: %q, %v: the kubelet can only turn a link", current, at, err)
	}
	if !strings.HasPrefix(first[""], "drwx------") {
		t.Errorf("the folder is %.10s", first[""])
	}
	for path, text := range first {
		if strings.Contains(text, "PRIVATE KEY") && !strings.HasPrefix(text, "-rw------- ") {
			t.Errorf("%s is %.10s", path, text)
		}
	}
	if !strings.HasPrefix(first["/n1/usr/local/bin/kubelet"], "-rwxr-xr-x #!/bin/sh") {
		t.Errorf("the kubelet: %.40s", first["/n1/usr/local/bin/kubelet"])
	}
	w.render(with)
	if d := cmp.Diff(first, folder(t, dir)); d != "" {
		t.Errorf("the second time (-first +second):\n%s", d)
	}
	// The same authority signs for an apply afterwards.
	made := w.state().Authorities[certs.AuthorityKubernetes]
	for _, c := range w.plan(provision.PlanOptions{}).Changes {
		if c.Spec.Kind() == resource.KindAuthority && c.Action != plan.NoOp {
			t.Errorf("%s: %s", c.Addr, c.Action)
		}
	}
	if text := first["/m1/etc/kubernetes/pki/ca.crt"]; made.CertPEM == "" || !strings.HasSuffix(text, made.CertPEM) {
		t.Errorf("ca.crt is not the state's: %s", text)
	}
	w.mustConverge(provision.PlanOptions{})
	s := w.open()
	defer w.close(s)
	if _, err := s.Render(t.Context(), provision.RenderOptions{Dir: dir}); err != nil {
		t.Fatal(err)
	}
	for path, text := range folder(t, dir) {
		if strings.Contains(text, "PRIVATE KEY") {
			t.Errorf("%s still holds a key", path)
		}
	}
	f, _ := w.machines[m1].File("/etc/kubernetes/pki/apiserver.crt")
	if text, err := os.ReadFile(pki + "apiserver.crt"); err != nil || string(text) != f.Content {
		t.Errorf("what the host has is not what is rendered: %v", err)
	}
}

// A folder with something else in it is left alone.
func TestRenderRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "testdata/one")
	for name, file := range map[string]string{"MANIFEST": "# written by hardway render; lineage other\n", "notes.txt": "mine\n"} {
		dir := filepath.Join(w.dir, "of-"+name)
		w.write("of-"+name+"/"+name, file)
		before := folder(t, dir)
		s := w.open()
		if _, err := s.Render(t.Context(), provision.RenderOptions{Dir: dir}); err == nil || !strings.Contains(err.Error(), "name an empty or a new directory") {
			t.Errorf("%s: %v", name, err)
		}
		w.close(s)
		if d := cmp.Diff(before, folder(t, dir)); d != "" {
			t.Errorf("%s (-before +after):\n%s", name, d)
		}
	}
}
