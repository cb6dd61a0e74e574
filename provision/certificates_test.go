package provision_test

import (
	"strings"
	"testing"

	"k8s.io/client-go/tools/clientcmd"

	"hardway/certs"
	"hardway/provision"
	"hardway/provision/addr"
	"hardway/provision/plan"
)

// The list has every authority and every leaf, as they are where they stand; one
// that cannot be read is in it too.
func TestCertificates(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "testdata/one")
	st := w.mustConverge(provision.PlanOptions{})
	w.machines[m1].SetFile("/etc/kubernetes/pki/admin.crt", nil)
	w.down = map[addr.Host]error{n1: errNoRoute}
	s := w.open()
	defer w.close(s)
	list, err := s.Certificates(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	leaves := 0
	for _, r := range st.Resources {
		if r.Certificate != nil {
			leaves++
		}
	}
	if len(list) != leaves+3 || leaves < 15 {
		t.Errorf("%d certificates, want %d leaves and 3 authorities", len(list), leaves)
	}
	for _, c := range list {
		problem := ""
		switch {
		case c.Host == n1:
			problem = "no route to host"
		case c.Name == "admin":
			problem = "does not exist"
		}
		if !strings.Contains(c.Problem, problem) || (c.Problem == "") != (problem == "") {
			t.Errorf("%s on %s: problem %q", c.Name, c.Host, c.Problem)
		}
		if c.Problem == "" && (c.Info.Serial == "" || c.Info.NotAfter.Before(epoch) || c.Path == "") {
			t.Errorf("%s on %s: %+v", c.Name, c.Host, c.Info)
		}
	}
}

// A renewal issues what is named, with new keys, and nothing else.
func TestRenewal(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "testdata/one")
	s := w.open()
	defer func() { w.close(s) }()
	if _, err := s.PlanRenewal(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "hardway apply") {
		t.Errorf("there is nothing to renew yet: %v", err)
	}
	was := w.mustConverge(provision.PlanOptions{})
	w.close(s)
	s = w.open()
	if _, err := s.PlanRenewal(t.Context(), []string{"apisrver"}); err == nil || !strings.Contains(err.Error(), `"apisrver"`) {
		t.Errorf("got %v", err)
	}
	p, err := s.PlanRenewal(t.Context(), []string{"kube-proxy"})
	if err != nil {
		t.Fatal(err)
	}
	if n := p.Counts(); n != (plan.Counts{Add: 2, Destroy: 2}) { // on the master and on the node
		t.Errorf("got %+v:\n%s", n, says(p))
	}
	if _, err := s.Apply(t.Context(), p, provision.ApplyOptions{}); err != nil {
		t.Fatal(err)
	}
	is := w.state()
	for a, r := range is.Resources {
		if r.Certificate == nil {
			continue
		}
		old := was.Resources[a].Certificate
		renewed := old.Serial != r.Certificate.Serial && old.KeySHA256 != r.Certificate.KeySHA256
		if renewed != (a.Name == "kube-proxy") {
			t.Errorf("%s: renewed %v", a, renewed)
		}
	}
	w.settled(provision.PlanOptions{})

	all, err := s.PlanRenewal(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range all.Changes {
		if leaf := c.Spec.Certificate; leaf != nil && (c.Action == plan.Replace) == leaf.Once {
			t.Errorf("%s: %s", c.Addr, c.Action)
		}
	}
}

// A kubeconfig for a person opens with a certificate of the administrators'
// group, never of system:masters, and ends.
func TestKubeconfig(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "testdata/everything")
	s := w.open()
	if _, _, err := s.Kubeconfig(t.Context(), "ann"); err == nil || !strings.Contains(err.Error(), "hardway apply") {
		t.Errorf("got %v", err)
	}
	w.close(s)
	w.mustConverge(provision.PlanOptions{})
	s = w.open()
	text, ends, err := s.Kubeconfig(t.Context(), "ann")
	w.close(s)
	if err != nil {
		t.Fatal(err)
	}
	conf, err := clientcmd.Load(text.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	info, err := certs.Inspect(conf.AuthInfos["ann"].ClientCertificateData)
	if err != nil {
		t.Fatal(err)
	}
	if info.Subject.CN != "ann" || len(info.Subject.O) != 1 || info.Subject.O[0] != certs.GroupAdmins || !info.NotAfter.Equal(ends) || ends.Sub(epoch) > 31*24*60*60*1e9 {
		t.Errorf("got %+v, until %s", info, ends)
	}
	for _, c := range conf.Clusters {
		if c.Server != "https://k8s-master:7443" || len(c.CertificateAuthorityData) == 0 {
			t.Errorf("got %+v", c)
		}
	}

	w.identity = newIdentity(t) // somebody else's
	s = w.open()
	defer w.close(s)
	if _, _, err := s.Kubeconfig(t.Context(), "ann"); err == nil {
		t.Error("the keys opened for somebody else")
	}
}
