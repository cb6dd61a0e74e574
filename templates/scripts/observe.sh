# observe.sh - read everything that one request asks for; change nothing.
#
# stdin:  one item a line, its kind in the first byte, the value behind it:
#         F path           C path whose content is wanted too
#         c path whose content is wanted if its digest is not among those of h
#         B path of PEM, of which only the CERTIFICATE blocks are wanted
#         U unit (NAME.program: of supervisord)
#         S file below /proc/sys
#         A (the command lines of the units' processes)
#         M module         e effect of the module before (path, or file:word)
#         P TCP port, four upper-case hex digits
#         I ctr            i containerd's socket
#         K kubectl        k kubeconfig           d etcd's data directory
#         N (nodes wanted) G namespace or -       R kind/name in that namespace
#         D (no digest that was remembered will do)
#         Q package        W (what preflight asks) w directory that will be written to
#         h length in bytes, last: behind it stand the digests of c, as sha256sum
#         prints them, a line each
# stdout: records of fields that each end in NUL; the first field is the kind.
#         The last record is "Z": an answer without it is not whole.
# Processes are what costs time here: one serves all paths wherever it can.
set +e
t=$HARDWAY_TMP
rec() { printf '%s\0' "$@"; }
# field FILE prints the file as one field.
field() {
	[ ! -r "$1" ] || tr -d '\000' <"$1"
	printf '\0'
}
rec clock "$(date +%s.%N)"
# shellcheck disable=SC2046 # these three have no spaces
set -- $(uname -nrm)
rec uname "$@"
builtin=/lib/modules/$2/modules.builtin

# either NAME sets pattern to NAME with [-_] for each of the two.
either() {
	pattern='' rest=$1
	while :; do
		pattern=$pattern${rest%%[-_]*}
		case $rest in
		*[-_]*) pattern="${pattern}[-_]" rest=${rest#*[-_]} ;;
		*) return ;;
		esac
	done
}
effects() { # the module's record, once its last effect is known
	if [ -n "$module" ]; then
		if [ $present = 0 ] && [ -r "$builtin" ]; then
			either "$module"
			! grep -q "/$pattern\.ko\$" -- "$builtin" || present=1
		fi
		without=
		[ $present = 1 ] || without=$(modprobe -n -- "$module" 2>&1 </dev/null) && without=
		rec module "$module" $present "$without"
	fi
	module=
}

# supervised prints, for each program of supervisord, what there is of the
# properties of a unit; its first line ends the unit before.
supervised() {
	supervisorctl status >"$t/programs" 2>&1
	# A line of supervisord's own, or none at all; anything else is why there is none.
	odd=$(grep -v -E '^[^ ]+ +(STOPPED|STARTING|RUNNING|BACKOFF|STOPPING|EXITED|FATAL|UNKNOWN)( |$)' -- "$t/programs" | head -c 2000)
	[ -z "$odd" ] || rec error "supervisorctl status: $odd" >&3
	for program in $programs; do
		state='' pid=0
		while IFS=' ' read -r name word what number _; do
			[ "$name" = "$program" ] || continue
			state=$word
			[ "$what" != pid ] || pid=${number%,}
		done <"$t/programs"
		case $state in
		RUNNING) active='active' sub=running ;;
		STARTING) active='activating' sub=start ;;
		BACKOFF) active='activating' sub=auto-restart ;;
		STOPPING) active='deactivating' sub=stop ;;
		FATAL | UNKNOWN) active='failed' sub=failed ;;
		*) active='inactive' sub=dead ;;
		esac
		load=loaded enabled=enabled
		[ -n "$state" ] || load=not-found enabled=
		printf '\nId=%s.program\nLoadState=%s\nActiveState=%s\nSubState=%s\nUnitFileState=%s\nMainPID=%s\nNRestarts=0\n' \
			"$program" "$load" "$active" "$sub" "$enabled" "$pid"
	done
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

for list in sizeless readable big hash find.err sum.err listen pids dropins; do
	true >"$t/$list"
