# swap-on.sh [FSTAB] - undo swap-off: the lines and units it marked, and swap itself.
#
# stdout: unchanged or written
path=${1:-/etc/fstab}
note=$HARDWAY_STATE/swap
done=unchanged
if grep -q '^#hardway#' -- "$path" 2>/dev/null; then
	guard "$path"
	temporary
	chown --reference="$path" -- "$tmp"
	chmod --reference="$path" -- "$tmp"
	sed 's/^#hardway#//' -- "$path" >"$tmp"
	replace "$path"
	done=written
fi
if [ -s "$note" ]; then
	while read -r verb unit; do
		case $verb in
		disabled) systemctl enable --now --quiet "$unit" ;;
		masked)
			systemctl unmask --quiet "$unit"
			systemctl start "$unit"
			;;
		esac || printf '%s is as it was, but cannot be started\n' "$unit" >&2
	done <"$note"
	rm -f -- "$note"
	done=written
fi
if [ $done = written ]; then
	out=$(swapon -a 2>&1) || die 1 "$path is as it was, but swap cannot be turned on: $out"
fi
echo $done
