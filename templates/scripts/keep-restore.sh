# keep-restore.sh GENERATION PATH... - put back what keep kept, in the order given.
#
# Each is put back whole or not at all, and stays kept. Nothing is put back if one
# of them was not kept.
# stdout: a line for each PATH: absent, file, symlink or directory, and the
#         SHA-256 of a file that was put back, or a dash
# stderr: names each mount point, which was written in place
# exit:   1 nothing is kept for a PATH, 67 unsafe parent
generation=$1
shift
case $generation in "" | *[!0-9]*) die 64 "not a generation: $generation" ;; esac
for path; do
	clean "$path"
	name "$path"
	[ -s "$HARDWAY_STATE/generations/$generation/$key/kind" ] || die 1 "nothing is kept of $path in generation $generation"
done

# link FILE NAME puts the inode of a large file there, or else a copy.
link() {
	case $(find "$1" -maxdepth 0 -size +$((large - 1))c) in
	?*)
		rm -f -- "$2"
		ln -- "$1" "$2" 2>/dev/null || cp -a -- "$1" "$2"
		;;
	*) cp -a -- "$1" "$2" ;;
	esac
}

for path; do
	name "$path"
	kept=$HARDWAY_STATE/generations/$generation/$key sum=-
	read -r found <"$kept/kind"
	present=$(kind "$path")
	[ "$found" = absent ] && [ "$present" = absent ] || guard "$path"
	case $found in
	absent)
		case $present in
		absent) ;;
		directory) rmdir -- "$path" ;;
		*) rm -f -- "$path" ;;
		esac
		[ ! -d "${path%/*}/" ] || sync -- "${path%/*}/"
		;;
	file)
		if [ "$present" != file ] || [ ! "$kept/copy" -ef "$path" ]; then
			temporary
			link "$kept/copy" "$tmp"
			replace "$path" >"$HARDWAY_TMP/replaced"
			if [ -s "$HARDWAY_TMP/replaced" ]; then
				printf '%s was written in place\n' "$path" >&2
				rm -f -- "$tmp"
			fi
		fi
		is=$(stamp "$path") sum=$(digest "$path")
		size=${is#* } size=${size%% *}
		[ "$size" -lt "$large" ] || remember "$path" "$sum" "$is"
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
		sync -- "$path" "$dir"
		;;
	*) die 1 "$kept/kind is damaged" ;;
	esac
	printf '%s %s\n' "$found" "$sum"
done
