# sysctl.sh KEY VALUE - set a kernel parameter now, and read it back.
#
# KEY is dotted; one with a slash is taken as sysctl(8) takes it. White space in
# values is compared as the kernel does, not by byte. stdout: unchanged or written
# exit: 1 the kernel does not have it, refused it or made something else of it
key=$1 value=$2
case $key in
"" | *[!a-zA-Z0-9._/-]* | *..*) die 64 "not a sysctl: $key" ;;
*/*) file=/proc/sys/$key ;;
*) file=/proc/sys/$(printf %s "$key" | tr . /) ;;
esac
[ -e "$file" ] || die 1 "$key: this kernel does not have it (is its module loaded?)"
words() {
	set -f
	# shellcheck disable=SC2086 # split where there is white space
	set -- $1
	printf '%s' "$*"
}
want=$(words "$value")
# cat, because a shell reads byte by byte and /proc/sys answers only the first read
if [ "$(words "$(cat -- "$file")")" = "$want" ]; then
	echo unchanged
	exit 0
fi
printf '%s\n' "$value" 2>/dev/null >"$file" || die 1 "$key: cannot be set to $value here (read-only, or not allowed in a container)"
got=$(words "$(cat -- "$file")")
[ "$got" = "$want" ] || die 1 "$key is $got after it was set to $want"
echo written