done
files='' pems='' contents='' perhaps='' length='' units='' programs='' sysctls='' ports='' deep='' argv=''
packages='' fitness='' spaces=''
module='' present=0 ctr='' socket='' kubectl='' kubeconfig='' etcd='' kube='' why=''
set -- # collects the group of objects
while IFS= read -r line; do
	value=${line#?}
	kind=${line%"$value"}
	[ "$kind" = e ] || effects
	case $kind in
	F | C | c | B)
		files=$files$value$nl
		case $kind in
		C) contents=$contents$value$nl ;;
		c) perhaps=$perhaps$value$nl ;;
		B) pems=$pems$value$nl ;;
		esac
		;;
	U)
		case $value in
		*.program) programs=$programs${value%.program}$nl ;;
		*) units=$units$value$nl ;;
		esac
		;;
	S)
		[ -e "$value" ] || continue
		rec sysctl "$value"
		sysctls=$sysctls$value$nl
		;;
	M)
		module=$value present=0 plain=$value
		while :; do
			case $plain in *-*) plain=${plain%%-*}_${plain#*-} ;; *) break ;; esac
		done
		[ ! -d "/sys/module/$plain" ] || present=1
		;;
	e)
		[ $present = 0 ] || continue
		case $value in
		*:*) ! grep -qwF -e "${value#*:}" -- "${value%%:*}" 2>/dev/null || present=1 ;;
		*) [ ! -e "$value" ] || present=1 ;;
		esac
		;;
	P) ports=$ports${ports:+|}$value ;;
	A) argv=yes ;;
	D) deep=yes ;;
	Q) packages=$packages$value$nl ;;
	W) fitness=yes ;;
	w) spaces=$spaces$value$nl ;;
	h)
		length=$value
		break
		;;
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

# The mark of the last apply.
mark=$HARDWAY_STATE/mark
if [ -f "$mark" ]; then
	printf 'mark\0%s\0file\0' "$mark"
	head -c 4096 -- "$mark" | tr '\000' '\001'
	printf '\0'
else
	rec mark "$mark" "$(kind "$mark")" ''
fi

# Lists with one path a line are split into arguments from here on.
set -f
IFS=$nl

# Files: one find for what they are, which has one sha256sum for all small ones;
# and one process a CPU for the large ones, of which what is remembered is not read.
printf 'sums\0\n' >"$t/sums"
# shellcheck disable=SC2086
[ -z "$files" ] || find $files -maxdepth 0 -fprintf "$t/files" 'file\0%p\0%y\0%m\0%u\0%g\0%s\0%l\0' \( \
	-type d -empty -fprintf "$t/files" 'empty\0%p\0' , -type f \( \
	\( -size 0 -fprintf "$t/sizeless" '%p\n' -o -size -262145c -fprintf "$t/readable" '%p\n' \) , \
	\( -size +$((large - 1))c -fprintf "$t/big" '%i %s %T@ %C@ %p\n' -o -exec sha256sum -- {} + \) \) \) >>"$t/sums" 2>"$t/find.err"
