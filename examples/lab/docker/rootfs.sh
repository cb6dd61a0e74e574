#!/usr/bin/env bash
# Builds the root file system of the lab's containers: Debian with systemd and sshd, from the machine's own package
# mirror, because an image registry may be out of reach. Usage: rootfs.sh OUTPUT.tar
#
# Everything that decides the content is in this directory: lab.sh names the result after a digest of these files.
set -euo pipefail

suite=bookworm
# Beyond a bootable system with ssh and sudo: what a kubelet, kube-proxy and runc call or link.
packages=systemd,systemd-sysv,dbus,openssh-server,sudo,ca-certificates,iproute2,iptables,nftables,conntrack,socat,kmod
packages+=,procps,util-linux,mount,libseccomp2,iputils-ping
# Units that only make sense on real hardware, or that reach out to the network on a timer.
masked=(
	apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer fstrim.timer
	dev-hugepages.mount dev-mqueue.mount sys-fs-fuse-connections.mount sys-kernel-config.mount sys-kernel-debug.mount
	sys-kernel-tracing.mount systemd-modules-load.service systemd-udevd.service systemd-udev-trigger.service
	systemd-logind.service console-getty.service getty.target systemd-remount-fs.service
)

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
output=$1

# mirror_uri prints the package mirror that apt uses on this machine, preferring the one that is known to have the suite.
mirror_uri() {
	# shellcheck disable=SC2016  # apt's own variables
	apt-get indextargets --format '$(RELEASE) $(COMPONENT) $(REPO_URI)' 'Created-By: Packages' |
		awk -v suite="$suite" '
			$2 != "main" || $1 ~ /security|updates|backports/ { next }
			$1 == suite && exact == "" { exact = $3 }
			other == "" { other = $3 }
			END { print exact != "" ? exact : other }'
}

uri=$(mirror_uri)
[[ -n $uri ]] || { echo "rootfs: apt on this machine knows no Debian mirror (apt-get indextargets is empty)" >&2; exit 1; }
http_proxy=${http_proxy:-}
eval "$(apt-config shell http_proxy Acquire::http::Proxy)"
[[ -z $http_proxy ]] || export http_proxy

work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
root=$work/root

if ! debootstrap --variant=minbase --include="$packages" "$suite" "$root" "$uri" >"$work/log" 2>&1; then
	tail -n 20 "$work/log" >&2
	echo "rootfs: debootstrap of $suite failed" >&2
	exit 1
fi

for unit in "${masked[@]}"; do
	ln -sf /dev/null "$root/etc/systemd/system/$unit"
done
chroot "$root" useradd --create-home --shell /bin/bash --user-group vagrant
# "*" is no password at all, but unlike useradd's "!" not a locked account, which sshd would turn away.
chroot "$root" usermod --password '*' vagrant
printf 'vagrant ALL=(ALL) NOPASSWD: ALL\n' >"$root/etc/sudoers.d/vagrant"
chmod 0440 "$root/etc/sudoers.d/vagrant"
printf 'PasswordAuthentication no\nUseDNS no\n' >"$root/etc/ssh/sshd_config.d/lab.conf"
install -m 0755 "$here/container-init" "$root/usr/local/sbin/container-init"

# Made anew in every container (container-init), or worthless in an image.
rm -f "$root"/etc/ssh/ssh_host_*_key "$root"/etc/ssh/ssh_host_*_key.pub "$root/var/lib/dbus/machine-id"
: >"$root/etc/machine-id"
rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/* "$root"/var/log/*.log "$root"/usr/share/doc/* \
	"$root"/usr/share/man/* "$root"/usr/share/locale/*

tar -C "$root" --numeric-owner --one-file-system -cf "$output.partial" .
mv -- "$output.partial" "$output"
