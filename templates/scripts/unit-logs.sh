# unit-logs.sh UNIT LINES - print the end of a unit's log, or of a program's of supervisord.
unit=$1 lines=$2
case $unit in
*.program) supervisorctl tail -16000 "${unit%.program}" | tail -n "$lines" ;;
*) exec journalctl --no-pager --quiet --output=short-iso --lines="$lines" --unit="$unit" ;;
esac