if [ -s "$t/big" ]; then
	remembered=$nl
	set +f
	[ -n "$deep" ] || cat -- "$HARDWAY_STATE"/digests/* >"$t/digests" 2>/dev/null
	set -f
	if [ -z "$deep" ] && [ -s "$t/digests" ]; then
		big=$nl$(cat "$t/big")$nl
		while IFS=' ' read -r inode size mtime ctime sum path; do
			case ${#sum}:$sum in
			*:*[!0-9a-f]*) continue ;;
			64:*) ;;
			*) continue ;;
			esac
			case $big in
			*"$nl$inode $size $mtime $ctime $path$nl"*)
				printf '%s  %s\n' "$sum" "$path" >>"$t/sums"
				remembered=$remembered$path$nl
				;;
			esac
		done <"$t/digests"
	fi
	while read -r line; do
		path=${line#* * * * }
		case $remembered in
		*"$nl$path$nl"*) ;;
		*) printf '%s\0' "$path" >>"$t/hash" ;;
		esac
	done <"$t/big"
	[ ! -s "$t/hash" ] || xargs -0 -r -n 1 -P "$(nproc)" -a "$t/hash" sha256sum -- >>"$t/sums" 2>"$t/sum.err"
fi
[ -z "$files" ] || cat "$t/files" "$t/sums"
[ -z "$files" ] || printf '\0'
# Gone is an answer; anything else that went wrong leaves us not knowing.
[ ! -s "$t/find.err" ] || grep -v -e ': No such file or directory$' -e ': Not a directory$' -- "$t/find.err" >>"$t/sum.err"
[ ! -s "$t/sum.err" ] || rec error "$(head -c 2000 "$t/sum.err")"

# Contents, but for those that whoever asks has already: the rest of the input is
# their digests. If as many bytes are found again, all are.
if [ -n "$length" ]; then
	same=$(grep -axF -f - -- "$t/sums")
	if [ ${#same} != "$length" ]; then
		same=$nl$same$nl
		digest='[0-9a-f][0-9a-f][0-9a-f][0-9a-f]' digest=$digest$digest$digest$digest digest=$digest$digest$digest$digest
		for path in $perhaps; do
			# shellcheck disable=SC2254 # it is a pattern
			case $same in
			*$nl$digest"  $path$nl"*) ;;
			*) contents=$contents$path$nl ;;
			esac
		done
	fi
fi
if [ -n "$contents" ]; then
	# One after the other, in the order of the file records, which have the
	# sizes. What does not tell its size (/proc) comes by itself.
	printf '%s' "$contents" >"$t/contents"
	# shellcheck disable=SC2046
	set -- $(grep -Fx -f "$t/contents" -- "$t/readable")
	if [ $# -gt 0 ]; then
		printf 'contents\0'
		cat -- "$@" 2>/dev/null | base64 -w 0
		printf '\0'
	fi
	[ ! -s "$t/sizeless" ] || grep -Fx -f "$t/contents" -- "$t/sizeless" | while read -r path; do
		printf 'content\0%s\0' "$path"
		base64 -w 0 -- "$path" 2>/dev/null
		printf '\0'
	done
fi
# Certificates, through a link too: the name of each file, and behind a colon the
# lines that are wanted. A private key in the same file does not travel.
if [ -n "$pems" ]; then
	printf 'certificates\0'
	# shellcheck disable=SC2086
	find -L $pems -maxdepth 0 -type f -size -262145c \
		-exec sed -s -n -e 1F -e '/^-----BEGIN CERTIFICATE-----/,/^-----END CERTIFICATE-----/{s/\x00//g;s/^/:/p}' -- {} + 2>"$t/sed.err"
	printf '\0'
	[ ! -s "$t/sed.err" ] || failed=$(grep -v ': No such file or directory$' -- "$t/sed.err" | head -c 2000)
	[ -z "${failed:-}" ] || rec error "$failed"
fi

# Units: one systemctl for all; its blocks come in the order asked for. Behind
# them, what other files add to them: the name of each, and its lines behind a colon.
# Programs of supervisord stand behind all units.
if [ -n "$units$programs" ]; then
	true >"$t/show"
	# shellcheck disable=SC2086
	if [ -z "$units" ] || systemctl show --no-pager \
		--property=Id,LoadState,ActiveState,SubState,UnitFileState,FragmentPath,DropInPaths,MainPID,NRestarts,Result,NeedDaemonReload,Type,Environment \
		-- $units >"$t/show" 2>"$t/err"; then
		[ -z "$programs" ] || supervised 3>&1 >>"$t/show"
		printf 'units\0'
		sed -n -e 's/\x00//g' -e p -e "s|^MainPID=\([1-9][0-9]*\)$|/proc/\1/environ|w $t/pids" -e "s|^DropInPaths=\(.\)|\1|w $t/dropins" "$t/show"
		printf '\0inputs\0'
		set --
		while read -r path; do
			set -- "$@" "$path"
		done <"$t/pids"
		[ $# = 0 ] || grep -saHZz -e '^HARDWAY_INPUTS=' -- "$@"
		printf '\0'
		seen=$nl
		set --
		while IFS= read -r line; do
			IFS=' '
			for path in $line; do
				case $seen in *"$nl$path$nl"*) continue ;; esac
				seen=$seen$path$nl
				set -- "$@" "$path"
			done
			IFS=$nl
		done <"$t/dropins"
		if [ $# -gt 0 ]; then
			printf 'dropins\0'
			sed -s -n -e 1F -e 's/\x00//g;s/^/:/p' -- "$@" 2>/dev/null
			printf '\0'
		fi
	else
		rec error "systemctl show: $(head -c 2000 "$t/err")"
	fi
fi

# What the kernel and the distribution say: each line behind its file's name and
# a colon.
printf 'system\0'
# shellcheck disable=SC2086
grep -asH '' -- $sysctls /proc/self/mountinfo /proc/meminfo /proc/swaps /proc/net/if_inet6 /proc/self/status /etc/os-release /etc/machine-id |
	tr -d '\000'
printf '\0'
unset IFS
set +f

# Images. A runtime that does not answer holds nothing that could be relied on;
# the import that follows from that finds out what is there.
if [ -n "$ctr" ]; then
	printf 'images\0'
	true >"$t/images"
	[ ! -x "$ctr" ] || [ ! -S "$socket" ] ||
		timeout 20 "$ctr" -a "$socket" -n k8s.io images ls >"$t/images" 2>/dev/null </dev/null || true >"$t/images"
	field "$t/images"
fi

# Command lines: words end in NUL, so they travel as base64. A process that is
# gone by now has none.
if [ -n "$argv" ] && [ -n "$units" ] && [ -s "$t/show" ]; then
	sed -n 's|^MainPID=\([1-9][0-9]*\)$|/proc/\1/cmdline|p' "$t/show" >"$t/cmdlines"
	while IFS= read -r line; do
		rec argv "$line" "$(head -c 131072 -- "$line" 2>/dev/null | base64 -w 0)"
	done <"$t/cmdlines"
fi

# Listeners: sockets in state 0A (LISTEN), then the processes that have them.
if [ -n "$ports" ]; then
	grep -h -E -e "^ *[0-9]+: [0-9A-F]+:($ports) [0-9A-F]+:0000 0A " /proc/net/tcp /proc/net/tcp6 >"$t/listen" 2>/dev/null
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
			unit=
			while IFS=: read -r _ _ group; do
				case $group in *.service* | *.scope* | *.socket*) unit=$group ;; esac
			done 2>/dev/null <"$process/cgroup"
			rec socket "${inode%]}" "${exe##*/}"
			rec holder "${inode%]}" "${process##*/}" "$unit"
		done
	fi
