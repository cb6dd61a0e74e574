package ssh

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/google/go-cmp/cmp"

	"hardway/provision/facts"
)

// records writes an answer as observe.sh does.
func records(list ...[]string) []byte {
	out := ""
	for _, r := range list {
		out += strings.Join(r, "\x00") + "\x00"
	}
	return []byte(out)
}

const digestA = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

// fullRequest asks for one of everything.
var fullRequest = facts.Request{
	Deep: true, Argv: true,
	Files: []facts.FileRequest{{Path: "/etc/hosts", Content: true}, {Path: "/bin/x"}, {Path: "/gone"}, {Path: "/dir"}, {Path: "/link", Certificates: true},
		{Path: "/etc/fstab", Content: true}, {Path: "/proc/x", Content: true}, {Path: "/large", Content: true}, {Path: "/key", Certificates: true},
		{Path: `/back\slash`, Known: facts.Knowing("x")}, {Path: "/same", Content: true, Known: facts.Knowing("as ever\n")}, {Path: "/none", Content: true, Known: facts.Knowing("")},
		{Path: "/differs", Content: true, Known: facts.Knowing("as ever\n")}, {Path: "/gone too", Content: true, Known: facts.Knowing("as ever\n")}},
	Units: []string{"etcd.service", "route.service", "nope.service"}, Sysctls: []string{"net.ipv4.ip_forward", "net/ipv4/conf/eth0.1/forwarding", "no.such", "kernel.empty", "net/ipv4/conf/eth0:1/forwarding"},
	Modules: []facts.ModuleRequest{{Name: "overlay"}}, Images: &facts.ImagesRequest{Ctr: "/ctr", Socket: "/sock"}, Ports: []int{6443, 22},
	Kube: &facts.KubeRequest{Kubectl: "/kubectl", Kubeconfig: "/conf", EtcdData: "/data", Nodes: true, Objects: []facts.ObjectRef{
		{Kind: "clusterrolebindings.rbac.authorization.k8s.io", Name: "a"}, {Kind: "storageclasses", Name: "s"}, {Kind: "configmap", Namespace: "ns", Name: "c"}}},
}

