# selinux.sh permissive|enforcing|restore [CONFIG] - SELinux now and at boot.
#
# stdin of enforcing: directories, a line each: "like POLICY'S-PATH PATH" for one that
#         is labelled as another, then "label PATH" for one whose labels are put right
# CONFIG is /etc/selinux/config. What was there before is noted in
# HARDWAY_STATE/selinux, and restore puts it back. A kernel without SELinux is left
# alone: it is turned on by a boot only.
# stdout: unchanged or written
action=$1 config=${2:-/etc/selinux/config}
note=$HARDWAY_STATE/selinux
[ -r /sys/fs/selinux/enforce ] || command -v getenforce >/dev/null || {
	echo unchanged
	exit 0
}
now=$(getenforce 2>/dev/null || echo Disabled)
if [ "$now" = Disabled ]; then
	echo unchanged
	exit 0
fi
done=unchanged

# boot MODE sets SELINUX= of the configuration.
boot() {
	[ -f "$config" ] || return 0
	grep -qx "SELINUX=$1" -- "$config" && return 0
	guard "$config"
	temporary
	chown --reference="$config" -- "$tmp"
	chmod --reference="$config" -- "$tmp"
	sed "s/^SELINUX=.*/SELINUX=$1/" -- "$config" >"$tmp"
	replace "$config"
	done=written
}
set_now() { # Enforcing or Permissive
	[ "$now" != "$1" ] || return 0
	out=$(setenforce "$1" 2>&1) || die 1 "setenforce $1: $out"
	done=written
}

case $action in
permissive | enforcing)
	if [ ! -s "$note/mode" ]; then
		mkdir -p -m 0700 -- "$HARDWAY_STATE" "$note"
		jot "$note/mode" "$now" "$(sed -n 's/^SELINUX=//p' -- "$config" 2>/dev/null | head -n 1)"
		sync -- "$note/mode" "$note" "$HARDWAY_STATE"
	fi
	if [ "$action" = permissive ]; then
		set_now Permissive
		boot permissive
		echo "$done"
		exit 0
	fi
	command -v restorecon >/dev/null || die 1 "restorecon is not on this host; install policycoreutils, or set host { packages = \"install\" }"
	while read -r what a b; do
		case $what in
		like)
			clean "$a"
			clean "$b"
			command -v semanage >/dev/null || die 1 "semanage is not on this host; install policycoreutils-python-utils, or set host { packages = \"install\" }"
			if ! semanage fcontext -l -C | grep -qxF -e "$b = $a"; then
				printf '%s %s\n' "$a" "$b" >>"$note/like"
				sync -- "$note/like"
				out=$(semanage fcontext -a -e "$a" "$b" 2>&1) || die 1 "semanage fcontext -a -e $a $b: $out"
				done=written
			fi
			;;
		label)
			clean "$a"
			[ -e "$a" ] || continue
			out=$(restorecon -R -v -- "$a" 2>&1) || die 1 "restorecon -R $a: $out"
			[ -z "$out" ] || done=written
			;;
		*) die 64 "neither like nor label: $what" ;;
		esac
	done
	set_now Enforcing
	boot enforcing
	;;
restore)
	[ -s "$note/mode" ] || {
		echo unchanged
		exit 0
	}
	[ ! -s "$note/like" ] || while read -r a b; do
		semanage fcontext -d -e "$a" "$b" >/dev/null 2>&1 || true # removed by somebody else
		done=written
	done <"$note/like"
	{
		read -r was
		read -r at_boot || true
	} <"$note/mode"
	set_now "$was"
	[ -z "${at_boot:-}" ] || boot "$at_boot"
	rm -rf -- "$note"
	;;
*) die 64 "neither permissive, enforcing nor restore: $action" ;;
esac
echo "$done"
