# http-get.sh URL [SECONDS] - GET a plain http URL from this host.
#
# stdout: the status code, a newline, and the first 64 KiB of the body
# exit:   1 no answer
# With curl, else bash, else wget: a minimal host has at least one of them.
url=$1 seconds=${2:-5}
case $url in
http://?*) ;;
*) die 64 "not an http URL: $url" ;;
esac
rest=${url#http://}
authority=${rest%%/*}
case $rest in
*/*) target=/${rest#*/} ;;
*) target=/ ;;
esac
port=80 name=$authority
case $authority in
*:*) port=${authority##*:} name=${authority%:*} ;;
esac

# answer reads headers and body from stdin; a shell reads byte by byte, so cat
# continues where the headers ended.
answer() {
	read -r version code _ || die 1 "no answer from $url"
	case $version in
	HTTP/*) ;;
	*) die 1 "what answers at $url does not speak HTTP" ;;
	esac
	while read -r line; do
		[ "${line%?}" ] || break
	done
	printf '%s\n' "$code"
	cat
}
if command -v curl >/dev/null; then
	curl -q --noproxy '*' -sS -i --http1.1 --max-time "$seconds" -- "$url" | head -c 69632 | answer
elif command -v bash >/dev/null; then
	# shellcheck disable=SC2016 # that shell expands it
	timeout "$seconds" bash -c '
		exec 3<>"/dev/tcp/$1/$2" || exit
		printf "GET %s HTTP/1.0\r\nHost: %s\r\nConnection: close\r\n\r\n" "$3" "$4" >&3
		cat <&3' bash "$name" "$port" "$target" "$authority" | head -c 69632 | answer
elif command -v wget >/dev/null; then
	head=$HARDWAY_TMP/http-head body=$HARDWAY_TMP/http-body
	wget --no-proxy -q -S --content-on-error -t 1 -T "$seconds" -O "$body" -- "$url" 2>"$head" || true
	code=$(sed -n 's|^ *HTTP/[0-9.]* \([0-9]*\).*|\1|p' "$head" | tail -n 1)
	[ -n "$code" ] || die 1 "no answer from $url: $(cat "$head")"
	printf '%s\n' "$code"
	head -c 65536 "$body"
else
	die 1 "this host has none of curl, bash and wget, so $url cannot be asked"
fi
