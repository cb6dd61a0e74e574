# image-remove.sh CTR SOCKET REF - remove an image from containerd's k8s.io namespace.
#
# What is already gone is no error.
ctr=$1 socket=$2 ref=$3
images() { "$ctr" -a "$socket" -n k8s.io images "$@"; }
list=$(images ls -q)
printf '%s\n' "$list" | grep -Fxq -e "$ref" || exit 0
images rm --sync "$ref" >/dev/null