func fullAnswer() []byte {
	return records(
		[]string{"clock", "1000.500000000"},
		[]string{"uname", "m1", "6.1.0", "x86_64"},
		[]string{"module", "overlay", "1", ""},
		[]string{"sysctl", "/proc/sys/net/ipv4/ip_forward"},
		[]string{"sysctl", "/proc/sys/net/ipv4/conf/eth0.1/forwarding"},
		[]string{"sysctl", "/proc/sys/kernel/empty"},
		[]string{"system", "/proc/sys/net/ipv4/ip_forward:1\n/proc/sys/net/ipv4/conf/eth0.1/forwarding:a\tb\n/proc/sys/net/ipv4/conf/eth0.1/forwarding:c:d\n" +
			"/proc/sys/net/ipv4/conf/eth0:1/forwarding:e\n/proc/sys/other:1\n" +
			"/proc/self/mountinfo:1 0 8:1 / / rw - ext4 /dev/vda1 rw\n/proc/self/mountinfo:2 1 8:1 /h /etc/hosts rw - ext4 /dev/vda1 rw\n" +
			"/proc/self/mountinfo:3 1 8:1 /h /a\\040b rw - ext4 /dev/vda1 rw\n" +
			"/proc/meminfo:MemTotal:        8000000 kB\n/proc/meminfo:MemFree: 1 kB\n/proc/self/status:Cpus_allowed:\tf\n/proc/self/status:Cpus_allowed_list:\t0-2,5\n" +
			"/proc/swaps:Filename Type Size Used Priority\n/proc/swaps:/dev/vda2 partition 1 0 -2\n" +
			"/proc/net/if_inet6:fd000000000000000000000000000005 02 40 00 80 eth0\n/proc/net/if_inet6:00000000000000000000000000000001 01 80 10 80 lo\n" +
			"/etc/os-release:PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n/etc/os-release:ID=debian\n/etc/os-release:VERSION_ID=\"12\"\n/etc/machine-id:abc123\n"},
		[]string{"mark", "/var/lib/hardway/mark", "file", "0b1c\n42\nmy cluster\n" + digestA + "\n"},
		[]string{"json", `{"kind":"NodeList","items":[{"kind":"Node","metadata":{"name":"m1"}}]}`},
		[]string{"json", ""},
		[]string{"json", `{"kind":"List","items":[{"kind":"ClusterRoleBinding","metadata":{"name":"a"}},{"kind":"StorageClass","metadata":{"name":"s"}},{"kind":"Secret","metadata":{"name":"x"}}]}`},
		[]string{"json", `{"kind":"ConfigMap","metadata":{"name":"c","namespace":"ns"}}`},
		[]string{"kube", "up", ""},
		[]string{"file", "/etc/hosts", "f", "644", "root", "root", "10", ""},
		[]string{"file", "/proc/x", "f", "444", "root", "root", "0", ""},
		[]string{"file", "/large", "f", "444", "root", "root", "262145", ""},
		[]string{"file", "/etc/fstab", "f", "644", "root", "root", "5", ""},
		[]string{"file", "/bin/x", "f", "4755", "root", "staff", "7", ""},
		[]string{"file", "/dir", "d", "1777", "root", "root", "4096", ""},
		[]string{"empty", "/dir"},
		[]string{"file", "/link", "l", "777", "kubelet", "root", "3", "../a b"},
		[]string{"sums", "\n" + digestA + "  /bin/x\n" + sha256Hex("127.0.0.1\n") + "  /etc/hosts\n" + sha256Hex("fstab") + "  /etc/fstab\n" +
			digestA + "  /proc/x\n" + digestA + "  /large\n\\" + digestA + "  /back\\\\slash\n" + sha256Hex("as ever\n") + "  /same\n" + sha256Hex("") + "  /none\n" +
			sha256Hex("other") + "  /differs\n"},
		[]string{"file", `/back\slash`, "f", "600", "root", "root", "3", ""},
		[]string{"file", "/same", "f", "600", "root", "root", "8", ""},
		[]string{"file", "/none", "f", "600", "root", "root", "0", ""},
		[]string{"file", "/differs", "f", "600", "root", "root", "5", ""},
		[]string{"contents", base64.StdEncoding.EncodeToString([]byte("127.0.0.1\nfstabother"))},
		[]string{"content", "/proc/x", base64.StdEncoding.EncodeToString([]byte("later"))},
		[]string{"certificates", "/key\n/link\n:PEM\n:/EM"},
		[]string{"units", "Id=etcd.service\nLoadState=loaded\nActiveState=active\nSubState=running\nUnitFileState=enabled\nFragmentPath=/etc/systemd/system/etcd.service\nDropInPaths=/a.conf /b.conf\nMainPID=42\nNRestarts=3\nResult=success\nNeedDaemonReload=yes\nType=notify\nEnvironment=HARDWAY_INPUTS=later\n\n" +
			"Id=route.service\nLoadState=loaded\nActiveState=active\nSubState=exited\nMainPID=0\nNRestarts=0\nType=oneshot\nEnvironment=A=b \"HARDWAY_INPUTS=once\"\n\n" +
			"Id=nope.service\nLoadState=not-found\nActiveState=inactive\nSubState=dead\nMainPID=0\nNRestarts=0\n"},
		[]string{"inputs", "/proc/42/environ", "HARDWAY_INPUTS=now", ""},
		[]string{"dropins", "/b.conf\n:[Service]\n:CPUWeight=1\n/other.conf\n:x\n"},
		[]string{"argv", "/proc/42/cmdline", base64.StdEncoding.EncodeToString([]byte("/usr/bin/etcd\x00--a=b c\x00\x00\x00"))},
		[]string{"argv", "/proc/43/cmdline", ""},
		[]string{"images", "REF TYPE DIGEST SIZE PLATFORMS LABELS\npause:3 t sha256:1 1 KiB linux/amd64 hardway.io/archive=abc,io.cri-containerd.image=managed\nother t sha256:2 1 KiB linux/amd64 -\n"},
		[]string{"listen", "192B", "77"},
		[]string{"socket", "77", "kube-apiserver"},
		[]string{"cgroup", "2"},
		[]string{"ipv4", "           |-- 10.0.0.5\n              /32 host LOCAL\n--\n |-- 127.0.0.1\n /32 host LOCAL\n |-- 10.0.0.5\n"},
		[]string{"command", "nft", "/usr/sbin/nft"},
		[]string{"clock", "1001.500000000"}, []string{"Z"})
}

