#!/usr/bin/env bash
# The lab's hosts: lab.sh up | down | status
#
#   up      installs what is missing, prepares this machine, starts m1, n1 and n2 with Vagrant and trusts their host
#           keys; run again, it only does what is not done
#   down    removes the hosts and puts back everything that up changed on this machine
#   status  one line a host; exit 1 unless all are up
#
# The provider is docker, or what VAGRANT_DEFAULT_PROVIDER says (virtualbox, libvirt). Docker needs root.
set -euo pipefail
shopt -s inherit_errexit

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
lab=$here/.lab
declare -A hosts=([m1]=192.168.56.11 [n1]=192.168.56.21 [n2]=192.168.56.22)
names=(m1 n1 n2)

say() { printf 'lab: %s\n' "$*"; }

die() {
	printf 'lab: %s\n' "$*" >&2
	exit 1
}

# step LABEL COMMAND... runs a command, shows how long it takes, and its output only when it fails. The command has a
# process group of its own, so that an interrupt ends all of it.
step() {
	local label=$1 start=$SECONDS log=$lab/step.log pid counter=0
	shift
	set -m
	"$@" >"$log" 2>&1 </dev/null 9>&- &
	pid=$!
	set +m
	# shellcheck disable=SC2064  # this step's process
	trap "kill -TERM -- -$pid 2>/dev/null; exit 130" INT TERM
	while kill -0 "$pid" 2>/dev/null; do
		sleep 0.2
		if [[ -t 1 ]]; then
			printf '\rlab: %s … %d s' "$label" $((SECONDS - start))
		elif (((SECONDS - start) / 30 > counter)); then
			counter=$(((SECONDS - start) / 30))
			printf 'lab: %s … %d s, still at it\n' "$label" $((SECONDS - start))
		fi
	done
	trap - INT TERM
	[[ ! -t 1 ]] || printf '\r'
	if ! wait "$pid"; then
		printf 'lab: %s … %d s, failed:\n' "$label" $((SECONDS - start))
		cat -- "$log" >&2
		exit 1
	fi
	printf 'lab: %s … %d s\n' "$label" $((SECONDS - start))
}

# shellcheck source=docker/machine.sh
source "$here/docker/machine.sh"

# provider is that of the lab that is up, else the wanted one.
provider() {
	if [[ -s $lab/provider ]]; then cat -- "$lab/provider"; else printf '%s\n' "${VAGRANT_DEFAULT_PROVIDER:-docker}"; fi
}

# vagrant_here runs Vagrant for this lab, without its look for newer versions.
vagrant_here() {
	(cd -- "$here" && VAGRANT_DEFAULT_PROVIDER=$(provider) VAGRANT_CHECKPOINT_DISABLE=1 vagrant "$@")
}

# on HOST LINE runs a command line (without single quotes) as root on a host, not over our own ssh: this is how the host
# keys become known.
on() {
	if [[ $(provider) == docker ]]; then
		docker exec "hardway-$1" sh -c "$2"
	else
		vagrant_here ssh "$1" --no-tty --command "sudo sh -c '$2'" 2>/dev/null
	fi
}

# over_ssh HOST COMMAND... is the way that hardway will go: our key, known host keys only.
over_ssh() {
	local host=$1
	shift
	ssh -F none -i "$lab/id_ed25519" -o IdentitiesOnly=yes -o BatchMode=yes -o StrictHostKeyChecking=yes \
		-o UserKnownHostsFile="$lab/known_hosts" -o ConnectTimeout=5 "vagrant@${hosts[$host]}" "$@"
}

make_key() {
	[[ -s $lab/id_ed25519 && -s $lab/id_ed25519.pub ]] && return
	rm -f -- "$lab/id_ed25519" "$lab/id_ed25519.pub"
	ssh-keygen -q -t ed25519 -N '' -C hardway-lab -f "$lab/id_ed25519"
	chmod 0600 "$lab/id_ed25519"
}

# wait_for_systemd HOST waits until everything of the host's boot has settled.
wait_for_systemd() {
	local state _
	for _ in {1..150}; do
		state=$(on "$1" "systemctl is-system-running" 2>/dev/null || true)
		case ${state//[$'\r\n']/} in
		running) return 0 ;;
		degraded)
			on "$1" "systemctl --failed --no-legend" >&2
			return 1
			;;
		esac
		sleep 0.2
	done
	echo "$1 is still '$state' after 30 s" >&2
	return 1
}

# trust_hosts writes known_hosts from the files on the hosts themselves, never from what answers on the network.
trust_hosts() {
	local host
	for host in "${names[@]}"; do
		on "$host" "cat /etc/ssh/ssh_host_*_key.pub" |
			awk -v address="${hosts[$host]}" 'NF >= 2 { print address, $1, $2 }'
	done >"$lab/known_hosts.new"
	mv -- "$lab/known_hosts.new" "$lab/known_hosts"
}

