# prior-restore.sh PATH - put back what prior-save kept, and forget it.
#
# Nothing kept is no error. stdout: nothing, or what was put back (absent, file,
# symlink, directory), and in-place for a mount point. exit: 67 unsafe parent
path=$1
clean "$path"
key=$(printf '%s' "$path" | sha256sum)
kept=$HARDWAY_STATE/prior/${key%% *}
[ -s "$kept/kind" ] || exit 0
read -r found <"$kept/kind"
[ "$found" = absent ] && [ "$(kind "$path")" = absent ] || guard "$path"
case $found in
absent)
	case $(kind "$path") in
	absent) ;;
	directory) rmdir -- "$path" ;;
	*) rm -f -- "$path" ;;
	esac
	[ ! -d "${path%/*}/" ] || sync -- "${path%/*}/"
	;;
file)
	temporary
	cp -a -- "$kept/copy" "$tmp"
	replace "$path"
	;;
symlink)
	temporary
	rm -f -- "$tmp"
	cp -a -- "$kept/copy" "$tmp"
	mv -T -- "$tmp" "$path"
	tmp=
	sync -- "$dir"
	;;
directory)
	[ -d "$path" ] || mkdir -m 0700 -- "$path"
	read -r mode uid gid <"$kept/copy"
	chown -- "$uid:$gid" "$path"
	chmod -- "$mode" "$path"
	;;
esac
# At once: half of it would be worse than all of it.
rm -rf -- "$kept.gone"
mv -T -- "$kept" "$kept.gone"
sync -- "$HARDWAY_STATE/prior"
rm -rf -- "$kept.gone"
printf '%s\n' "$found"
