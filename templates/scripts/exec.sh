# exec.sh COMMAND ARGUMENT... - run a program with arguments that arrived as data.
#
# stdin: the program's; stdout, stderr and exit are the program's
[ $# -gt 0 ] || die 64 "no command"
exec "$@"
