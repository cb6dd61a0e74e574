# observe.sh - read everything that one request asks for; change nothing.
#
# stdin:  one item a line, its kind in the first byte, the value behind it:
#         F path           C path whose content is wanted too
#         B path of PEM, of which only the CERTIFICATE blocks are wanted
#         U unit           S file below /proc/sys
#         M module         e effect of the module before (path, or file:word)
#         P TCP port, four upper-case hex digits
#         I ctr            i containerd's socket
#         K kubectl        k kubeconfig           d etcd's data directory
#         N (nodes wanted) G namespace or -       R kind/name in that namespace
# stdout: records of fields that each end in NUL; the first field is the kind.
#         The last record is "Z": an answer without it is not whole.
set +e
t=$HARDWAY_TMP
rec() { printf '%s\0' "$@"; }
# field FILE prints the file as one field.
field() {
	cat -- "$1" 2>/dev/null | tr -d '\000'
	printf '\0'
}
rec clock "$(date +%s.%N)"
rec uname "$(uname -n)" "$(uname -r)" "$(uname -m)"

effects() { # the module's record, once its last effect is known
	[ -z "$module" ] || rec module "$module" "$present"
	module=
}

# kubectl writes its discovery cache below HOME if nobody tells it otherwise.
kubectl() {
	timeout 30 "$kubectl" --kubeconfig="$kubeconfig" --cache-dir="$t/kube-cache" --request-timeout=5s \
		"$@" --output=json >"$t/kube" 2>"$t/kube.err" </dev/null
}
get() { # kubectl's arguments; one record with what it printed
	[ "$kube" = up ] || return
	if kubectl get "$@"; then
		printf 'json\0'
		field "$t/kube"
		return
	fi
	case $(cat "$t/kube.err") in
	*"doesn't have a resource type"*) return 1 ;;
	*"(Forbidden)"*) kube=forbidden ;;
	*) kube=down ;;
	esac
	why=$(head -c 4000 "$t/kube.err")
}
objects() { # the group that was collected, in one call
	[ $# -gt 1 ] || return
	where=$1
	shift
	set -- --ignore-not-found "$where" "$@"
	get "$@" && return
	# A kind that does not exist yet spoils the call for the others.
	shift 2
	for object; do
		get --ignore-not-found "$where" "$object"
	done
}

for list in files contents readable big small units ports; do
	true >"$t/$list"
done
module='' present=0 ctr='' socket='' kubectl='' kubeconfig='' etcd='' kube='' why=''
set -- # collects the group of objects
while IFS= read -r line; do
	value=${line#?}
	kind=${line%"$value"}
	[ "$kind" = e ] || effects
	case $kind in
	F | C | B)
		printf '%s\0' "$value" >>"$t/files"
		case $kind in
		C) printf '%s\n' "$value" >>"$t/contents" ;;
		B)
			# Through a link too. A private key in the same file does not travel.
			if [ -f "$value" ]; then
				printf 'certificates\0%s\0' "$value"
				head -c 262144 -- "$value" | sed -n '/^-----BEGIN CERTIFICATE-----/,/^-----END CERTIFICATE-----/p' | base64 -w 0
				printf '\0'
			fi
			;;
		esac
		;;
	U) printf '%s\0' "$value" >>"$t/units" ;;
	S) [ ! -e "$value" ] || rec sysctl "$value" "$(cat -- "$value" 2>/dev/null)" ;;
	M)
		module=$value present=0
		plain=$(printf %s "$module" | tr - _)
		[ ! -d "/sys/module/$plain" ] || present=1
		builtin=/lib/modules/$(uname -r)/modules.builtin
		[ ! -r "$builtin" ] || ! tr - _ <"$builtin" | grep -q "/$plain\.ko\$" || present=1
		;;
	e)
		case $value in
		*:*) ! grep -qwF -e "${value#*:}" -- "${value%%:*}" 2>/dev/null || present=1 ;;
		*) [ ! -e "$value" ] || present=1 ;;
		esac
		;;
	P) printf '%s\n' "$value" >>"$t/ports" ;;
	I) ctr=$value ;;
	i) socket=$value ;;
	K) kubectl=$value ;;
	k) kubeconfig=$value ;;
	d)
		etcd=$value kube=up
		[ -x "$kubectl" ] && [ -f "$kubeconfig" ] && [ -e "$etcd" ] || kube=no-cluster
		;;
	N) get nodes ;;
	G)
		objects "$@"
		set -- "--namespace=$value"
		[ "$value" != - ] || set -- --all-namespaces=false
		;;
	R) set -- "$@" "$value" ;;
	*) rec error "the observation was asked for $kind, which it does not know" ;;
	esac
done
effects
objects "$@"
[ -z "$kube" ] || rec kube "$kube" "$why"

