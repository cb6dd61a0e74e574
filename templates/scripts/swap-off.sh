# swap-off.sh [FSTAB] - turn swap off, now and at boot.
#
# effect: swapoff; each swap line of FSTAB (/etc/fstab) gets "#hardway#" before it,
#         which swap-on takes away again, byte for byte. Services that make swap by
#         themselves (zram and its like) are disabled, and swap units that no line of
#         FSTAB made are masked, or disabled where they are files of the
#         administrator's; HARDWAY_STATE/swap notes which.
# stdout: unchanged or written
path=${1:-/etc/fstab}
note=$HARDWAY_STATE/swap
done=unchanged
jotted() { # VERB UNIT, before it is done
	[ -s "$note" ] && grep -qxF -e "$1 $2" -- "$note" && return 0
	mkdir -p -m 0700 -- "$HARDWAY_STATE"
	printf '%s %s\n' "$1" "$2" >>"$note"
	sync -- "$note" "$HARDWAY_STATE"
}
if command -v systemctl >/dev/null; then
	for unit in dphys-swapfile.service swapspace.service zram-config.service zramswap.service; do
		[ "$(systemctl is-enabled "$unit" 2>/dev/null)" = enabled ] || continue
		jotted disabled "$unit"
		systemctl disable --now --quiet "$unit" || die 1 "$unit makes swap, and cannot be disabled"
		done=written
	done
	systemctl list-units --type=swap --all --plain --no-legend 2>/dev/null | while read -r unit load _; do
		[ "$load" = loaded ] || continue
		made=$(systemctl show --property=FragmentPath --value -- "$unit")
		from=$(systemctl show --property=SourcePath --value -- "$unit")
		[ "$from" != "$path" ] || continue # goes with its line
		case $made in
		"" | /proc/*) ;; # only /proc/swaps knows of it
		/etc/systemd/system/*)
			[ "$(systemctl is-enabled "$unit" 2>/dev/null)" = enabled ] || continue
			printf 'disabled %s\n' "$unit"
			;;
		*) printf 'masked %s\n' "$unit" ;;
		esac
	done >"$HARDWAY_TMP/swap-units"
	while read -r verb unit; do
		jotted "$verb" "$unit"
		case $verb in
		disabled) systemctl disable --now --quiet "$unit" ;;
		masked) systemctl mask --now --quiet "$unit" ;;
		esac || die 1 "$unit turns swap on at boot, and cannot be $verb"
		done=written
	done <"$HARDWAY_TMP/swap-units"
fi
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
