# cleanup-cni.sh NETWORK BRIDGE... - remove what CNI plugins left on a host without pods.
#
# effect: the bridges, the pods' network namespaces, the CNI-* chains of the
#         bridge plugin's masquerading, and the network's own state go
network=$1
shift
case $network in
"" | . | .. | */*) die 64 "not the name of a network: $network" ;;
esac
for bridge; do
	! ip link show dev "$bridge" >/dev/null 2>&1 || ip link delete dev "$bridge"
done
for ns in /run/netns/cni-*; do
	[ -e "$ns" ] || continue
	umount -- "$ns" 2>/dev/null || true
	rm -f -- "$ns"
done
for family in iptables ip6tables; do
	command -v $family-save >/dev/null || continue
	rules=$($family-save 2>/dev/null | grep -v '^#' || true)
	case $rules in
	*CNI-*) printf '%s\n' "$rules" | grep -v -e 'CNI-' | $family-restore ;;
	esac
done
rm -rf -- "/var/lib/cni/networks/$network" "/var/lib/cni/results/$network-"*
