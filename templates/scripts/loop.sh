# loop.sh - answer framed requests on stdin until it ends. It is not a script
# for Run: the bootstrap in package ssh reads it as data and evaluates it, once
# a channel.
#
# First, one a line: a nonce; hardway's directory below /run; its directory for
# good; seconds between signs of life; how many may be missed; the directory of
# the session to join, or nothing to begin one.
#
# Then frames. From the controller:
#   K N                  a sign of life
#   C ID                 end what runs for request ID
#   Q ID GENERATION NAME MAX BODY ARGS STDIN
#                        run script NAME. BODY bytes of script follow the first
#                        time, then ARGS lines with one argument each (bytes
#                        other than a plain few as \0OOO), then STDIN bytes and
#                        a line "E": without it the connection was cut, and what
#                        arrived is not run.
#                        Output is cut after MAX bytes a stream (one more shows
#                        that there was more); MAX 0 is for scripts that print
#                        little by construction. GENERATION other than 0 must be
#                        the host's present one.
# To the controller:
#   A ID STATUS OUT ERR  the answer; OUT and ERR bytes of output follow
# On stderr: a dot as a sign of life, and whatever the shell has to say.
#
# The loop goes on reading while a script runs, so that it sees the connection
# end, and the controller's silence; both end the script, and then the lock.
set -u
umask 077
LC_ALL=C PATH=$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export LC_ALL PATH
cd / || exit 70
read -r nonce && read -r run && read -r state && read -r tick && read -r misses && IFS= read -r session || exit 70
uid=$(id -u)
if [ "$uid" != 0 ]; then
	printf '\nhardway-ready %s %s -\n' "$nonce" "$uid"
	exit 71
fi
for tool in setsid sha256sum stat mktemp mkfifo head sync find xargs base64; do
	command -v $tool >/dev/null || missing="${missing:-} $tool"
done
if [ -n "${missing:-}" ]; then
	printf '\nhardway-missing %s%s\n' "$nonce" "$missing"
	exit 72
fi
if [ -z "$session" ]; then
	# Another session that just ends may delete the directory between two steps.
	for _ in 1 2 3 4 5; do
		[ -d "$run" ] || mkdir -p -m 0700 "$run" || exit 70
		s=
		[ -O "$run" ] && [ ! -L "$run" ] && s=$(mktemp -d "$run/session.XXXXXXXX") && break
	done
	[ -n "$s" ] || exit 70
	echo 0 >"$s/beat"
else
	s=$session
	[ -d "$s" ] || exit 70
fi
if ! c=$(mktemp -d "$s/channel.XXXXXXXX") || ! mkfifo "$c/fifo" ||
	! { true >"$c/in" && true >"$c/out" && true >"$c/err" && true >"$c/status" && true >"$c/pid" && true >"$c/began"; }; then
	[ -n "$session" ] || rm -rf "$s"
	exit 70
fi
# HOME is where kubectl and others leave caches; nothing of that may stay.
HARDWAY_STATE=$state HARDWAY_TMP=$c HOME=$c
export HARDWAY_STATE HARDWAY_TMP HOME
unset KUBECONFIG
[ -z "$session" ] || echo $$ >"$s/bulk.$$"
job='' id='' pid='' locked='' ended=''

# script SIGNAL: the running script has a session of its own; signal all of it.
script() {
	pid=
	[ ! -s "$c/pid" ] || read -r pid <"$c/pid"
	[ -z "$pid" ] || kill -s "$1" -- -"$pid" 2>/dev/null
}

# finish ends whatever still runs, and only then lets go of the lock.
finish() {
	trap '' TERM HUP INT PIPE
	for bulk in "$s"/bulk.*; do
		[ -n "$session" ] || [ ! -s "$bulk" ] || kill -s TERM "${bulk##*.}" 2>/dev/null
	done
	if [ -n "$job" ]; then
		script TERM
		kill -s TERM 0
		(
			sleep 3
			script KILL
			kill -s KILL "$job"
		) >/dev/null 2>&1 <&- 9>&- &
		wait "$job"
		script KILL
	fi
	if [ -n "$session" ]; then
		rm -rf "$c" "$s/bulk.$$"
	else
		n=0
		for bulk in "$s"/bulk.*; do
			while [ -e "$bulk" ] && [ $n -lt 40 ]; do
				sleep 0.1
				n=$((n + 1))
			done
			[ ! -e "$bulk" ] || kill -s KILL -- -"${bulk##*.}" 2>/dev/null
		done
		[ -z "$locked" ] || rm -f "$state/lock.info"
		rm -rf "$s"
		rm -f "$run"/super-admin.conf.* # a controller that was killed could not
		rmdir "$run" 2>/dev/null
	fi
	kill -s KILL 0 # the watchdog, and any sleep of its
}
trap finish TERM HUP INT

# watch ends the session when the controller is silent: sshd keeps a half-open
# connection for hours, and with it the lock.
watch() {
	trap '' TERM HUP INT PIPE
	last='' missed=0
	while sleep "$tick" >/dev/null 2>&1 <&-; do
		[ -e "$s/beat" ] || break
		beat=
		read -r beat <"$s/beat" # empty while it is being written, which is a beat too
		if [ "$beat" = "$last" ]; then missed=$((missed + 1)); else missed=0 last=$beat; fi
		[ "$missed" -le "$misses" ] || break
		printf . >&2 || break
	done
	kill -s TERM 0
	sleep 10 >/dev/null 2>&1
	script KILL
	kill -s KILL 0
}
watch >/dev/null <&- &

