# swap-off.sh [FSTAB] - turn swap off, now and at boot.
#
# effect: swapoff; each swap line of FSTAB (/etc/fstab) gets "#hardway#" before it,
#         which swap-on takes away again, byte for byte
# stdout: unchanged or written
path=${1:-/etc/fstab}
done=unchanged
if [ "$(wc -l </proc/swaps)" -gt 1 ]; then
	out=$(swapoff -a 2>&1) || die 1 "swap cannot be turned off: $out"
	[ "$(wc -l </proc/swaps)" -le 1 ] || die 1 "swap is still on after swapoff -a: $(tail -n +2 /proc/swaps | cut -d' ' -f1 | tr '\n' ' ')"
	done=written
fi
if [ -f "$path" ]; then
	guard "$path"
	temporary
	chown --reference="$path" -- "$tmp"
	chmod --reference="$path" -- "$tmp"
	sed -E 's/^([[:space:]]*[^#[:space:]][^[:space:]]*[[:space:]]+[^[:space:]]+[[:space:]]+swap([[:space:]]|$))/#hardway#\1/' -- "$path" >"$tmp"
	if ! cmp -s -- "$tmp" "$path"; then
		replace "$path"
		done=written
	fi
fi
echo $done
