# unit-logs.sh UNIT LINES - print the end of a unit's log.
unit=$1 lines=$2
exec journalctl --no-pager --quiet --output=short-iso --lines="$lines" --unit="$unit"
