# doas.sh - become root with doas and a password. It is not a script for Run: the
# bootstrap in package ssh reads it as data and evaluates it, as the user who logged
# in.
#
# doas asks on the controlling terminal only, and a channel has none. So script
# makes one, which doas finds there, while its standard streams stay those of the
# channel: what follows is framed, and no terminal must touch it.
#
# First, one a line: the password; what to run as root, for sh -c.
set -u
umask 077
IFS= read -r password && IFS= read -r run || exit 70
for tool in doas script setsid mkfifo mktemp timeout; do
	command -v $tool >/dev/null || { echo "sh: $tool: not found" >&2 && exit 127; }
done
dir=$(mktemp -d) || exit 70
trap 'rm -rf "$dir"' EXIT
trap 'exit 70' TERM HUP INT PIPE
mkfifo "$dir/keys" "$dir/screen" || exit 70
exec 3<&0 4>&1 5>&2
# script runs its command with $SHELL; doas closes what is above 2.
# shellcheck disable=SC2016 # $run is for that shell
run=$run SHELL=/bin/sh script -q -c 'exec doas -- setsid -w sh -c "$run" <&3 >&4 2>&5' /dev/null <"$dir/keys" >"$dir/screen" 2>&5 &
exec 6>"$dir/keys" 7<"$dir/screen" </dev/null >/dev/null 3<&- 4>&-
rm -rf "$dir"
# Wait for the question, byte by byte: what is typed before it is thrown away. A
# rule with nopass never asks.
seen=
while c=$(timeout 30 head -c 1 <&7 && echo .) && c=${c%.} && [ -n "$c" ] && [ ${#seen} -lt 1000 ]; do
	seen=$seen$c
	case $seen in
	*assword:*)
		printf '%s\n' "$password" >&6
		break
		;;
	esac
done
password=
cat <&7 >/dev/null
wait