# Files: one find for what they are, sha256sum in one go for small ones and one
# process a CPU for large ones.
xargs -0 -r -s 1000000 -a "$t/files" sh -c 't=$1; shift; exec find "$@" -maxdepth 0 \
	-printf "file\0%p\0%y\0%m\0%u\0%g\0%s\0%l\0" \( -type d -empty -printf "empty\0%p\0" , -type f \
	\( -size -262145c -fprintf "$t/readable" "%p\n" , -size +2047k -fprint0 "$t/big" -o -size -2048k -fprint0 "$t/small" \) \)' \
	sh "$t" 2>"$t/find.err"
xargs -0 -r -s 1000000 -a "$t/small" sha256sum -z -- >"$t/sums" 2>"$t/sum.err"
xargs -0 -r -n 1 -P "$(nproc)" -a "$t/big" sha256sum -z -- >>"$t/sums" 2>>"$t/sum.err"
printf 'sums\0'
cat "$t/sums"
printf '\0'
# Gone is an answer; anything else that went wrong leaves us not knowing.
grep -v -e ': No such file or directory$' -e ': Not a directory$' -- "$t/find.err" >"$t/err"
cat "$t/sum.err" >>"$t/err"
[ ! -s "$t/err" ] || rec error "$(head -c 2000 "$t/err")"
if [ -s "$t/contents" ]; then
	grep -Fx -f "$t/contents" -- "$t/readable" | while IFS= read -r path; do
		printf 'content\0%s\0' "$path"
		base64 -w 0 -- "$path" 2>/dev/null
		printf '\0'
	done
fi
printf 'mounts\0'
field /proc/self/mountinfo

# Units: one systemctl for all; its blocks come in the order asked for.
if [ -s "$t/units" ]; then
	if xargs -0 -r -s 1000000 -a "$t/units" systemctl show --no-pager \
		--property=Id,LoadState,ActiveState,SubState,UnitFileState,FragmentPath,DropInPaths,MainPID,NRestarts,Result,NeedDaemonReload,Type,Environment \
		-- >"$t/show" 2>"$t/err"; then
		printf 'units\0'
		field "$t/show"
		printf 'inputs\0'
		sed -n 's|^MainPID=\([1-9][0-9]*\)$|/proc/\1/environ|p' "$t/show" |
			xargs -r grep -saHZz -e '^HARDWAY_INPUTS=' --
		printf '\0'
	else
		rec error "systemctl show: $(head -c 2000 "$t/err")"
	fi
fi

# Images. A runtime that does not answer holds nothing that could be relied on;
# the import that follows from that finds out what is there.
if [ -n "$ctr" ]; then
	printf 'images\0'
	true >"$t/images"
	[ ! -x "$ctr" ] || [ ! -S "$socket" ] ||
		timeout 20 "$ctr" -a "$socket" -n k8s.io images ls >"$t/images" 2>/dev/null </dev/null || true >"$t/images"
	field "$t/images"
fi

# Listeners: sockets in state 0A (LISTEN), then the processes that have them.
if [ -s "$t/ports" ]; then
	while read -r port; do
		grep -h -E -e "^ *[0-9]+: [0-9A-F]+:$port [0-9A-F]+:0000 0A " /proc/net/tcp /proc/net/tcp6 2>/dev/null
	done <"$t/ports" >"$t/listen"
	set --
	while read -r _ from _ _ _ _ _ _ _ inode _; do
		rec listen "${from##*:}" "$inode"
		set -- "$@" -o -lname "socket:[[]$inode]"
	done <"$t/listen"
	if [ $# -gt 0 ]; then
		shift
		find /proc/[0-9]*/fd -maxdepth 1 \( "$@" \) -printf '%p %l\n' 2>/dev/null | while read -r fd to; do
			process=${fd%/fd/*}
			exe=$(readlink "$process/exe")
			inode=${to#socket:[}
			rec socket "${inode%]}" "${exe##*/}"
		done
	fi
fi

# The machine.
printf 'os\0'
field /etc/os-release
machine=
[ ! -s /etc/machine-id ] || read -r machine </etc/machine-id
rec machine "$machine"
cgroup=1
[ ! -e /sys/fs/cgroup/cgroup.controllers ] || cgroup=2
rec cgroup "$cgroup"
rec cpus "$(nproc)"
printf 'memory\0'
grep -m 1 '^MemTotal:' /proc/meminfo
printf '\0'
printf 'swaps\0'
field /proc/swaps
printf 'ipv4\0'
grep -B 1 '/32 host LOCAL' /proc/net/fib_trie 2>/dev/null
printf '\0'
printf 'ipv6\0'
field /proc/net/if_inet6
IFS=:
for command in iptables nft ip modprobe conntrack socat swapoff sysctl bash systemctl flock mount; do
	for dir in $PATH; do
		if [ -x "$dir/$command" ]; then
			rec command "$command" "$dir/$command"
			break
		fi
	done
done
rec clock "$(date +%s.%N)"
rec Z
