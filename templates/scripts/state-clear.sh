# state-clear.sh - delete HARDWAY_STATE: the last act of a destroy.
#
# With it goes the fencing generation: the session can do nothing more.
# The session keeps the lock that it holds until it ends; a session that comes
# meanwhile makes a new lock file, which is why this is the last act.
clean "$HARDWAY_STATE"
rm -rf --one-file-system -- "$HARDWAY_STATE"