fi

cgroup=1
[ ! -e /sys/fs/cgroup/cgroup.controllers ] || cgroup=2
rec cgroup "$cgroup"
# Addresses of the host's own, of version 4.
printf 'ipv4\0'
grep -B 1 '/32 host LOCAL' /proc/net/fib_trie 2>/dev/null
printf '\0'
IFS=:
for command in iptables nft ip modprobe conntrack socat swapoff sysctl bash systemctl flock mount \
	umount losetup nsenter ipset ipvsadm ethtool tar apparmor_parser semanage restorecon setenforce firewall-cmd ufw \
	apt-get dnf zypper apk; do
	for dir in $PATH; do
		if [ -x "$dir/$command" ]; then
			rec command "$command" "$dir/$command"
			break
		fi
	done
done
unset IFS

# What preflight asks. Only the file systems and the package manager cost a process.
if [ -n "$fitness" ]; then
	systemd=
	for lib in /usr/lib/systemd /lib/systemd /usr/lib64/systemd /usr/lib/*-linux-gnu/systemd; do
		for so in "$lib"/libsystemd-shared-*.so; do
			[ ! -e "$so" ] || systemd=${so##*/libsystemd-shared-}
		done
	done
	rec fit systemd "$systemd"
	if [ -r /sys/fs/selinux/enforce ]; then
		read -r enforce </sys/fs/selinux/enforce || true
		rec fit selinux "$enforce"
	fi
	[ ! -r /etc/selinux/config ] || while IFS= read -r line; do
		case $line in SELINUX=*) rec fit selinux-boot "${line#SELINUX=}" ;; esac
	done </etc/selinux/config
	[ ! -r /sys/module/apparmor/parameters/enabled ] || read -r apparmor </sys/module/apparmor/parameters/enabled
	rec fit apparmor "${apparmor:-N}"
	printf 'spaces\0'
	set -f
	IFS=$nl
	# shellcheck disable=SC2086
	[ -z "$spaces" ] || stat -f -c '%S %a %b %d %c %T %n' -- $spaces 2>/dev/null
	unset IFS
	set +f
	printf '\0'
fi
if [ -n "$packages" ]; then
	printf 'packages\0'
	set -f
	IFS=$nl
	# shellcheck disable=SC2086
	if command -v dpkg-query >/dev/null; then
		dpkg-query -W -f '${Package} ${db:Status-Status}\n' -- $packages 2>/dev/null
	elif command -v rpm >/dev/null; then
		rpm -q --whatprovides --queryformat '%{NAME} installed\n' -- $packages 2>/dev/null
	elif command -v apk >/dev/null; then
		apk info -e -- $packages 2>/dev/null
	fi
	unset IFS
	set +f
	printf '\0'
fi
rec clock "$(date +%s.%N)"
rec Z
