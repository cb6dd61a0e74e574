package certs

import (
	"path"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func inPKI(p string) string {
	if path.IsAbs(p) {
		return p
	}
	return path.Join("/pki", p)
}

// TestNaming pins the names of each scheme: they are paths on people's hosts.
func TestNaming(t *testing.T) {
	for _, s := range Schemes() {
		t.Run(string(s), func(t *testing.T) {
			n, err := NewNaming(s)
			if err != nil {
				t.Fatal(err)
			}
			var out strings.Builder
			for _, f := range n.Files() {
				out.WriteString(f.Path + "\t" + f.What + "\n")
			}
			golden(t, "naming-"+string(s)+".txt", []byte(out.String()))
			if a, b, found := n.Collision(inPKI); found {
				t.Errorf("%v and %v collide", a, b)
			}
		})
	}
	if _, err := NewNaming("pkcs12"); err == nil {
		t.Error("an unknown scheme was taken")
	}
	none, err := NewNaming("")
	if err != nil {
		t.Fatal(err)
	}
	if kubeadm, _ := NewNaming(SchemeKubeadm); !cmp.Equal(none, kubeadm) {
		t.Error("no scheme is not kubeadm's")
	}
}

func TestNamingCollision(t *testing.T) {
	for name, change := range map[string]func(*Naming){
		"certificate and key":     func(n *Naming) { n.Leaves[LeafAdmin] = FilePair{"admin.pem", "admin.pem"} },
		"two leaves":              func(n *Naming) { n.Leaves[LeafAdmin] = n.Leaves[LeafScheduler] },
		"a leaf and a bundle":     func(n *Naming) { n.Leaves[LeafAdmin] = FilePair{"/pki/ca.crt", "admin.key"} },
		"a file and a directory":  func(n *Naming) { n.Leaves[LeafAdmin] = FilePair{"etcd", "admin.key"} },
		"bundle and signing cert": func(n *Naming) { n.Signing.Cert = n.Bundles[AuthorityKubernetes] },
	} {
		n, err := NewNaming(SchemeKubeadm)
		if err != nil {
			t.Fatal(err)
		}
		change(&n)
		if _, _, found := n.Collision(inPKI); !found {
			t.Errorf("%s: no collision was found", name)
		}
	}
}
