# packages.sh install|remove MANAGER [PACKAGE...] - packages of the distribution.
#
# MANAGER is apt, dnf, zypper or apk. Nobody is asked anything, and another run of
# the package manager is waited for, up to five minutes.
# install: PACKAGE... are installed; HARDWAY_STATE/packages notes, beforehand, those
#          that were not there.
# remove:  what is noted goes, unless something else has come to need it.
# stdout:  a line for each: installed, removed or kept, and the package
# exit:    1 it failed; standard error says whether repositories could be reached
action=$1 manager=$2
shift 2
note=$HARDWAY_STATE/packages
for name; do
	case $name in "" | -* | *[!a-zA-Z0-9._+-]*) die 64 "not a package: $name" ;; esac
done
export DEBIAN_FRONTEND=noninteractive NEEDRESTART_MODE=l NEEDRESTART_SUSPEND=1 APT_LISTCHANGES_FRONTEND=none
export ZYPP_LOCK_TIMEOUT=300 LC_ALL=C
log=$HARDWAY_TMP/packages
case $manager in
apt) tool=apt-get ;;
dnf | zypper | apk) tool=$manager ;;
*) die 64 "not a package manager: $manager" ;;
esac
command -v "$tool" >/dev/null || die 1 "$tool is not on this host; install the packages by hand and set host.packages = \"check\""

has() {
	case $manager in
	apt) [ "$(dpkg-query -W -f '${db:Status-Status}' -- "$1" 2>/dev/null)" = installed ] ;;
	dnf | zypper) rpm -q -- "$1" >/dev/null 2>&1 ;;
	apk) apk info -e -- "$1" >/dev/null 2>&1 ;;
	esac
}
run() { # the package manager with a bound, its words into the log
	timeout 900 "$@" >"$log" 2>&1 </dev/null
}
put_in() {
	case $manager in
	apt) run apt-get -y -q --no-install-recommends -o DPkg::Lock::Timeout=300 -o Dpkg::Options::=--force-confold -o Acquire::Retries=2 install -- "$@" ;;
	dnf) run dnf -y -q --setopt=install_weak_deps=False install -- "$@" ;;
	zypper) run zypper --non-interactive --quiet install --no-recommends -- "$@" ;;
	apk) run apk --wait 300 --quiet add -- "$@" ;;
	esac
}
refresh() { # the lists of a host that was set up long ago, or never had any
	case $manager in
	apt) run apt-get -q -o DPkg::Lock::Timeout=300 -o Acquire::Retries=2 -o APT::Update::Error-Mode=any update ;;
	dnf) run dnf -q makecache ;;
	zypper) run zypper --non-interactive --quiet refresh ;;
	apk) run apk --wait 300 --quiet update ;;
	esac
}
said() { tail -n 12 -- "$log" | head -c 2000; }

case $action in
install)
	missing=
	for name; do
		has "$name" || missing="$missing $name"
	done
	[ -n "$missing" ] || exit 0
	mkdir -p -m 0700 -- "$HARDWAY_STATE"
	{
		[ ! -s "$note" ] || cat -- "$note"
		for name in $missing; do
			printf '%s %s\n' "$manager" "$name"
		done
	} | sort -u >"$note.new"
	sync -- "$note.new"
	mv -T -- "$note.new" "$note"
	sync -- "$HARDWAY_STATE"
	# shellcheck disable=SC2086 # names have no spaces
	if ! put_in $missing; then
		refresh || die 1 "$tool cannot install$missing, because its repositories cannot be read (no network, no proxy in its configuration, or no repository):$nl$(said)$nl""install them by hand and set host.packages = \"check\", or give the host a repository that it can reach"
		put_in $missing || die 1 "$tool cannot install$missing:$nl$(said)"
	fi
	for name in $missing; do
		has "$name" || die 1 "$tool said that $name is installed, and it is not:$nl$(said)"
		printf 'installed %s\n' "$name"
	done
	;;
remove)
	[ -s "$note" ] || exit 0
	while read -r by name; do
		[ "$by" = "$manager" ] && has "$name" || continue
		# These refuse where something else needs it, and never take that along.
		case $manager in
		apt) run dpkg --purge -- "$name" ;;
		dnf | zypper) run rpm -e -- "$name" ;;
		apk) run apk --wait 300 --quiet del -- "$name" ;;
		esac || true
		if has "$name"; then
			printf 'kept %s\n' "$name"
		else
			printf 'removed %s\n' "$name"
		fi
	done <"$note"
	rm -f -- "$note"
	;;
*) die 64 "neither install nor remove: $action" ;;
esac