func TestParseObservation(t *testing.T) {
	sent, received := time.Unix(998, 0), time.Unix(1000, 0)
	got, err := parseObservation(fullRequest, string(fullAnswer()), sent, received)
	if err != nil {
		t.Fatal(err)
	}
	want := facts.Observation{
		OS: facts.OS{ID: "debian", Version: "12", Name: "Debian GNU/Linux 12 (bookworm)"}, Arch: "amd64", Hostname: "m1", Machine: "abc123",
		Kernel: "6.1.0", Cgroup: 2, CPUs: 4, MemoryKB: 8000000, Clock: time.Unix(1001, 5e8).UTC(), Skew: 2 * time.Second,
		Addresses: []string{"10.0.0.5", "fd00::5"}, Commands: map[string]string{"nft": "/usr/sbin/nft"},
		Files: map[string]facts.File{
			"/etc/hosts": {Type: facts.Regular, Mode: 0o644, Owner: "root", Group: "root", Size: 10, Mount: true, Content: []byte("127.0.0.1\n"),
				SHA256: sha256Hex("127.0.0.1\n")},
			"/etc/fstab": {Type: facts.Regular, Mode: 0o644, Owner: "root", Group: "root", Size: 5, Content: []byte("fstab"), SHA256: sha256Hex("fstab")},
			"/proc/x": {Type: facts.Regular, Mode: 0o444, Owner: "root", Group: "root", Size: 5, Content: []byte("later"),
				SHA256: sha256Hex("later")}, // of the content, not what sha256sum saw a moment before
			"/large": {Type: facts.Regular, Mode: 0o444, Owner: "root", Group: "root", Size: 262145, SHA256: digestA},
			"/key":   {Type: facts.Absent},
			"/bin/x": {Type: facts.Regular, Mode: 0o4755, Owner: "root", Group: "staff", Size: 7, SHA256: digestA},
			"/gone":  {Type: facts.Absent}, "/gone too": {Type: facts.Absent},
			`/back\slash`: {Type: facts.Regular, Mode: 0o600, Owner: "root", Group: "root", Size: 3, SHA256: digestA},
			"/same":       {Type: facts.Regular, Mode: 0o600, Owner: "root", Group: "root", Size: 8, SHA256: sha256Hex("as ever\n"), Content: []byte("as ever\n")},
			"/none":       {Type: facts.Regular, Mode: 0o600, Owner: "root", Group: "root", SHA256: sha256Hex(""), Content: []byte{}},
			"/differs":    {Type: facts.Regular, Mode: 0o600, Owner: "root", Group: "root", Size: 5, SHA256: sha256Hex("other"), Content: []byte("other")},
			"/dir":        {Type: facts.Directory, Mode: 0o1777, Owner: "root", Group: "root", Size: 4096, Empty: true},
			"/link":       {Type: facts.Symlink, Mode: 0o777, Owner: "kubelet", Group: "root", Size: 3, Target: "../a b", Content: []byte("PEM\n/EM\n")},
		},
		Units: map[string]facts.Unit{
			"etcd.service": {Load: "loaded", Active: "active", Sub: "running", Enabled: "enabled", Fragment: "/etc/systemd/system/etcd.service",
				DropIns: []string{"/a.conf", "/b.conf"}, DropInTexts: map[string]string{"/b.conf": "[Service]\nCPUWeight=1\n"}, PID: 42, Restarts: 3, Inputs: "now", Result: "success", NeedsReload: true,
				Argv: []string{"/usr/bin/etcd", "--a=b c", "", ""}},
			"route.service": {Load: "loaded", Active: "active", Sub: "exited", Inputs: "once"},
			"nope.service":  {Load: "not-found", Active: "inactive", Sub: "dead"},
		},
		Sysctls: map[string]string{"net.ipv4.ip_forward": "1", "net/ipv4/conf/eth0.1/forwarding": "a\tb\nc:d", "kernel.empty": "", "net/ipv4/conf/eth0:1/forwarding": "e"}, Modules: map[string]bool{"overlay": true},
		Mark:  facts.Mark{Lineage: "0b1c", Serial: 42, Cluster: "my cluster", Copy: digestA},
		Swaps: []string{"/dev/vda2"}, Images: map[string]string{"pause:3": "abc", "other": ""}, Listeners: map[int]string{6443: "kube-apiserver"},
		Kube: facts.Kube{State: facts.Up, Nodes: map[string]json.RawMessage{"m1": json.RawMessage(`{"kind":"Node","metadata":{"name":"m1"}}`)},
			Objects: map[string]json.RawMessage{
				"clusterrolebindings.rbac.authorization.k8s.io/a": json.RawMessage(`{"kind":"ClusterRoleBinding","metadata":{"name":"a"}}`),
				"storageclasses/s": json.RawMessage(`{"kind":"StorageClass","metadata":{"name":"s"}}`),
				"configmap/ns/c":   json.RawMessage(`{"kind":"ConfigMap","metadata":{"name":"c","namespace":"ns"}}`),
			}},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Fatal(d)
	}
}

