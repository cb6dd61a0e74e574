# swap-on.sh [FSTAB] - undo swap-off: the lines it marked, and swap itself.
#
# stdout: unchanged or written
path=${1:-/etc/fstab}
if ! grep -q '^#hardway#' -- "$path" 2>/dev/null; then
	echo unchanged
	exit 0
fi
guard "$path"
temporary
chown --reference="$path" -- "$tmp"
chmod --reference="$path" -- "$tmp"
sed 's/^#hardway#//' -- "$path" >"$tmp"
replace "$path"
out=$(swapon -a 2>&1) || die 1 "$path is as it was, but swap cannot be turned on: $out"
echo written
