# prior-save.sh PATH - keep what stood at PATH before hardway, once.
#
# effect: HARDWAY_STATE/prior/SHA256-OF-PATH gets a copy with mode and owner, or
#         the note that nothing stood there. A second call changes nothing.
# stdout: absent, file, symlink or directory: what was kept, at the first call
path=$1
clean "$path"
key=$(printf '%s' "$path" | sha256sum)
kept=$HARDWAY_STATE/prior/${key%% *}
if [ -s "$kept/kind" ]; then
	cat "$kept/kind"
	exit 0
fi
if [ ! -d "$HARDWAY_STATE/prior" ]; then
	mkdir -p -m 0700 -- "$HARDWAY_STATE/prior"
	sync -- "$HARDWAY_STATE"
fi
rm -rf -- "$kept.new" "$kept"
mkdir -m 0700 -- "$kept.new"
found=$(kind "$path")
case $found in
file | symlink) cp -a -- "$path" "$kept.new/copy" ;;
directory) stat -c '%a %u %g' -- "$path" >"$kept.new/copy" ;;
absent) ;;
*) die 1 "$path is neither a file, a link nor a directory" ;;
esac
jot "$kept.new/path" "$path"
jot "$kept.new/kind" "$found"
[ "$found" = symlink ] || [ "$found" = absent ] || sync -- "$kept.new/copy"
sync -- "$kept.new/path" "$kept.new/kind" "$kept.new"
mv -T -- "$kept.new" "$kept"
sync -- "$HARDWAY_STATE/prior"
printf '%s\n' "$found"
