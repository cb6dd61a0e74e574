# put.sh PATH MODE OWNER GROUP SHA256 EXPECT SIZE - write a file, whole or not at all.
#
# stdin:  the content
# effect: a temporary in the same directory gets owner and mode before any
#         content, is hashed while it is written, synced and renamed; then the
#         directory is synced. EXPECT is checked just before the rename. The
#         digest of a large file is remembered, for observe.
# stdout: "in-place" where PATH is a mount point and could not be renamed over
# exit:   65 digest mismatch, 66 PATH changed, 67 unsafe parent
path=$1 mode=$2 owner=$3 group=$4 sha256=$5 want=$6 size=${7:-0}
guard "$path"
[ ! -d "$path" ] || [ -L "$path" ] || die 1 "$path is a directory"
temporary
chown -- "$owner:$group" "$tmp"
chmod -- "$mode" "$tmp"
# A write error must not go unseen behind the pipe: it spoils the digest.
got=$({ tee -- "$tmp" || echo failed; } | sha256sum)
got=${got%% *}
[ "$got" = "$sha256" ] || die 65 "$path: the content that arrived has sha256 $got, expected $sha256; nothing was changed"
expect "$path" "$want"
written=
[ "$size" -lt "$large" ] || written=$(stamp "$tmp") || written=
replace "$path"
[ -z "$written" ] || remember "$path" "$sha256" "$written"
