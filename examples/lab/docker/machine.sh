# shellcheck shell=bash disable=SC2154,SC2317  # lab and here come from lab.sh; step calls functions by name
# What the docker lab changes on the machine itself, and how it is put back. Sourced by lab.sh, which sets `lab` (the
# directory of the records), say, step and die.
#
# Every change is recorded before it is made, under $lab/undo, with the value that was there before; a record that exists
# is never overwritten. So `down` can undo an `up` that was interrupted anywhere, or that ran twice.

network=hardway-lab
bridge=hardway0
subnet=192.168.56.0/24
# A packet to a pod or a Service that nothing on a host has caught yet would leave the machine by its default route.
blackholes=(10.244.0.0/16 10.96.0.0/16)
# Settings of the whole machine that dockerd, a kubelet or a kube-proxy in a container sets; recorded, not changed here.
shared_sysctls=(
	net.ipv4.ip_forward net.ipv4.conf.all.forwarding net.ipv4.conf.default.forwarding
	net.ipv6.conf.all.forwarding net.ipv6.conf.default.forwarding
	net.bridge.bridge-nf-call-iptables net.bridge.bridge-nf-call-ip6tables net.ipv4.conf.all.route_localnet
	net.netfilter.nf_conntrack_max net.netfilter.nf_conntrack_tcp_timeout_established
	net.netfilter.nf_conntrack_tcp_timeout_close_wait
	kernel.panic kernel.panic_on_oops kernel.keys.root_maxkeys kernel.keys.root_maxbytes
	vm.overcommit_memory vm.panic_on_oom vm.max_map_count vm.swappiness
	fs.inotify.max_user_instances fs.inotify.max_user_watches
)
# Three machines' worth of systemd, kubelet and containerd watch more files than one machine's default allows.
raised_sysctls=(fs.inotify.max_user_instances=1024 fs.inotify.max_user_watches=524288)

# record NAME VALUE keeps the value from before a change.
record() {
	mkdir -p -- "$lab/undo"
	[[ -e $lab/undo/$1 ]] || printf '%s\n' "$2" >"$lab/undo/$1"
}

recorded() { [[ -e $lab/undo/$1 ]]; }

# sysctl_path NAME prints the file of a sysctl.
sysctl_path() { printf '/proc/sys/%s\n' "${1//.//}"; }

