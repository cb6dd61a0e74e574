# lock.sh HOLDER - take this host's lock for the session.
#
# fd 9:   the lock file, opened by the loop, which keeps it open: the lock is
#         held until the session ends, however it ends
# effect: flock; the fencing generation grows by one; lock.info names the holder
# stdout: the new generation, or what lock.info says of the other holder
# exit:   75 somebody else holds it
holder=$1
# Where the loop could not open the file, this says why.
mkdir -p -- "$HARDWAY_STATE"
true >>"$HARDWAY_STATE/lock"
cd "$HARDWAY_STATE"
tries=0
until flock -n -E 75 9; do
	# Between the lock and its lock.info, the holder is about to say who it is, or
	# about to be gone.
	other=$(cat lock.info 2>/dev/null) || other=
	if [ -n "$other" ] || [ $tries = 10 ]; then
		printf '%s\n' "${other:-a session that is beginning or ending}"
		exit 75
	fi
	sleep 0.1
	tries=$((tries + 1))
done
# The file may have been deleted (and made anew by another session) between
# opening and locking it; a lock on a deleted file keeps nobody out.
if [ "$(stat -L -c %d:%i /proc/self/fd/9)" != "$(stat -c %d:%i lock 2>/dev/null)" ]; then
	echo "a session that is just ending"
	exit 75
fi
trap '[ -s "$HARDWAY_TMP/locked" ] || rm -f lock.info' EXIT
jot "$HARDWAY_STATE/lock.info" "$holder" # at once: it may still name one that was killed
generation=0
# shellcheck disable=SC2094 # the file and the variable have the same name
[ ! -s generation ] || read -r generation <generation
case $generation in
"" | *[!0-9]*) die 1 "$HARDWAY_STATE/generation is damaged; write a number larger than any before into it" ;;
esac
generation=$((generation + 1))
jot "$HARDWAY_STATE/generation.new" "$generation"
sync generation.new
mv -T generation.new generation
sync . ..
echo yes >"$HARDWAY_TMP/locked"
printf '%s\n' "$generation"
