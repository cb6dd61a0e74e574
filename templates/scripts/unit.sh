# unit.sh ACTION NAME - perform one action on a systemd unit.
#
# ACTION: daemon-reload, start, start-no-block, stop, restart, restart-no-block, reload, enable,
#         disable, unmask, reset-failed
# effect: what systemctl does; a unit that systemd does not know is already
#         stopped, disabled and not failed
# stderr: what systemctl said; unit-logs has the end of the unit's log
action=$1 name=$2
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