# all_running says whether the containers are there and boot the current image.
all_running() {
	local host want
	want=$(docker image inspect --format '{{.Id}}' "$(image_tag)" 2>/dev/null) || return 1
	for host in "${names[@]}"; do
		[[ $(docker inspect --format '{{.State.Running}} {{.Image}}' "hardway-$host" 2>/dev/null) == "true $want" ]] || return 1
	done
}

prepare_docker() {
	((EUID == 0)) || die "the docker lab needs root: it may install packages, start dockerd and set routes"
	install_packages docker.io vagrant debootstrap iptables iproute2 openssh-client
	record_sysctls
	start_docker
	raise_sysctls
	add_blackholes
	if lacks_sys_resource; then touch "$lab/lacks-sys-resource"; else rm -f -- "$lab/lacks-sys-resource"; fi
	create_network
	make_image
}

up() {
	local wanted=${VAGRANT_DEFAULT_PROVIDER:-docker} start=$SECONDS host
	[[ $(provider) == "$wanted" ]] || die "a lab of provider $(provider) is up: run '$0 down' first"
	printf '%s\n' "$wanted" >"$lab/provider"
	if [[ $wanted == docker ]]; then
		prepare_docker
	else
		command -v vagrant >/dev/null || die "vagrant is not installed"
	fi
	make_key
	if [[ $wanted == docker ]] && all_running; then
		say "the hosts are running already"
	else
		# One after the other: Vagrant's docker provider, asked for several at once, now and then looks for a container
		# in the network that another of its threads is still making.
		step "vagrant up (${names[*]}, $wanted)" vagrant_here up --no-parallel --provider="$wanted"
	fi
	for host in "${names[@]}"; do
		wait_for_systemd "$host" || die "$host did not boot cleanly"
	done
	trust_hosts
	for host in "${names[@]}"; do
		over_ssh "$host" sudo -n true || die "$host does not let us in over ssh with sudo (a new start: $0 down, then up)"
	done
	# hardway loads *.auto.hclvars by itself: what containers need must be there for them and gone for virtual machines.
	if [[ $wanted == docker ]]; then
		cp -- "$here/docker.hclvars" "$here/lab.auto.hclvars"
	else
		rm -f -- "$here/lab.auto.hclvars"
	fi
	say "up: m1 192.168.56.11, n1 192.168.56.21, n2 192.168.56.22 (ssh -i .lab/id_ed25519 vagrant@…) … $((SECONDS - start)) s"
}

down_docker() {
	local volumes='' host id
	if docker_answers; then
		for host in "${names[@]}"; do
			id=$(docker ps --all --quiet --filter "name=^hardway-$host\$")
			[[ -n $id ]] || continue
			volumes+=" $(docker inspect --format '{{range .Mounts}}{{if eq .Type "volume"}}{{.Name}} {{end}}{{end}}' "$id")"
			docker rm --force --volumes "$id" >/dev/null
		done
		# shellcheck disable=SC2086  # one name a word
		[[ -z ${volumes// /} ]] || docker volume rm --force $volumes >/dev/null
		remove_network
		remove_images
	fi
	stop_docker
	remove_blackholes
	restore_sysctls
}

down() {
	local wanted start=$SECONDS
	wanted=$(provider)
	if [[ -d $here/.vagrant/machines ]] && command -v vagrant >/dev/null; then
		if [[ $wanted != docker ]] || docker_answers; then
			step "vagrant destroy" vagrant_here destroy --force
		fi
	fi
	if [[ $wanted == docker ]]; then
		((EUID == 0)) || die "the docker lab needs root: it puts routes and kernel settings back"
		! command -v docker >/dev/null || down_docker
	fi
	if [[ -s $lab/installed-packages ]]; then
		say "these packages were installed for the lab and stay: $(sort -u "$lab/installed-packages" | tr '\n' ' ')"
	fi
	rm -rf -- "$lab" "$here/.vagrant" "$here/lab.auto.hclvars"
	say "down … $((SECONDS - start)) s"
}

status() {
	local host state failed=0
	[[ -s $lab/provider ]] || { say "down"; return 1; }
	for host in "${names[@]}"; do
		state=$(on "$host" "systemctl is-system-running" 2>/dev/null || true)
		state=${state//[$'\r\n']/}
		if ! over_ssh "$host" sudo -n true 2>/dev/null; then state="${state:-not running}, no ssh"; fi
		[[ $state == running ]] || failed=1
		printf '%s\t%s\t%s\n' "$host" "${hosts[$host]}" "$state"
	done
	return "$failed"
}

case ${1:-} in
up | down)
	mkdir -p -- "$lab"
	exec 9>"$lab/lock"
	flock --nonblock 9 || die "another lab.sh is at work here"
	"$1"
	;;
status) status ;;
*)
	sed -n '2,10s/^# \{0,1\}//p' "$here/lab.sh" >&2
	exit 2
	;;
esac
