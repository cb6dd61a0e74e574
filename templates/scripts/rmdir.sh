# rmdir.sh PATH - remove a directory if it is empty.
#
# What is already gone is no error. exit: 3 it is not empty, and was kept
path=$1
clean "$path"
[ -e "$path" ] || [ -L "$path" ] || exit 0
guard "$path"
[ "$(kind "$path")" = directory ] || die 1 "$path is not a directory"
out=$(rmdir -- "$path" 2>&1) || case $out in
*"not empty"*) die 3 "$path is not empty; kept" ;;
*) die 1 "$out" ;;
esac
sync -- "$dir"
