# state-read.sh OFFSET - print a piece of the sealed copy of the state that lies here.
#
# stdout: at most 3 MiB of HARDWAY_STATE/state.age from OFFSET, in bytes; nothing
#         at its end
# exit:   3 there is no copy
offset=$1
case $offset in "" | *[!0-9]* | 0?*) die 64 "not an offset: $offset" ;; esac
copy=$HARDWAY_STATE/state.age
[ -f "$copy" ] || die 3 "there is no copy of the state at $copy"
tail -c +$((offset + 1)) -- "$copy" | head -c 3145728
