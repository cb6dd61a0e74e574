# kubelet-unmount.sh DIR - unmount everything below DIR, the deepest first.
#
# DIR itself stays mounted. exit: 1 something is still mounted
dir=$1
clean "$dir"
below() { # field 5 of mountinfo is the mount point, in octal where it has spaces
	while read -r _ _ _ _ point _; do
		case $point in
		*\\*) point=$(printf %b. "$(printf %s "$point" | sed 's/\\\([0-7]\{3\}\)/\\0\1/g')") point=${point%.} ;;
		esac
		case $point in
		"$dir"/*) printf '%s\n' "$point" ;;
		esac
	done </proc/self/mountinfo
}
below | sort -r | while IFS= read -r point; do
	umount -- "$point" 2>/dev/null || umount -l -- "$point" || true
done
left=$(below)
[ -z "$left" ] || die 1 "still mounted below $dir: $left"
