# keep.sh GENERATION PATH... - keep what stands at each PATH as part of a generation.
#
# effect: HARDWAY_STATE/generations/GENERATION/SHA256-OF-PATH gets the kind of
#         what stands there, the path, and a copy with mode, owner and times; of a
#         large file a hard link, because such files are only ever replaced by a
#         rename. What the generation has of a path already stays as it is.
# stdout: a line for each PATH with what is kept: absent, file, symlink or directory
generation=$1
shift
case $generation in "" | *[!0-9]*) die 64 "not a generation: $generation" ;; esac
[ $# -gt 0 ] || exit 0
for path; do
	clean "$path"
	case $path in *"$nl"*) die 64 "a path with a line break cannot be kept" ;; esac
done
all=$HARDWAY_STATE/generations
kept=$all/$generation new=$all/.new
mkdir -p -m 0700 -- "$HARDWAY_STATE" "$all"
rm -rf -- "$new"
mkdir -m 0700 -- "$new"
big=$(find "$@" -maxdepth 0 -type f -size +$((large - 1))c -print 2>/dev/null || true)

for path; do
	name "$path"
	for has in "$kept/$key" "$new/$key"; do
		[ -s "$has/kind" ] || continue
		cat -- "$has/kind"
		continue 2
	done
	at=$new/$key
	mkdir -m 0700 -- "$at"
	found=$(kind "$path")
	case $found in
	file)
		case $nl$big$nl in
		*"$nl$path$nl"*)
			# A link changes the ctime: what is remembered has to follow.
			was=$(stamp "$path") sum=$(remembered "$path" "$was")
			ln -- "$path" "$at/copy" 2>/dev/null || cp -a -- "$path" "$at/copy"
			[ -z "$sum" ] || remember "$path" "$sum" "$was"
			;;
		*) cp -a -- "$path" "$at/copy" ;;
		esac
		;;
	symlink) cp -a -- "$path" "$at/copy" ;;
	directory) stat -c '%a %u %g' -- "$path" >"$at/copy" ;;
	absent) ;;
	*) die 1 "$path is neither a file, a link nor a directory" ;;
	esac
	jot "$at/path" "$path"
	jot "$at/kind" "$found"
	printf '%s\n' "$found"
done
cd "$new"
set -- *
[ -d "$1" ] || exit 0
find . \( -type f -o -type d \) -exec sync -- {} +
mkdir -p -m 0700 -- "$kept"
mv -t "$kept" -- "$@"
sync -- "$kept" "$all" "$HARDWAY_STATE"
