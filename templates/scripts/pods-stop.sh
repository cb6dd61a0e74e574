# pods-stop.sh CTR SOCKET [SECONDS] - stop and remove every container of containerd's k8s.io namespace.
#
# Each gets SIGTERM and SECONDS (10) to end, then SIGKILL. No containerd is no error.
ctr=$1 socket=$2 seconds=${3:-10}
[ -S "$socket" ] && [ -x "$ctr" ] || exit 0
c() { "$ctr" -a "$socket" -n k8s.io "$@"; }
tasks=$(c tasks ls | awk 'NR > 1 && $3 == "RUNNING" { print $1 }')
for id in $tasks; do
	c tasks kill --signal SIGTERM "$id" 2>/dev/null || true
done
while [ -n "$tasks" ] && [ "$seconds" -gt 0 ]; do
	sleep 1
	seconds=$((seconds - 1))
	tasks=$(c tasks ls | awk 'NR > 1 && $3 == "RUNNING" { print $1 }')
done
for id in $(c tasks ls -q); do
	c tasks kill --signal SIGKILL "$id" 2>/dev/null || true
	c tasks rm --force "$id" >/dev/null 2>&1 || true
done
for id in $(c containers ls -q); do
	c containers rm "$id" || true
done
left=$(c containers ls -q)
[ -z "$left" ] || die 1 "containers are still there: $left"