func TestParseObservationRefuses(t *testing.T) {
	whole := string(fullAnswer())
	for _, c := range []struct{ name, from, to, says string }{
		{"cut off", "\x00Z\x00", "\x00", "not whole"},
		{"cut in a field", "Z\x00", "Z", "not whole"},
		{"an unknown record", "cgroup\x00", "cgrou5\x00", `record "cgrou5"`},
		{"a file that nobody asked for", "\x00/bin/x\x00f", "\x00/etc/shadow\x00f", "not asked for"},
		{"an error of the script", "Z\x00", "error\x00find: /x: Input/output error\x00Z\x00", "Input/output error"},
		{"a wrong mode", "\x00644\x00", "\x00rw-\x00", "invalid syntax"},
		{"a negative size", "\x00262145\x00", "\x00-1\x00", "size"},
		{"no mark", "mark\x00/var/lib/hardway/mark\x00file\x000b1c\n42\nmy cluster\n" + digestA + "\n\x00", "", "protocol"},
		{"a mark cut short", "\nmy cluster\n" + digestA + "\n", "", "/var/lib/hardway/mark is damaged"},
		{"a mark of zeros", "0b1c\n42\nmy cluster\n" + digestA + "\n", "\x01\x01\x01\n\x01\n\n\n", "/var/lib/hardway/mark is damaged"},
		{"an empty mark", "0b1c\n42\nmy cluster\n" + digestA + "\n", "", "/var/lib/hardway/mark is damaged"},
		{"a mark without a serial", "\n42\n", "\nx\n", "/var/lib/hardway/mark is damaged"},
		{"a mark whose copy is none", "\n" + digestA + "\n", "\nx\n", "/var/lib/hardway/mark is damaged"},
		{"a mark that is no file", "mark\x00file", "mark\x00directory", "/var/lib/hardway/mark is damaged"},
		{"a content that changed", base64.StdEncoding.EncodeToString([]byte("127.0.0.1\nfstabother")), base64.StdEncoding.EncodeToString([]byte("127.0.0.2\nfstabother")), "/etc/hosts changed while it was read"},
		{"a content that shrank", base64.StdEncoding.EncodeToString([]byte("127.0.0.1\nfstabother")), base64.StdEncoding.EncodeToString([]byte("127.0.0.1\nfstabothe")), "/differs changed while it was read"},
		{"a content that grew", base64.StdEncoding.EncodeToString([]byte("127.0.0.1\nfstabother")), base64.StdEncoding.EncodeToString([]byte("127.0.0.1\nfstabothers")), "/differs changed while it was read"},
		{"certificates of a file that nobody asked for", "\x00/key\n", "\x00/etc/shadow\n", "not asked for"},
		{"certificates of no file", "\x00/key\n/link\n", "\x00", "protocol"},
		{"a file without a digest", digestA + "  /bin/x", "x  /bin/x", "changed while it was read"},
		{"a unit too few", "Id=nope.service", "\n\nId=nope.service", "4 units"},
		{"a unit without a state", "LoadState=not-found\n", "", "LoadState"},
		{"a PID that is none", "MainPID=42", "MainPID=x", "MainPID"},
		{"processors that are none", "0-2,5", "2-0", "Cpus_allowed_list"},
		{"drop-ins of no file", "dropins\x00/b.conf\n", "dropins\x00", "protocol"},
		{"a known content that changed", sha256Hex("as ever\n") + "  /same", digestA + "  /same", "/same changed while it was read"},
		{"one clock only", "clock\x001001.500000000\x00", "", "protocol"},
		{"a clock that is none", "1001.500000000", "yesterday", "clock"},
		{"json that is none", `{"kind":"ConfigMap"`, `{"kind":"ConfigMap`, "kubectl"},
		{"an unknown state of the cluster", "kube\x00up", "kube\x00fine", "cluster state"},
		{"a port that is none", "listen\x00192B", "listen\x00xyz", "invalid syntax"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if !strings.Contains(whole, c.from) {
				t.Fatalf("the answer does not hold %q", c.from)
			}
			_, err := parseObservation(fullRequest, strings.Replace(whole, c.from, c.to, 1), time.Time{}, time.Time{})
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Fatalf("got %v, want it to say %q", err, c.says)
			}
		})
	}
}

