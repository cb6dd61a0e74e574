# unit.sh ACTION NAME - perform one action on a systemd unit, or on a program of supervisord.
#
# ACTION: daemon-reload, start, start-no-block, stop, restart, restart-no-block, reload, enable,
#         disable, unmask, reset-failed
# NAME:   kubelet.service; with .program behind it, a program of supervisord
# effect: what systemctl does; a unit that systemd does not know is already
#         stopped, disabled and not failed. A program is enabled while its file is there.
# stderr: what systemctl or supervisorctl said; unit-logs has the end of the unit's log
action=$1 name=$2
# control ARGS sets out to what supervisorctl says. Its exit status has meant
# something only since 4.0, so its words count.
control() {
	out=$(supervisorctl "$@" 2>&1) || true
	case $out in
	*'already started'* | *'not running'* | *'no such process'* | *'no such group'*) ;;
	*ERROR* | *refused* | *'no such file'* | *'not found'*) die 1 "supervisorctl $*: $out" ;;
	esac
}
case $name in
*.program)
	program=${name%.program}
	case $program in
	"" | -* | *[!a-zA-Z0-9._-]*) die 64 "not a program: $name" ;;
	esac
	command -v supervisorctl >/dev/null || die 1 "this host has no supervisorctl; install supervisor"
	case $action in
	daemon-reload)
		control reread
		# One whose file is gone stays in memory until it is told.
		control avail
		printf '%s\n' "$out" | grep -q "^$program " || control remove "$program"
		;;
	start | start-no-block | restart | restart-no-block)
		control reread
		control update "$program" # starts it anew when anything in its file differs
		case $action:$out in
		restart*: | restart*:*'no such'*) control restart "$program" ;;
		*) control start "$program" ;;
		esac
		case $out in
		*'no such'*) die 1 "supervisord does not know $program: does it read the directory of its file?" ;;
		esac
		;;
	stop) control stop "$program" ;;
	reload) control signal HUP "$program" ;;
	enable | disable | unmask | reset-failed) ;;
	*) die 64 "unknown action $action" ;;
	esac
	exit 0
	;;
esac
case $action in
daemon-reload)
	exec systemctl --no-ask-password daemon-reload
	;;
start-no-block) set -- start --no-block ;;
restart-no-block) set -- restart --no-block ;;
start | stop | restart | reload | enable | disable | unmask | reset-failed) set -- "$action" ;;
*) die 64 "unknown action $action" ;;
esac
case $name in
"" | -*) die 64 "not a unit name: $name" ;;
esac
code=0
systemctl --no-ask-password --quiet "$@" -- "$name" || code=$?
[ $code != 0 ] || exit 0
case $action in
stop | disable | reset-failed)
	load=$(systemctl show --property=LoadState -- "$name")
	[ "$load" != LoadState=not-found ] || exit 0
	;;
esac
exit $code
