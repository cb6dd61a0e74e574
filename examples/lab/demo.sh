#!/usr/bin/env bash
# A real cluster on this machine, from nothing: components built from their Go modules, three hosts, and hardway's
# init, plan, apply and verify on them. Every stage can be repeated; what is done already is quick.
#
#   demo.sh        all of it
#   demo.sh down   removes what it made: hosts, state and identity; the cache of built components stays
set -euo pipefail
shopt -s inherit_errexit

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
root=$(cd -- "$here/../.." && pwd)
hardway=$root/bin/hardway
bold='' plain=''
if [[ -t 1 && -z ${NO_COLOR:-} ]]; then bold=$'\e[1m' plain=$'\e[0m'; fi
declare -a stages=()

# stage LABEL COMMAND... runs a stage under a heading and remembers its time.
stage() {
	local label=$1 start end
	shift
	printf '\n%s== %s%s\n' "$bold" "$label" "$plain"
	start=$(date +%s%N)
	"$@"
	end=$(date +%s%N)
	stages+=("$(printf '%7.1f s  %s' "$(((end - start) / 1000000))e-3" "$label")")
}

if ((EUID != 0)); then
	printf 'demo: the lab makes containers and routes: run it as root (sudo make demo)\n' >&2
	exit 1
fi

# identity is where hardway keeps the key that opens the state; one that was there before is not ours to remove.
identity=${XDG_CONFIG_HOME:-$HOME/.config}/hardway/identity.txt

if [[ ${1:-} == down ]]; then
	made=$([[ -e $here/.lab/identity-made ]] && echo yes || true)
	"$here/lab.sh" down
	cd -- "$here"
	[[ -z $made ]] || rm -f -- "$identity" .lab/identity-made
	rm -rf -- hardway.state hardway.state.* hardway.lock.hcl .hardway .lab/demo.plan .lab/admin.conf
	printf 'demo: removed. The built components stay in %s: rm -r it when you are done.\n' "${HARDWAY_CACHE:-$HOME/.cache/hardway}"
	exit 0
fi

mirror() { (cd -- "$root/tools" && go run ./cmd/mirror); }

stage 'Build hardway' make -s -C "$root" build
stage 'Build Kubernetes, etcd, containerd (once; 10 to 15 minutes on two cores)' mirror
stage 'Start three hosts' "$here/lab.sh" up
cd -- "$here"
[[ -e $identity || -n ${HW_IDENTITY:-}${HW_IDENTITY_FILE:-} ]] || touch .lab/identity-made
stage 'hardway init: verify and pin the binaries' "$hardway" init
stage 'hardway plan: what will be done' "$hardway" plan --out .lab/demo.plan
stage 'hardway apply: do it' "$hardway" apply --verify=false .lab/demo.plan
stage 'hardway verify: is it healthy?' "$hardway" verify
"$hardway" kubeconfig --out .lab/admin.conf >/dev/null 2>&1
kubectl=${HARDWAY_CACHE:-$HOME/.cache/hardway}/mirror/v1.37.1/bin/linux/amd64/kubectl

printf '\n%s== Your cluster%s\n' "$bold" "$plain"
"$kubectl" --kubeconfig .lab/admin.conf get nodes
printf '\n%s== Time by stage%s\n' "$bold" "$plain"
printf '%s\n' "${stages[@]}"
cat <<END

Try next:
  cd examples/lab
  ../../bin/hardway plan                 # No changes.
  ../../bin/hardway certs list           # every certificate and its days left
  \$EDITOR cluster.hcl                    # kube_proxy { mode = "nftables" }, then: ../../bin/hardway apply
  export KUBECONFIG=\$PWD/.lab/admin.conf
  $kubectl get pods -A
  vagrant ssh n1                         # look around; edit a unit file, then run plan again
  ../../bin/hardway destroy              # bare hosts again
  make -C ../.. demo-down                # everything the demo made on this machine
END
