# image-import.sh CTR SOCKET REF SHA256 ARCHIVE - import a container image.
#
# effect: ARCHIVE, which must have this SHA-256, goes into containerd's k8s.io
#         namespace; the image gets the label hardway.io/archive=SHA256
# exit:   1 the archive does not hold REF, 65 it is another archive
ctr=$1 socket=$2 ref=$3 sha256=$4 archive=$5
got=$(digest "$archive")
[ "$got" = "$sha256" ] || die 65 "$archive has sha256 $got, expected $sha256"
images() { "$ctr" -a "$socket" -n k8s.io images "$@"; }
said=$(images import -- "$archive" 2>&1) || die 1 "importing $archive: $said"
images ls -q | grep -Fxq -e "$ref" || die 1 "$archive does not hold $ref: $said"
images label "$ref" "hardway.io/archive=$sha256" >/dev/null
