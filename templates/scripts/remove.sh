# remove.sh PATH RECURSIVE EXPECT - delete a file, an empty directory or a tree.
#
# RECURSIVE is 1 or 0. A tree is not followed into other file systems. What is
# already gone is no error. Links are removed, never followed.
# exit: 66 PATH changed, 67 unsafe parent
path=$1 recursive=$2 want=$3
clean "$path"
[ -e "$path" ] || [ -L "$path" ] || exit 0
guard "$path"
expect "$path" "$want"
case $recursive:$(kind "$path") in
1:directory)
	case $path in
	/*/?*) ;;
	*) die 64 "refusing to delete the tree $path: it is at the top of the file system" ;;
	esac
	rm -rf --one-file-system -- "$path"
	;;
*:directory) rmdir -- "$path" ;;
*) rm -f -- "$path" ;;
esac
sync -- "$dir"