# bound passes MAX bytes and one on, and swallows the rest. It fails where there
# is no room for them. It outlives a SIGTERM too: a script that nobody listens to
# dies of its last words (SIGPIPE) before it has cleared up.
bound() {
	trap '' TERM
	short=0
	head -c "$((max + 1))" || short=1
	cat >/dev/null
	return $short
}

# receive N FILE takes N bytes from the controller.
receive() {
	head -c "$1" >"$2" && return
	echo "what the controller sends does not fit below $run" >&2
	return 1
}

# whole reads the end of a frame, and fails if it is not there.
whole() { read -r end && [ "$end" = E ]; }

# work runs the script that was asked for and answers. It outlives a SIGTERM, so
# that the script below it can clear up.
work() {
	trap ended=yes TERM
	exec 5<&0
	true >"$c/out"
	true >"$c/err"
	true >"$c/status"
	status=0 now=none trouble=
	if [ "$generation" != 0 ]; then
		[ ! -s "$state/generation" ] || read -r now <"$state/generation"
	fi
	if [ "$generation" != 0 ] && [ "$now" != "$generation" ]; then
		status=73
		[ "$now" != none ] || echo "hardway's directory on this host was deleted" >"$c/err"
		[ "$now" = none ] || echo "the lock of this host went to another session (generation $now, ours is $generation)" >"$c/err"
	elif [ "$max" = 0 ]; then
		sh "$c/s-$name" "$@" <&5 >"$c/out" 2>"$c/err"
		status=$?
	else
		# A subshell forgets the trap of its parent. Without one of its own, the
		# outer would end at a SIGTERM, and nobody wait for the script.
		if ! { trap : TERM; {
			trap : TERM
			setsid sh "$c/s-$name" "$@" <&5 2>&4 3>&- 4>&- 5<&- &
			echo $! >"$c/pid"
			while
				wait $!
				status=$?
				[ $status -gt 128 ] && kill -s 0 $! 2>/dev/null
			do :; done
			echo "$status" >"$c/status"
			true >"$c/pid"
		} 4>&1 >&3 3>&- | bound >"$c/err"; } 3>&1 | bound >"$c/out"; then
			status=70 trouble="its answer does not fit below $run: No space left on device"
		elif ! read -r status <"$c/status"; then
			status=70 trouble="its exit status does not fit below $run: No space left on device"
		fi
	fi
	if [ "$status" != 0 ] && [ "$max" = 0 ] && [ ! -s "$c/err" ] && [ ! -s "$c/out" ]; then
		trouble="it failed without a word; is there space left below $run?"
	fi
	# A script need not read all of its input.
	[ -n "$ended" ] || [ "$stdin" -le 1048576 ] || cat <&5 >/dev/null
	true >"$c/in"
	if [ -n "$trouble" ]; then
		printf 'A %s %s 0 %s\n%s' "$id" "$status" ${#trouble} "$trouble"
	elif [ -s "$c/out" ] || [ -s "$c/err" ]; then
		# shellcheck disable=SC2046,SC2183 # stat prints two numbers
		printf 'A %s %s %s %s\n' "$id" "$status" $(stat -c %s "$c/out" "$c/err")
		cat "$c/out" "$c/err"
	else
		printf 'A %s %s 0 0\n' "$id" "$status"
	fi
}

printf '\nhardway-ready %s %s %s\n' "$nonce" "$uid" "$s"
while read -r frame first generation name max body args stdin; do
	case $frame in
	K) echo "$first" >"$s/beat" ;;
	C)
		if [ "$first" = "$id" ] && [ -s "$c/pid" ]; then
			script TERM
			was=$pid
			(
				sleep 2
				[ ! -s "$c/pid" ] || read -r pid <"$c/pid"
				[ "$pid" != "$was" ] || script KILL
			) >/dev/null 2>&1 <&- 9>&- &
		fi
		;;
	Q)
		[ -z "$job" ] || wait "$job"
		id=$first
		case $name$max$body$args$stdin in
		*[!a-z0-9-]*) break ;;
		esac
		[ "$body" = 0 ] || receive "$body" "$c/s-$name" || break
		set --
		while [ "$args" -gt 0 ]; do
			IFS= read -r arg || break 2
			case $arg in
			*\\*) arg=$(printf '%b.' "$arg") arg=${arg%.} ;;
			esac
			set -- "$@" "$arg"
			args=$((args - 1))
		done
		from=/dev/null
		if [ "$stdin" -gt 1048576 ]; then
			from=$c/fifo
		elif [ "$stdin" -gt 0 ]; then
			from=$c/in
			receive "$stdin" "$c/in" || break
		fi
		[ "$from" = "$c/fifo" ] || whole || break
		if [ "$name" = lock ]; then
			if (mkdir -p -m 0700 "$state" && true >>"$state/lock"); then
				exec 9>>"$state/lock"
			else
				exec 9>/dev/null # lock.sh will say what is wrong
			fi
			work "$@" <"$from" &
		else
			work "$@" <"$from" 9>&- &
		fi
		job=$!
		if [ "$from" = "$c/fifo" ]; then
			# A cut must not look like the end to the script: it is ended first.
			{
				head -c "$stdin" || finish
				whole || finish
			} >"$c/fifo"
		fi
		if [ "$name" = lock ]; then
			wait "$job"
			# The lock is ours only if lock.sh says so.
			if [ -s "$c/locked" ]; then locked=yes; elif [ -z "$locked" ]; then exec 9>&-; fi
		fi
		;;
	*) break ;;
	esac
done
finish