# install_packages PACKAGE... installs the ones that are missing.
install_packages() {
	local missing=() package
	for package; do
		[[ $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) == installed ]] || missing+=("$package")
	done
	((${#missing[@]})) || return 0
	printf '%s\n' "${missing[@]}" >>"$lab/installed-packages"
	install_missing() {
		DEBIAN_FRONTEND=noninteractive apt-get -qq update &&
			DEBIAN_FRONTEND=noninteractive apt-get -qq install --no-install-recommends "${missing[@]}"
	}
	step "installing ${missing[*]}" install_missing
}

record_sysctls() {
	local name path
	for name in "${shared_sysctls[@]}"; do
		path=$(sysctl_path "$name")
		[[ ! -r $path ]] || record "sysctl.$name" "$(<"$path")"
	done
}

raise_sysctls() {
	local setting path
	for setting in "${raised_sysctls[@]}"; do
		path=$(sysctl_path "${setting%%=*}")
		[[ ! -w $path ]] || (($(<"$path") >= ${setting#*=})) || echo "${setting#*=}" >"$path"
	done
}

restore_sysctls() {
	local file name path before
	for file in "$lab"/undo/sysctl.*; do
		[[ -e $file ]] || continue
		name=${file##*/sysctl.} before=$(<"$file")
		path=$(sysctl_path "$name")
		if [[ -w $path && $(<"$path") != "$before" ]]; then
			say "putting back $name = $before"
			# Some refuse to be written even by root (a network namespace's limits): say so and go on.
			echo "$before" 2>/dev/null >"$path" || say "  refused: it stays $(<"$path")"
		fi
		rm -f -- "$file"
	done
}

docker_answers() { docker version --format '{{.Server.Version}}' >/dev/null 2>&1; }

# start_docker starts dockerd where none answers: by systemd where that runs the machine, else by hand.
start_docker() {
	! docker_answers || return 0
	record iptables.forward-policy "$(iptables -S FORWARD 2>/dev/null | awk '/^-P/ { print $3 }')"
	record ip6tables.forward-policy "$(ip6tables -S FORWARD 2>/dev/null | awk '/^-P/ { print $3 }')"
	if [[ -d /run/systemd/system ]]; then
		record docker.systemd "$(systemctl is-active docker.socket || true)"
		step "starting docker.service" systemctl start docker
	else
		record dockerd "$lab/dockerd.pid"
		say "starting dockerd (log: .lab/dockerd.log)"
		setsid dockerd --pidfile "$lab/dockerd.pid" >"$lab/dockerd.log" 2>&1 </dev/null 9>&- &
		disown
	fi
	local _
	for _ in {1..150}; do
		! docker_answers || return 0
		sleep 0.2
	done
	tail -n 20 "$lab/dockerd.log" >&2 2>/dev/null || true
	die "dockerd does not answer after 30 s (docker version)"
}

# stop_docker stops the dockerd that start_docker started, and takes away what it leaves in the kernel.
stop_docker() {
	if { recorded dockerd || recorded docker.systemd; } && [[ -n $(docker ps --quiet 2>/dev/null) ]]; then
		say "other containers run on the docker that was started for the lab: it goes on (docker ps)"
		return
	fi
	if recorded dockerd; then
		local pid
		pid=$(cat -- "$lab/dockerd.pid" 2>/dev/null || true)
		if [[ -n $pid && $(cat "/proc/$pid/comm" 2>/dev/null) == dockerd ]]; then
			step "stopping dockerd (pid $pid)" stop_process "$pid"
		fi
		clean_docker_network
		rm -f -- "$lab/undo/dockerd"
	elif recorded docker.systemd; then
		step "stopping docker.service" systemctl stop docker.socket docker.service
		[[ $(<"$lab/undo/docker.systemd") != active ]] || systemctl start docker.socket
		clean_docker_network
		rm -f -- "$lab/undo/docker.systemd"
	fi
}

# stop_process PID asks a process to end and waits, for at most 30 s.
stop_process() {
	kill -TERM "$1"
	local _
	for _ in {1..300}; do
		[[ -d /proc/$1 ]] || return 0
		sleep 0.1
	done
	die "process $1 does not end"
}

# clean_docker_network removes docker's bridge and firewall chains and nothing else.
clean_docker_network() {
	ip link delete docker0 2>/dev/null || true
	local save restore command policy
	for command in iptables ip6tables; do
		save=$command-save restore=$command-restore
		command -v "$save" >/dev/null || continue
		policy=$(cat -- "$lab/undo/$command.forward-policy" 2>/dev/null || true)
		"$save" 2>/dev/null |
			awk -v policy="$policy" '
				/DOCKER|docker0|'"$bridge"'/ { next }
				/^:FORWARD/ && table == "*filter" && policy != "" { $2 = policy }
				/^\*/ { table = $0 }
				{ print }' |
			"$restore" 2>/dev/null || say "$restore failed: docker's chains stay"
		rm -f -- "$lab/undo/$command.forward-policy"
	done
}

add_blackholes() {
	local range
	for range in "${blackholes[@]}"; do
		[[ -z $(ip route show exact "$range") ]] || continue
		record "route.${range//\//_}" "$range"
		say "routing $range into nothing on this machine: unanswered pod and Service traffic stays here"
		ip route add blackhole "$range"
	done
}

remove_blackholes() {
	local file range
	for file in "$lab"/undo/route.*; do
		[[ -e $file ]] || continue
		range=$(<"$file")
		ip route delete blackhole "$range" 2>/dev/null || true
		rm -f -- "$file"
	done
}

create_network() {
	! docker network inspect "$network" >/dev/null 2>&1 || return 0
	docker network create --subnet "$subnet" --opt "com.docker.network.bridge.name=$bridge" "$network" >/dev/null ||
		die "docker cannot make the network $subnet: is another network using it (docker network ls, ip route)?"
}

remove_network() {
	! docker network inspect "$network" >/dev/null 2>&1 || docker network rm "$network" >/dev/null
}

# image_tag names the base image after what decides its content.
image_tag() {
	local digest
	digest=$(cat -- "$here/docker/rootfs.sh" "$here/docker/container-init" | sha256sum)
	printf 'hardway-lab:%s\n' "${digest:0:12}"
}

# make_image imports the base image, from the cached root file system where there is one.
make_image() {
	local tag archive cache=${HARDWAY_CACHE:-$HOME/.cache/hardway}/lab
	tag=$(image_tag)
	archive=$cache/rootfs-${tag#*:}.tar
	if ! docker image inspect "$tag" >/dev/null 2>&1; then
		mkdir -p -- "$cache"
		[[ -s $archive ]] || step "making the hosts' Debian with debootstrap" "$here/docker/rootfs.sh" "$archive"
		step "importing the hosts' image" import_image "$archive" "$tag"
	fi
	printf '%s\n' "$tag" >"$lab/image"
}

import_image() {
	docker import --change 'ENTRYPOINT ["/usr/local/sbin/container-init"]' "$1" "$2" >/dev/null
}

remove_images() {
	local tags
	# By name: of an image that another is built on, only the name goes.
	tags=$(docker image ls --format '{{.Repository}}:{{.Tag}}' --filter reference=hardway-lab)
	# shellcheck disable=SC2086  # one name a word
	[[ -z $tags ]] || docker image rm --force $tags >/dev/null
}

# lacks_sys_resource says whether this very process could not grant CAP_SYS_RESOURCE (bit 24).
lacks_sys_resource() {
	local effective
	effective=$(awk '/^CapEff/ { print $2 }' /proc/self/status)
	(((16#$effective >> 24 & 1) == 0))
}
