# module.sh NAME EFFECT... - see to it that a kernel module is there.
#
# An EFFECT is a path, or FILE:WORD for a word in a file; the module is present
# when one of them is (a built-in one is in no list). Only then is modprobe tried.
# stdout: unchanged or loaded. exit: 1 it is not there and cannot be loaded
name=$1
shift
case $name in
"" | -* | *[!a-zA-Z0-9_-]*) die 64 "not a module: $name" ;;
esac
plain=$(printf %s "$name" | tr - _)
# compiled_in: it is part of the kernel, and may show nowhere else that it is there.
compiled_in() {
	list=/lib/modules/$(uname -r)/modules.builtin
	[ -r "$list" ] && tr - _ <"$list" | grep -q "/$plain\.ko\$"
}
present() {
	[ ! -d "/sys/module/$plain" ] || return 0
	! compiled_in || return 0
	for effect; do
		case $effect in
		*:*) ! grep -qwF -e "${effect#*:}" -- "${effect%%:*}" 2>/dev/null || return 0 ;;
		*) [ ! -e "$effect" ] || return 0 ;;
		esac
	done
	return 1
}
if present "$@"; then
	echo unchanged
	exit 0
fi
command -v modprobe >/dev/null || die 1 "kernel module $name is not there, and this host has no modprobe; install kmod, or a kernel that has it"
out=$(modprobe -- "$name" 2>&1) || die 1 "kernel module $name cannot be loaded: $out"
[ $# = 0 ] || present "$@" || die 1 "kernel module $name was loaded, but shows none of: $*"
echo loaded
