package scripts

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// stillThere is what of kube-proxy's and the kubelet's a namespace has.
type stillThere struct {
	Chains  []string // table/CHAIN of those that begin with KUBE-
	Foreign []string // rules of others, and those that lead into our chains
	Link    bool     // kube-ipvs0
	Log     string   // what the fakes were asked to remove
}

// kubelets are the chains that a kubelet makes for itself.
var kubelets = []string{"filter/KUBE-FIREWALL", "mangle/KUBE-IPTABLES-HINT", "mangle/KUBE-KUBELET-CANARY"}

// The rules are what kube-proxy 1.36.3 left in iptables mode (without its counters,
// which are objects of their own), and what upstream's
// documentation and source say of ipvs mode, which needs a kernel that has it. They
// are loaded with the machine's iptables into a network namespace of their own.
func TestCleanupProxy(t *testing.T) {
	const redirect = "-A PREROUTING -p tcp -m tcp --dport 9999 -j REDIRECT --to-ports 8081"
	entries := []string{"-A INPUT -j KUBE-FIREWALL", "-A OUTPUT -j KUBE-FIREWALL", redirect}
	everyServer := "destroy KUBE-CLUSTER-IP\ndestroy KUBE-6-LOOP-BACK\n-D -t 10.96.0.1:443\n-D -u 10.96.0.10:53\n-D -t [fd00:96::1]:443\n-D --sctp-service 10.96.0.7:9\n-D -t 127.0.0.1:30080\n"
	for name, test := range map[string]struct {
		rules string // file in testdata/proxy
		ipvs  bool   // kube-ipvs0 and virtual servers are there
		args  []string
		want  stillThere
	}{
		"iptables to nftables":  {"iptables", false, []string{"nftables", "30000", "32767", "/nonexistent"}, stillThere{Chains: kubelets, Foreign: entries}},
		"iptables to ipvs":      {"iptables", false, []string{"ipvs"}, stillThere{Chains: kubelets, Foreign: entries}},
		"iptables to userspace": {"iptables", false, []string{"userspace"}, stillThere{Chains: kubelets, Foreign: entries}},
		"iptables stays":        {"iptables", false, []string{"iptables"}, stillThere{}},
		"iptables goes":         {"iptables", false, nil, stillThere{Foreign: []string{redirect}}},
		"ipvs to iptables":      {"ipvs", true, []string{"iptables"}, stillThere{Chains: append([]string{"nat/KUBE-KUBELET-CANARY"}, kubelets...), Foreign: entries, Log: everyServer}},
		"ipvs to nftables":      {"ipvs", true, []string{"nftables"}, stillThere{Chains: append([]string{"nat/KUBE-KUBELET-CANARY"}, kubelets...), Foreign: entries, Log: everyServer}},
		"ipvs goes":             {"ipvs", true, nil, stillThere{Foreign: []string{redirect}, Log: everyServer}},
		"ipvs stays":            {"ipvs", true, []string{"ipvs"}, stillThere{Link: true}},
		"other node ports": {"ipvs", true, []string{"iptables", "20000", "20100", "/nonexistent"}, stillThere{
			Chains: append([]string{"nat/KUBE-KUBELET-CANARY"}, kubelets...), Foreign: entries,
			Log: strings.Replace(everyServer, "-D -t 127.0.0.1:30080\n", "", 1),
		}},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.proxyHost()
			got := b.cleanupProxy(test.rules, test.ipvs, test.args)
			slices.Sort(test.want.Chains)
			if len(test.args) > 0 && test.args[0] == test.rules { // the mode stays, and so does all
				all := b.cleanupProxy(test.rules, test.ipvs, []string{test.rules})
				if len(got.Chains) < 10 || !cmp.Equal(all.Chains, got.Chains) {
					t.Errorf("a restart in the same mode lost chains: %q", got.Chains)
				}
				got.Chains, got.Foreign = nil, nil
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestCleanupProxyRefuses(t *testing.T) {
	b := newBench(t)
	for _, args := range [][]string{{"wireguard"}, {"ipvs", "a", "2"}, {"ipvs", "1", "2;"}} {
		if out, code := b.run("cleanup-proxy", args...); code != 64 {
			t.Errorf("%q: exit %d, %s", args, code, out)
		}
	}
}

// proxyHost puts fakes of the programs in place that need a kernel with ipvs; the
// virtual servers at 192.0.2.1 and 127.0.0.1:8443 are keepalived's, and all of them
// are where there is no kube-ipvs0.
func (b *bench) proxyHost() {
	b.Helper()
	for _, p := range []string{"iptables-save", "iptables-restore", "unshare", "ip"} {
		if _, err := exec.LookPath(p); err != nil {
			b.Skip(err)
		}
	}
	if out, err := exec.Command("unshare", "-n", "iptables-save").CombinedOutput(); err != nil {
		b.Skipf("no network namespace with iptables: %s", out)
	}
	log := b.dir + "/log"
	b.programs(map[string]string{
		"ipset": `case $1 in
list) ! ip link show dev kube-ipvs0 >/dev/null 2>&1 || printf 'KUBE-CLUSTER-IP\nKUBE-6-LOOP-BACK\nblocked\n' ;;
destroy) echo "$@" >>` + log + ` ;;
esac
`,
		"ipvsadm": `case $1 in
-S) printf '%s\n' '-A -t 10.96.0.1:443 -s rr' '-a -t 10.96.0.1:443 -r 192.168.1.1:6443 -m -w 1' '-A -u 10.96.0.10:53 -s rr' \
	'-A -t [fd00:96::1]:443 -s rr' '-A --sctp-service 10.96.0.7:9 -s rr' '-A -t 127.0.0.1:30080 -s rr' '-A -t 127.0.0.1:8443 -s rr' \
	'-A -t 192.0.2.1:443 -s wrr -p 50' '-A -f 7 -s rr' ;;
*) echo "$@" >>` + log + ` ;;
esac
`,
		"nft": "exit 1\n",
	})
}

// cleanupProxy loads the rules into a new network namespace, runs the script
// there, and says what is left.
func (b *bench) cleanupProxy(rules string, ipvs bool, args []string) stillThere {
	b.Helper()
	rules, err := filepath.Abs("testdata/proxy/" + rules + ".rules")
	if err != nil {
		b.Fatal(err)
	}
	if err := os.WriteFile(b.dir+"/log", nil, 0o600); err != nil {
		b.Fatal(err)
	}
	text, _ := Lookup("cleanup-proxy")
	// A bridge stands for the dummy interface: not every kernel has those, and both
	// go by the name.
	setup := `set -e
ip link set lo up
iptables-restore <"$1"
if [ "$2" = true ]; then
	ip link add kube-ipvs0 type bridge
	for a in 10.96.0.1/32 10.96.0.10/32 10.96.0.7/32 fd00:96::1/128; do ip addr add "$a" dev kube-ipvs0; done
fi
script=$3
shift 3
sh -c "$script" cleanup-proxy "$@"
iptables-save
! ip link show dev kube-ipvs0 >/dev/null 2>&1 || echo link
`
	with := "false"
	if ipvs {
		with = "true"
	}
	cmd := exec.Command("unshare", append([]string{"-n", "sh", "-c", setup, "setup", rules, with, text}, args...)...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr, cmd.Env = &stdout, &stderr, b.env
	if err := cmd.Run(); err != nil {
		if _, failed := errors.AsType[*exec.ExitError](err); failed {
			b.Fatalf("%v: %s", err, stderr.String())
		}
		b.Fatal(err)
	}
	out := stillThere{Log: b.read(b.dir + "/log")}
	table := ""
	for line := range strings.Lines(stdout.String()) {
		line = strings.TrimSpace(line)
		word, _, _ := strings.Cut(line, " ")
		switch {
		case line == "link":
			out.Link = true
		case strings.HasPrefix(line, "*"):
			table = line[1:]
		case strings.HasPrefix(line, ":KUBE-"):
			out.Chains = append(out.Chains, table+"/"+word[1:])
		case strings.HasPrefix(line, "-A ") && !strings.HasPrefix(line, "-A KUBE-"):
			out.Foreign = append(out.Foreign, line)
		}
	}
	slices.Sort(out.Chains)
	slices.Sort(out.Foreign)
	return out
}
