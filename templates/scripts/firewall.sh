# firewall.sh open|disable|restore - what firewalld or ufw lets in.
#
# stdin of open: rules, a line each:
#         port tcp|udp PORT[-PORT] any|ADDRESS      trust CIDR
# open:    the rules are let in, now and after a reboot. HARDWAY_STATE/firewall notes,
#          beforehand, those that were not there; what is noted and not asked for any
#          more is taken back. One that was turned off by disable is turned on first.
# disable: whichever is active is turned off, now and at boot, and noted.
# restore: everything that is noted is undone.
# stdout: a line for each rule: added or removed; "disabled TOOL", "enabled TOOL"
action=$1
note=$HARDWAY_STATE/firewall
export LC_ALL=C

# tool prints which of the two is active.
tool() {
	if systemctl is-active --quiet firewalld.service 2>/dev/null && command -v firewall-cmd >/dev/null; then
		echo firewalld
	elif command -v ufw >/dev/null && ufw status 2>/dev/null | grep -q '^Status: active'; then
		echo ufw
	fi
}
address() { # of either family, with or without a length
	case $1 in "" | *[!0-9a-fA-F.:/]*) return 1 ;; esac
}
check() { # words of one rule
	case $1 in
	port)
		case $2 in tcp | udp) ;; *) return 1 ;; esac
		case $3 in "" | -* | *- | *[!0-9-]*) return 1 ;; esac
		[ "$4" = any ] || address "$4"
		;;
	trust) address "$2" ;;
	*) return 1 ;;
	esac
}
family() { case $1 in *:*) echo ipv6 ;; *) echo ipv4 ;; esac; }

# What firewalld has is asked and set twice: as it is now, and as it will be after
# a reload or a reboot. It is reloaded for the policy alone, which cannot be made
# while it runs: a reload takes along what others set for now only.
both() { # ACTION ARGUMENT: add, remove or query
	verb=$1
	shift
	for permanent in "" --permanent; do
		if ! firewall-cmd --quiet $permanent "$@" >"$HARDWAY_TMP/firewall" 2>&1; then
			[ "$verb" != query ] || return 1
			case $(cat "$HARDWAY_TMP/firewall") in *ALREADY_ENABLED* | *NOT_ENABLED*) continue ;; esac
			die 1 "firewall-cmd $permanent $*: $(head -c 1000 "$HARDWAY_TMP/firewall")"
		fi
	done
}
firewalld_rule() { # add|remove|query, then the rule
	verb=$1
	shift
	case $1 in
	trust) both "$verb" --zone=trusted "--$verb-source=$2" ;;
	port)
		if [ "$4" = any ]; then
			both "$verb" "--$verb-port=$3/$2"
		else
			both "$verb" "--$verb-rich-rule=rule family=\"$(family "$4")\" source address=\"$4\" port port=\"$3\" protocol=\"$2\" accept"
		fi
		;;
	esac
}
policy() { firewall-cmd --permanent --get-policies | grep -qw hardway-pods; }
# Packets to pods that come from a host's own address are forwarded: only a policy
# (firewalld 0.9) lets them through.
firewalld_policy() { # add|remove CIDR
	firewall-cmd --help | grep -q -- --new-policy || return 0
	if [ "$1" = add ]; then
		policy || {
			firewall-cmd --quiet --permanent --new-policy=hardway-pods
			firewall-cmd --quiet --permanent --policy=hardway-pods --add-ingress-zone=ANY
			firewall-cmd --quiet --permanent --policy=hardway-pods --add-egress-zone=ANY
			reload=yes
		}
		rule="rule family=\"$(family "$2")\" destination address=\"$2\" accept"
		firewall-cmd --quiet --permanent --policy=hardway-pods --query-rich-rule="$rule" || {
			firewall-cmd --quiet --permanent --policy=hardway-pods --add-rich-rule="$rule"
			reload=yes
		}
	elif policy; then
		firewall-cmd --quiet --permanent --delete-policy=hardway-pods
		reload=yes
	fi
}
ufw_run() { # says when there was nothing to do
	out=$(ufw "$@" 2>&1) || die 1 "ufw $*: $out"
	case $out in *Skipping*) return 1 ;; esac
}
ufw_rule() { # add|remove, then the rule; fails when it was there, or not
	delete=
	[ "$1" = add ] || delete=delete
	shift
	case $1 in
	trust)
		# shellcheck disable=SC2086
		changed=1
		ufw_run $delete allow from "$2" || changed=
		ufw_run route $delete allow from "$2" || true
		ufw_run route $delete allow to "$2" || true
		[ -n "$changed" ]
		;;
	port)
		ports=$3
		case $ports in *-*) ports=${ports%-*}:${ports#*-} ;; esac
		from=$4
		# shellcheck disable=SC2086
		ufw_run $delete allow proto "$2" from "$from" to any port "$ports"
		;;
	esac
}
jotted() { [ -s "$note/rules" ] && grep -qxF -e "$1" -- "$note/rules"; }
noted() { # standard input becomes the note
	cat >"$note/new"
	sync -- "$note/new"
	mv -T -- "$note/new" "$note/rules"
	sync -- "$note"
}
keep() { # the note, with a rule more
	mkdir -p -m 0700 -- "$HARDWAY_STATE" "$note"
	sync -- "$HARDWAY_STATE"
	{
		[ ! -s "$note/rules" ] || cat -- "$note/rules"
		printf '%s\n' "$1"
	} | noted
}
strike() { # the note, with a rule less
	{ grep -vxF -e "$1" -- "$note/rules" || true; } | noted
}
drop() { # RULE, from the firewall and from the note
	# shellcheck disable=SC2086 # words were checked when they were noted
	set -- $1
	case $by in
	firewalld)
		firewalld_rule remove "$@"
		[ "$1" != trust ] || firewalld_policy remove "$2"
		;;
	ufw) ufw_rule remove "$@" || true ;;
	esac
	strike "$*"
	printf 'removed %s\n' "$*"
}
turn_on() { # what disable turned off
	[ -s "$note/disabled" ] || return 0
	while read -r was; do
		case $was in
		firewalld) systemctl enable --now --quiet firewalld.service || die 1 "firewalld cannot be started again" ;;
		ufw) ufw --force enable >/dev/null || die 1 "ufw cannot be enabled again" ;;
		esac
		printf 'enabled %s\n' "$was"
	done <"$note/disabled"
	rm -f -- "$note/disabled"
}

