# cleanup-proxy.sh [MODE FIRST LAST PROGRAM] - remove what a stopped kube-proxy left.
#
# MODE is the one in which it starts next: what that mode works with stays, and so
# do the kubelet's chains. Without one, or with "none", nothing of either stays.
# FIRST and LAST are the node ports, by which kube-proxy's virtual servers at the
# host's own addresses are told from somebody else's (keepalived's). PROGRAM is
# kube-proxy, which removes virtual servers where there is no ipvsadm.
#
# Not left to `kube-proxy --cleanup`: up to 1.28 it knows no nftables, between
# iptables and ipvs no version cleans up by itself, and its ipvs part clears all
# virtual servers there are, and does nothing where there is no modprobe.
# exit: 1 something is left
mode=${1:-none} first=${2:-30000} last=${3:-32767} program=${4:-}
case $mode in
none | iptables | ipvs | nftables | userspace) ;;
*) die 64 "not a mode of kube-proxy: $mode" ;;
esac
case $first$last in
"" | *[!0-9]*) die 64 "not ports: $first $last" ;;
esac

# foreign RULES says whether they hold chains of another mode than the next one.
foreign() {
	case $mode in
	iptables) others='NODE-PORT |LOAD-BALANCER |SOURCE-RANGES-FIREWALL |IPVS-|PORTALS-|NODEPORT-' ;;
	ipvs) others='(SVC|SVL|SEP|EXT|XLB|FW)-|EXTERNAL-SERVICES |NODEPORTS |PROXY-CANARY |PORTALS-|NODEPORT-' ;;
	userspace) others='NODE-PORT |LOAD-BALANCER |SOURCE-RANGES-FIREWALL |IPVS-|(SVC|SVL|SEP|EXT|XLB|FW)-|NODEPORTS ' ;;
	*) others= ;; # any
	esac
	printf '%s\n' "$1" | grep -E -q "^:KUBE-($others)"
}

for family in iptables ip6tables; do
	command -v $family-save >/dev/null || continue
	rules=$($family-save 2>/dev/null) || continue
	foreign "$rules" || continue
	# Only our chains are named, so that what others change meanwhile is not lost: the
	# rules that lead into them go first, then what is in them, then they themselves.
	changes=$(printf '%s\n' "$rules" | awk -v keep="$mode" '
		function theirs(chain) { # the kubelet makes these, and looks after them
			return keep != "none" && (chain ~ /^KUBE-(KUBELET-CANARY|IPTABLES-HINT)$/ ||
				table == "filter" && chain == "KUBE-FIREWALL" || table == "nat" && chain == "KUBE-MARK-DROP")
		}
		/^\*/ { table = substr($1, 2); n = 0; rules = ""; split("", gone) }
		/^:KUBE-/ { chain = substr($1, 2); if (!theirs(chain)) { gone[chain] = 1; order[++n] = chain } }
		/^-A / && !($2 in gone) {
			for (i = 3; i < NF; i++) if (($i == "-j" || $i == "-g") && $(i + 1) in gone) {
				line = $0; sub(/^-A/, "-D", line); rules = rules line "\n"; break
			}
		}
		/^COMMIT/ && n {
			print "*" table
			for (i = 1; i <= n; i++) print ":" order[i] " - [0:0]"
			printf "%s", rules
			for (i = 1; i <= n; i++) print "-X " order[i]
			print "COMMIT"
		}')
	[ -n "$changes" ] || continue
	out=$(printf '%s\n' "$changes" | $family-restore --noflush 2>&1) || die 1 "$family-restore: $out"
done

if [ "$mode" != nftables ] && command -v nft >/dev/null; then
	for family in ip ip6; do
		! nft list table $family kube-proxy >/dev/null 2>&1 || nft delete table $family kube-proxy
	done
fi

[ "$mode" != ipvs ] || exit 0
# sets lists ipvs mode's, which are free once no rule names them.
sets() { ipset list -n 2>/dev/null | grep '^KUBE-' || true; }
if command -v ipset >/dev/null; then
	for set in $(sets); do
		ipset destroy "$set"
	done
fi

# The interface shows that it ran in ipvs mode; without it, virtual servers are
# somebody else's. It goes last, so that an interrupted cleanup is taken up again.
ip link show dev kube-ipvs0 >/dev/null 2>&1 || exit 0
# addresses DEVICE... prints the addresses of devices, one a line.
addresses() { ip -o addr show "$@" | sed -n 's/.* inet6\{0,1\} \([^/ ]*\).*/\1/p'; }
if command -v ipvsadm >/dev/null; then
	services=$(addresses dev kube-ipvs0) own=$(addresses)
	ipvsadm -S -n | sed -n 's/^-A \(-[tu]\|--[a-z]*-service\) \([^ ]*\) .*/\1 \2/p' | while read -r kind endpoint; do
		address=${endpoint%:*} port=${endpoint##*:}
		address=${address#[[]}
		address=${address%]}
		if printf '%s\n' "$services" | grep -Fqx -e "$address" ||
			[ "$port" -ge "$first" ] && [ "$port" -le "$last" ] && printf '%s\n' "$own" | grep -Fqx -e "$address"; then
			ipvsadm -D "$kind" "$endpoint"
		fi
	done
elif grep -q -E '^(TCP|UDP|SCTP)' /proc/net/ip_vs 2>/dev/null; then
	[ -x "$program" ] || die 1 "virtual servers of kube-proxy are left, and this host has no ipvsadm to remove them; install it"
	timeout 60 "$program" --cleanup >/dev/null 2>&1 || true
	! grep -q -E '^(TCP|UDP|SCTP)' /proc/net/ip_vs || die 1 "kube-proxy --cleanup left virtual servers; install ipvsadm"
fi
! ip link show dev kube-ipvs0 >/dev/null 2>&1 || ip link delete dev kube-ipvs0
