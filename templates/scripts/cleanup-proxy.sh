# cleanup-proxy.sh - remove the rules that a stopped kube-proxy left, in every mode.
for family in iptables ip6tables; do
	command -v $family-save >/dev/null || continue
	rules=$($family-save 2>/dev/null | grep -v '^#' || true)
	case $rules in
	*KUBE-*) printf '%s\n' "$rules" | grep -v -e 'KUBE-' | $family-restore ;;
	esac
done
if command -v nft >/dev/null; then
	for family in ip ip6; do
		! nft list table $family kube-proxy >/dev/null 2>&1 || nft delete table $family kube-proxy
	done
fi
# The interface shows that it ran in ipvs mode; without it, virtual servers are
# somebody else's (keepalived's).
if ip link show dev kube-ipvs0 >/dev/null 2>&1; then
	ip link delete dev kube-ipvs0
	! command -v ipvsadm >/dev/null || ipvsadm --clear
fi