reload=
case $action in
open)
	cat >"$HARDWAY_TMP/rules"
	while read -r line; do
		# shellcheck disable=SC2086
		set -f && set -- $line && set +f
		check "$1" "${2:-}" "${3:-}" "${4:-}" || die 64 "not a rule: $line"
	done <"$HARDWAY_TMP/rules"
	turn_on
	by=$(tool)
	[ -n "$by" ] || exit 0
	[ ! -s "$note/rules" ] || cp -- "$note/rules" "$HARDWAY_TMP/noted"
	[ ! -s "$note/rules" ] || while read -r line; do
		grep -qxF -e "$line" -- "$HARDWAY_TMP/rules" || drop "$line"
	done <"$HARDWAY_TMP/noted"
	while read -r line; do
		# shellcheck disable=SC2086
		set -- $line
		case $by in
		firewalld)
			if ! firewalld_rule query "$@"; then
				jotted "$line" || keep "$line"
				firewalld_rule add "$@"
				printf 'added %s\n' "$line"
			fi
			[ "$1" != trust ] || firewalld_policy add "$2"
			;;
		ufw)
			# Noted first: a rule that turns out to have been there is struck out again.
			had=
			jotted "$line" && had=yes || keep "$line"
			if ufw_rule add "$@"; then
				printf 'added %s\n' "$line"
			elif [ -z "$had" ]; then
				strike "$line"
			fi
			;;
		esac
	done <"$HARDWAY_TMP/rules"
	[ -z "$reload" ] || firewall-cmd --quiet --reload
	;;
disable)
	by=$(tool)
	[ -n "$by" ] || exit 0
	mkdir -p -m 0700 -- "$HARDWAY_STATE" "$note"
	printf '%s\n' "$by" >"$note/disabled"
	sync -- "$note/disabled" "$note"
	case $by in
	firewalld) systemctl disable --now --quiet firewalld.service || die 1 "firewalld cannot be turned off" ;;
	ufw) ufw --force disable >/dev/null || die 1 "ufw cannot be turned off" ;;
	esac
	printf 'disabled %s\n' "$by"
	;;
restore)
	[ -d "$note" ] || exit 0
	turn_on
	by=$(tool)
	if [ -n "$by" ] && [ -s "$note/rules" ]; then
		cp -- "$note/rules" "$HARDWAY_TMP/noted"
		while read -r line; do
			drop "$line"
		done <"$HARDWAY_TMP/noted"
	fi
	[ -z "$reload" ] || firewall-cmd --quiet --reload
	rm -rf -- "$note"
	;;
*) die 64 "neither open, disable nor restore: $action" ;;
esac
