# directory-empty.sh PATH - remove everything in a directory, and keep the directory.
#
# What is mounted in it stays, and is an error. No directory is no error.
# exit: 67 unsafe parent
path=$1
clean "$path"
[ -e "$path" ] || [ -L "$path" ] || exit 0
guard "$path"
[ "$(kind "$path")" = directory ] || die 1 "$path is not a directory"
case $path in
/*/?*) ;;
*) die 64 "refusing to empty $path: it is at the top of the file system" ;;
esac
find "$path" -xdev -mindepth 1 -delete
sync -- "$path"
