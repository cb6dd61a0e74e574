package ssh

import (
	"os"
	"testing"
	"time"

	"hardway/provision/facts"
	"hardway/provision/host"
	"hardway/provision/host/ssh/sshtest"
	"golang.org/x/crypto/ssh"
)

func TestSmoke(t *testing.T) {
	s := sshtest.Start(t, sshtest.Options{})
	dir := t.TempDir()
	h, err := Dial(t.Context(), Config{Name: "m1", Address: s.Address, User: "root", Signers: []ssh.Signer{s.User()}, KnownHosts: []string{s.KnownHosts(t)}, RunDir: dir + "/run", StateDir: dir + "/state"})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	r, err := h.Run(t.Context(), host.Script{Name: "exec", Args: []string{"printf", "%s|", "a b", "c'\n\"$(x)\\", "", "\xff"}})
	t.Logf("%q %v", r.Stdout, err)
	t0 := time.Now()
	for range 50 {
		if _, err := h.Run(t.Context(), host.Script{Name: "exec", Args: []string{"true"}}); err != nil {
			t.Fatal(err)
		}
	}
	t.Log("run", time.Since(t0)/50)
	t.Log(h.Lock(t.Context(), "me"))
	o, err := h.Observe(t.Context(), facts.Request{Files: []facts.FileRequest{{Path: "/etc/hostname", Content: true}, {Path: "/nope"}, {Path: "/etc/alternatives/awk"}, {Path: "/etc"}}, Sysctls: []string{"net.ipv4.ip_forward"}, Modules: []facts.ModuleRequest{{"overlay", []string{"/proc/filesystems:overlay"}}}, Ports: []int{22}})
	t.Logf("%+v %v", o, err)
	t0 = time.Now()
	h.Close()
	t.Log("close", time.Since(t0))
	e, _ := os.ReadDir(dir)
	for _, e := range e {
		t.Log(e.Name())
	}
	t.Log(s.Connections.Load(), s.Channels.Load())
}
