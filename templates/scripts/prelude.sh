# prelude.sh - stands before every other script here; it is never run alone.
#
# Environment, set by loop.sh:
#   HARDWAY_STATE  hardway's own directory on this host, for good
#   HARDWAY_TMP    a private directory on a tmpfs, for this session
# Exit codes that mean the same in every script:
#   64 the arguments are wrong           65 the content is not what was announced
#   66 the path is not what the plan read; standard output says what it is
#   67 a parent directory is missing or somebody else can write to it
#   74 the host was last changed by a newer state, or belongs to another cluster
set -eu
nl='
'

# die CODE MESSAGE... ends the script.
die() {
	code=$1
	shift
	printf '%s\n' "$*" >&2
	exit "$code"
}

# clean PATH refuses what is not an absolute path in its shortest form.
clean() {
	case $1 in
	/?*) ;;
	*) die 64 "not an absolute path: $1" ;;
	esac
	case $1/ in
	*//* | */./* | */../*) die 64 "not a path in its shortest form: $1" ;;
	esac
}

# guard PATH sets dir and base, after making sure that only root can swap what
# lies above PATH: each ancestor is a directory of root's that nobody else may
# write to, unless it is sticky. Symbolic links on the way are followed: in such
# directories only root can have made them.
guard() {
	clean "$1"
	base=${1##*/} dir=${1%/*}
	dir=${dir:-/}
	above=$dir
	set -- /
	while [ "$above" != / ]; do
		set -- "$@" "$above"
		above=${above%/*}
		above=${above:-/}
	done
	stats=$(stat -L -c '%a:%u:%g:%F:%n' -- "$@") || die 67 "$dir: a parent directory is missing"
	while IFS=: read -r above_mode above_uid above_gid above_type above_name; do
		[ "$above_type" = directory ] || die 67 "$above_name is a $above_type, not a directory"
		[ "$above_uid" = 0 ] || die 67 "$above_name belongs to uid $above_uid, who could swap what is below it; chown it to root"
		case $above_mode in
		[1357]???) ;;
		*[2367]) die 67 "$above_name has mode $above_mode: anybody can swap what is below it; chmod o-w it" ;;
		*[2367]?) [ "$above_gid" = 0 ] || die 67 "$above_name has mode $above_mode: its group can swap what is below it; chmod g-w it" ;;
		esac
	done <<-END
		$stats
	END
}

# jot FILE LINE... writes a small file of hardway's own. Where the shell's printf
# cannot, it only says "I/O error"; tee says which file it is, and why.
jot() {
	jotted=$1
	shift
	printf '%s\n' "$@" 2>/dev/null >"$jotted" || printf '%s\n' "$@" | tee -- "$jotted" >/dev/null
}

# kind PATH prints what stands there: absent, file, directory, symlink or other.
kind() {
	if [ -L "$1" ]; then
		echo symlink
	elif [ -f "$1" ]; then
		echo file
	elif [ -d "$1" ]; then
		echo directory
	elif [ -e "$1" ]; then
		echo other
	else
		echo absent
	fi
}

# digest FILE prints the SHA-256 of its content.
digest() {
	sum=$(sha256sum <"$1")
	printf '%s\n' "${sum%% *}"
}

# expect PATH WANT compares what stands at PATH with what the plan read of it: a
# SHA-256, "absent", or nothing for no opinion.
expect() {
	[ -n "$2" ] || return 0
	found=$(kind "$1")
	[ "$found" != file ] || [ "$2" = absent ] || found=$(digest "$1")
	[ "$found" != "$2" ] || return 0
	[ "$found" != file ] || found=$(digest "$1")
	printf '%s\n' "$found"
	die 66 "$1 is $found, expected $2"
}

# temporary makes an empty file of mode 0600 beside dir/base and sets tmp. It is
# gone when the script ends; what an interrupted one left (the machine lost
# power) is cleared away here. A file that is younger than this channel is not
# that: somebody gave up on this script before it began, and tries again.
temporary() {
	for stale in "$dir/.hardway.$base."*; do
		if [ "$stale" -ot "$HARDWAY_TMP/began" ] || [ -L "$stale" ]; then rm -f -- "$stale"; fi
	done
	tmp=
	trap abandon EXIT
	trap 'exit 143' TERM HUP INT
	tmp=$(mktemp -- "${dir%/}/.hardway.$base.XXXXXXXX")
}

# abandon ends a script that did not come to replace anything.
abandon() {
	code=$?
	[ -n "$tmp" ] || return 0
	rm -f -- "$tmp" || true
	[ $code = 0 ] || printf '%s could not be replaced\n' "${dir%/}/$base" >&2
}

# replace PATH puts tmp in its place, durably. A bind mount (/etc/hosts in a
# container) cannot be renamed over: it is written in place, and said so.
replace() {
	sync -- "$tmp"
	if out=$(mv -T -- "$tmp" "$1" 2>&1); then
		tmp=
		sync -- "$dir"
		return 0
	fi
	case $out in
	*"resource busy"*) ;;
	*) die 1 "$out" ;;
	esac
	cat <"$1" >"$HARDWAY_TMP/in-place"
	if ! cat <"$tmp" >"$1"; then
		cat <"$HARDWAY_TMP/in-place" >"$1" || die 1 "$1 is damaged: writing it in place failed, and so did putting its old content back"
		die 1 "$1 is a mount point, and writing it in place failed; its old content was put back"
	fi
	rm -f -- "$HARDWAY_TMP/in-place"
	chown --reference="$tmp" -- "$1"
	chmod --reference="$tmp" -- "$1"
	sync -- "$1"
	echo in-place
}

# name TEXT sets key to its SHA-256: the name of what is kept about a path.
name() {
	key=$(printf '%s' "$1" | sha256sum)
	key=${key%% *}
}

# Files of this many bytes and more are linked rather than copied where that is
# safe, and their digests are remembered.
large=2097152

# stamp FILE prints what changes with every write to a regular file, the ctime in
# any case: inode, size, mtime and ctime, in nanoseconds.
stamp() { find "$1" -maxdepth 0 -type f -printf '%i %s %T@ %C@\n'; }

# remember PATH SHA256 STAMP notes the digest of a large file, for observe. STAMP
# is from when the content had that digest; the file may have been renamed and
# linked since, which changes the ctime and nothing else. It never fails: without
# a note, observe reads the file.
remember() {
	case $1 in *"$nl"*) return 0 ;; esac
	[ -d "$HARDWAY_STATE" ] || return 0
	# The ctime comes from a clock of up to 10 ms a tick. What is written after
	# this must not carry the ctime that is noted.
	sleep 0.02
	{
		now=$(stamp "$1") && [ "${now% *}" = "${3% *}" ] && name "$1" &&
			mkdir -p -m 0700 -- "$HARDWAY_STATE/digests" &&
			printf '%s %s %s\n' "$now" "$2" "$1" >"$HARDWAY_STATE/digests/$key"
	} 2>/dev/null || true
}

# remembered PATH STAMP prints the digest that was noted for exactly this stamp.
remembered() {
	name "$1"
	noted=$HARDWAY_STATE/digests/$key
	[ -s "$noted" ] || return 0
	read -r inode size mtime ctime sum path <"$noted" || return 0
	[ "$inode $size $mtime $ctime $path" != "$2 $1" ] || printf '%s\n' "$sum"
}
