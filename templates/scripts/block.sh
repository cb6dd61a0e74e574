# block.sh PATH - keep a marked block in a file that belongs to the system.
#
# stdin:  the lines of the block; nothing to remove it
# effect: the lines between "# BEGIN hardway" and "# END hardway" are replaced
#         where they stand, or appended. Removing the block leaves the file as it
#         was before it was added, byte for byte: whether it had no last newline,
#         or did not exist, is kept below HARDWAY_STATE/block.
# stdout: unchanged, written, and in-place for a mount point
# exit:   1 the markers are damaged, 67 unsafe parent
path=$1
guard "$path"
begin='# BEGIN hardway' end='# END hardway'
text=$HARDWAY_TMP/block
cat >"$text"
key=$(printf '%s' "$path" | sha256sum)
note=$HARDWAY_STATE/block/${key%% *}

case $(kind "$path") in
absent)
	[ -s "$text" ] || { rm -f -- "$note"; echo unchanged; exit 0; }
	was=absent
	;;
file) was='file' ;;
*) die 1 "$path is not a regular file" ;;
esac
temporary
if [ "$was" = file ]; then
	old=$path
	chown --reference="$path" -- "$tmp"
	chmod --reference="$path" -- "$tmp"
else
	old=/dev/null
	chmod 0644 "$tmp"
fi
begins=$(grep -Fxc -e "$begin" -- "$old" || true)
ends=$(grep -Fxc -e "$end" -- "$old" || true)
case $begins:$ends in
1:1)
	first=$(grep -Fxn -e "$begin" -- "$old") last=$(grep -Fxn -e "$end" -- "$old")
	[ "${first%%:*}" -lt "${last%%:*}" ] || die 1 "$path: the END marker of hardway's block stands before BEGIN; put it right by hand"
	sed -n "/^$begin\$/q;p" -- "$old" >"$tmp"
	;;
0:0)
	[ -s "$text" ] || { echo unchanged; exit 0; }
	cat -- "$old" >"$tmp"
	case $was:$(tail -c 1 -- "$old" | od -An -tx1) in
	file:*0a | file:) was= ;;
	file:*) was=newline ;;
	esac
	if [ -n "$was" ]; then
		mkdir -p -m 0700 -- "$HARDWAY_STATE/block"
		jot "$note" "$was"
		sync -- "$note" "$HARDWAY_STATE/block" "$HARDWAY_STATE"
	else
		rm -f -- "$note"
	fi
	[ "$was" != newline ] || echo | tee -a -- "$tmp" >/dev/null
	;;
*) die 1 "$path has $begins BEGIN and $ends END markers of hardway's block; put it right by hand" ;;
esac

added=
[ ! -s "$note" ] || read -r added <"$note"
if [ -s "$text" ]; then
	{
		printf '%s\n' "$begin"
		cat -- "$text"
		case $(tail -c 1 -- "$text" | od -An -tx1) in
		*0a) ;;
		*) echo ;;
		esac
		printf '%s\n' "$end"
	} | tee -a -- "$tmp" >/dev/null # and not >>, for what it says when the disk is full
elif [ "$added" = newline ] && [ "${last%%:*}" = "$(wc -l <"$old")" ]; then
	truncate -s -1 -- "$tmp" # the newline that was put before the block
fi
[ "$begins" = 0 ] || sed "1,/^$end\$/d" -- "$old" >>"$tmp"

if [ ! -s "$text" ] && [ "$added" = absent ] && [ ! -s "$tmp" ]; then
	rm -f -- "$path"
	sync -- "$dir"
	echo written
elif [ "$old" != /dev/null ] && cmp -s -- "$tmp" "$path"; then
	echo unchanged
else
	replace "$path"
	echo written
fi
[ -s "$text" ] || rm -f -- "$note"
