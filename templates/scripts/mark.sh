# mark.sh LINEAGE SERIAL CLUSTER COPY - note whose host this is, and how far its state had come.
#
# COPY is the SHA-256 of the sealed copy of the state that lies here, or nothing.
# effect: HARDWAY_STATE/mark gets one line for each of the four, whole or not at
#         all. A mark of another lineage, or with a higher serial, stays.
# stdout: at exit 74, the lineage and the serial of the mark that stays
# exit:   1 the present mark is damaged, 74 it stays
lineage=$1 serial=$2 cluster=$3 copy=$4
mark=$HARDWAY_STATE/mark
case $lineage$cluster in *"$nl"*) die 64 "a lineage and a cluster's name are one line each" ;; esac
[ -n "$lineage" ] || die 64 "no lineage"
# number SERIAL: a shell counts to 2^63, and takes a leading zero for octal.
number() {
	case $1 in
	"" | *[!0-9]* | 0?* | ???????????????????*) return 1 ;;
	esac
}
number "$serial" || die 64 "not a serial: $serial"
case ${#copy}:$copy in
*:*[!0-9a-f]*) die 64 "not a SHA-256: $copy" ;;
0: | 64:*) ;;
*) die 64 "not a SHA-256: $copy" ;;
esac

mkdir -p -m 0700 -- "$HARDWAY_STATE"
if [ -e "$mark" ] || [ -L "$mark" ]; then
	whose='' last=''
	[ ! -f "$mark" ] || { IFS= read -r whose && IFS= read -r last; } <"$mark" || true
	if [ -z "$whose" ] || ! number "$last"; then
		die 1 "$mark is damaged; make sure whose host this is, then delete the file"
	fi
	if [ "$whose" != "$lineage" ] || [ "$last" -gt "$serial" ]; then
		printf '%s\n' "$whose" "$last"
		exit 74
	fi
fi
guard "$mark"
temporary
printf '%s\n' "$lineage" "$serial" "$cluster" "$copy" >"$tmp"
replace "$mark"
