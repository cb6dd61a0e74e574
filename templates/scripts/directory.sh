# directory.sh PATH MODE OWNER GROUP - make a directory, or correct its mode and owner.
#
# The parent must exist. stdout: created, updated or unchanged
# exit: 67 unsafe parent
path=$1 mode=$2 owner=$3 group=$4
guard "$path"
case $(kind "$path") in
absent)
	mkdir -m 0700 -- "$path"
	chown -- "$owner:$group" "$path"
	chmod -- "$mode" "$path"
	sync -- "$dir"
	echo created
	;;
directory)
	before=$(stat -c %a:%u:%g -- "$path")
	chown -- "$owner:$group" "$path"
	chmod -- "$mode" "$path"
	if [ "$before" = "$(stat -c %a:%u:%g -- "$path")" ]; then echo unchanged; else echo updated; fi
	;;
*) die 1 "$path is in the way: it is not a directory" ;;
esac
