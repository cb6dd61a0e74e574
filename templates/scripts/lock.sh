# lock.sh HOLDER - take this host's lock for the session.
#
# fd 9:   the lock file, opened by the loop, which keeps it open: the lock is
#         held until the session ends, however it ends
# effect: flock; the fencing generation grows by one; lock.info names the holder
# stdout: the new generation, or what lock.info says of the other holder
# exit:   75 somebody else holds it
holder=$1
cd "$HARDWAY_STATE"
if ! flock -n -E 75 9; then
	# Whoever has just taken the lock is about to say who it is.
	for _ in 1 2 3 4 5; do
		[ ! -s lock.info ] || break
		sleep 0.1
	done
	[ ! -s lock.info ] || cat lock.info 2>/dev/null || true
	[ -s lock.info ] || echo "a session that is beginning or ending"
	exit 75
fi
# The file may have been deleted (and made anew by another session) between
# opening and locking it; a lock on a deleted file keeps nobody out.
if [ "$(stat -L -c %d:%i /proc/self/fd/9)" != "$(stat -c %d:%i lock 2>/dev/null)" ]; then
	echo "a session that is just ending"
	exit 75
fi
printf '%s\n' "$holder" >lock.info # at once: it may still name one that was killed
generation=0
# shellcheck disable=SC2094 # the file and the variable have the same name
[ ! -s generation ] || read -r generation <generation
case $generation in
"" | *[!0-9]*) die 1 "$HARDWAY_STATE/generation is damaged; write a number larger than any before into it" ;;
esac
generation=$((generation + 1))
printf '%s\n' "$generation" >generation.new
sync generation.new
mv -T generation.new generation
sync .
echo yes >"$HARDWAY_TMP/locked"
printf '%s\n' "$generation"
