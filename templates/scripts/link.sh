# link.sh TARGET PATH - make PATH a symbolic link to TARGET, whole or not at all.
#
# effect: a link beside it is renamed over PATH; then the directory is synced.
#         A file or link that stands at PATH is replaced.
# exit:   67 unsafe parent
target=$1 path=$2
guard "$path"
[ ! -d "$path" ] || [ -L "$path" ] || die 1 "$path is a directory"
temporary
rm -f -- "$tmp"
ln -s -- "$target" "$tmp"
mv -T -- "$tmp" "$path"
tmp=
sync -- "$dir"