// What the API could not tell is unknown, and never absent.
func TestParseObservationOfADownCluster(t *testing.T) {
	for _, state := range []facts.KubeState{facts.Down, facts.Forbidden} {
		text := strings.Replace(string(fullAnswer()), "kube\x00up\x00", "kube\x00"+string(state)+"\x00connection refused", 1)
		o, err := parseObservation(fullRequest, text, time.Time{}, time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(facts.Kube{State: state, Message: "connection refused"}, o.Kube); d != "" {
			t.Fatal(d)
		}
	}
}

// An observation outlives the answer, which must not be kept for the sake of a
// few words in it.
func TestObservationIsNoPartOfTheAnswer(t *testing.T) {
	out := string(fullAnswer())
	o, err := parseObservation(fullRequest, out, time.Unix(1, 0), time.Unix(2, 0))
	if err != nil {
		t.Fatal(err)
	}
	begin := uintptr(unsafe.Pointer(unsafe.StringData(out)))
	var walk func(at string, v reflect.Value)
	walk = func(at string, v reflect.Value) {
		switch v.Kind() {
		case reflect.String:
			if p := uintptr(unsafe.Pointer(unsafe.StringData(v.String()))); v.Len() > 0 && p >= begin && p < begin+uintptr(len(out)) {
				t.Errorf("%s is a part of the answer: %q", at, v.String())
			}
		case reflect.Struct:
			for i := range v.NumField() {
				walk(at+"."+v.Type().Field(i).Name, v.Field(i))
			}
		case reflect.Map:
			for _, key := range v.MapKeys() {
				walk(fmt.Sprintf("the key %v of %s", key, at), key)
				walk(fmt.Sprintf("%s[%v]", at, key), v.MapIndex(key))
			}
		case reflect.Slice:
			if v.Type().Elem().Kind() == reflect.Uint8 {
				return
			}
			for i := range v.Len() {
				walk(fmt.Sprintf("%s[%d]", at, i), v.Index(i))
			}
		}
	}
	walk("observation", reflect.ValueOf(o))
}

func TestEncodeRequest(t *testing.T) {
	got, err := encodeRequest(fullRequest)
	if err != nil {
		t.Fatal(err)
	}
	want := `D
C/etc/hosts
F/bin/x
F/gone
F/dir
B/link
C/etc/fstab
C/proc/x
C/large
B/key
F/back\slash
c/same
c/none
c/differs
c/gone too
A
Uetcd.service
Uroute.service
Unope.service
S/proc/sys/net/ipv4/ip_forward
S/proc/sys/net/ipv4/conf/eth0.1/forwarding
S/proc/sys/no/such
S/proc/sys/kernel/empty
S/proc/sys/net/ipv4/conf/eth0:1/forwarding
Moverlay
P192B
P0016
I/ctr
i/sock
K/kubectl
k/conf
d/data
N
G-
Rclusterrolebindings.rbac.authorization.k8s.io/a
Rstorageclasses/s
Gns
Rconfigmap/c
h294
` + sha256Hex("as ever\n") + "  /same\n" + sha256Hex("") + "  /none\n" + sha256Hex("as ever\n") + "  /differs\n" + sha256Hex("as ever\n") + "  /gone too\n"
	if d := cmp.Diff(want, string(got)); d != "" {
		t.Fatal(d)
	}
	for _, bad := range []facts.Request{
		{Files: []facts.FileRequest{{Path: "relative"}}}, {Files: []facts.FileRequest{{Path: "/a\nUevil.service"}}},
		{Units: []string{""}}, {Units: []string{"a\x00b"}}, {Modules: []facts.ModuleRequest{{Name: "m", Effects: []string{"rel"}}}},
	} {
		if b, err := encodeRequest(bad); err == nil {
			t.Errorf("%+v was encoded as %q", bad, b)
		}
	}
}

func FuzzParseObservation(f *testing.F) {
	f.Add(fullAnswer())
	f.Add([]byte("clock\x001.5\x00Z\x00"))
	f.Add([]byte("units\x00\n\n\n\x00Z\x00"))
	f.Fuzz(func(t *testing.T, out []byte) {
		o, err := parseObservation(fullRequest, string(out), time.Unix(1, 0), time.Unix(2, 0))
		if err != nil {
			if strings.ContainsAny(err.Error(), "\x1b\x00") {
				t.Errorf("the error carries control characters: %q", err)
			}
			return
		}
		// Only what was asked for, and never more than what came.
		size := 0
		for p, file := range o.Files {
			size += len(file.Content)
			found := false
			for _, asked := range fullRequest.Files {
				found = found || asked.Path == p
			}
			if !found {
				t.Errorf("file %q was not asked for", p)
			}
		}
		if size > len(out)+len("as ever\n")*3 { // and what was known
			t.Errorf("%d bytes of content out of %d", size, len(out))
		}
		if len(o.Files) != len(fullRequest.Files) || len(o.Units) != len(fullRequest.Units) {
			t.Errorf("%d files and %d units", len(o.Files), len(o.Units))
		}
	})
}
