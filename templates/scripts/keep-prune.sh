# keep-prune.sh N - forget all generations but the N highest.
#
# stdout: the generations that went, one a line
number=$1
case $number in "" | *[!0-9]* | 0?*) die 64 "not a number of generations: $number" ;; esac
all=$HARDWAY_STATE/generations
[ -d "$all" ] || exit 0
cd "$all"
rm -rf .gone
set --
for generation in $(find . -mindepth 1 -maxdepth 1 -type d -printf '%f\n' | grep -x '[0-9]*' | sort -rn | tail -n +$((number + 1))); do
	set -- "$@" "$generation"
done
[ $# -gt 0 ] || exit 0
# What is linked to a file in use changes that file's ctime when it goes: what is
# remembered of the file has to follow.
find "$@" -name copy -type f -links +1 -size +$((large - 1))c -printf '%h/path\n' | while read -r note; do
	IFS= read -r path <"$note"
	was=$(stamp "$path" 2>/dev/null) || continue
	sum=$(remembered "$path" "$was")
	[ -z "$sum" ] || printf '%s\n' "$sum" "$was" "$path"
done >"$HARDWAY_TMP/linked"
mkdir -m 0700 .gone
mv -t .gone -- "$@"
sync .
rm -rf .gone
printf '%s\n' "$@"
while read -r sum && read -r was && IFS= read -r path; do
	remember "$path" "$sum" "$was"
done <"$HARDWAY_TMP/linked"
