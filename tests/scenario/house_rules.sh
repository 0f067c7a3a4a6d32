#!/usr/bin/env bash
# The rules of the house that a compiler does not check: who may include whom, functions we do not call, a README in each room that
# names each file, no file that has grown too long. Needs no program.
set -uo pipefail
cd "$(dirname "$0")/../.."
failed=0
fail() { echo "FAIL: $*"; failed=1; }
files() { # what belongs to the project: tracked or about to be, where there is a repository, else all but build folders
  if git rev-parse --is-inside-work-tree >/dev/null 2>&1; then git ls-files --cached --others --exclude-standard -- "$@"
  else find "$@" -type f -not -path '*/build/*'; fi | while read -r f; do if [ -f "$f" ]; then echo "$f"; fi; done
}
must_not_match() { # WHAT REGEX FILES…
  local what=$1 regex=$2 hits
  shift 2
  if hits=$(grep -nHE "$regex" "$@" /dev/null); then fail "$what:"$'\n'"$hits"; fi
}
mapfile -t common < <(files common | grep -E '\.[ch]$')
mapfile -t agent < <(files agent | grep -E '\.[ch]$')
mapfile -t coordinator < <(files coordinator | grep -E '\.[ch]$')
mapfile -t tests < <(files tests | grep -E '\.[ch]$')
ours=("${common[@]}" "${agent[@]}" "${coordinator[@]}" "${tests[@]}")
for room in common agent coordinator tests; do
  declare -n list=$room
  [ ${#list[@]} -ge 5 ] || fail "found only ${#list[@]} sources in $room/: this test looks at nothing"
done

inc='^[[:space:]]*#[[:space:]]*include[[:space:]]*'
must_not_match "common/ includes nobody else in the house" "$inc\"(agent|coordinator|tests)/" "${common[@]}"
must_not_match "agent/ includes only common/ and itself" "$inc\"(coordinator|tests)/" "${agent[@]}"
must_not_match "coordinator/ includes only common/ and itself" "$inc\"(agent|tests)/" "${coordinator[@]}"
for f in "${ours[@]}"; do
  while read -r header; do
    [ -f "$header" ] || fail "$f: #include \"$header\" is not a path from the root"
  done < <(sed -nE "s@$inc\"([^\"]+)\".*@\\1@p" "$f")
done
# Walls between the rooms: what lies in the folder may not include what the expression matches.
wall() { # FOLDER WHAT REGEX
  local room
  mapfile -t room < <(files "$1" | grep -E '\.[ch]$')
  [ ${#room[@]} -ge 3 ] || fail "found only ${#room[@]} sources in $1/: this test looks at nothing"
  must_not_match "$1/ $2" "$inc$3" "${room[@]}"
}
clocks_and_io='<(sys/socket|sys/epoll|netinet/.*|fcntl|poll|sys/stat|signal|pthread|zmq|czmq)\.h>'
wall common/plan "includes common/ only" '"(agent|coordinator|tests)/'
wall agent/stream "is pure and includes common/ only" "(\"agent/[^s]|\"agent/s[^t]|\"agent/stage|\"agent/[a-z_]*\.h|$clocks_and_io)"
wall coordinator/run "is pure and includes none of answer, store, report" "(\"coordinator/(answer|store|report)/|$clocks_and_io)"
wall coordinator/answer "is pure and does not include run" "(\"coordinator/(run|store|report)/|$clocks_and_io)"
wall coordinator/corpus "includes common/ and coordinator/tokenizer/ only" '"(agent|tests)/|"coordinator/([^ct]|c[^o]|co[^r]|t[^o]|to[^k])'
wall coordinator/tokenizer "includes common/ only" '"(agent|tests)/|"coordinator/([^t]|t[^o]|to[^k])'
wall coordinator/report "includes answer and a run's data only" '"coordinator/(run|store)/|"coordinator/(drive|link|local|term|scrape|hold|watch|auth|cmd|steps|resume)'
mapfile -t no_sqlite < <(files common agent coordinator | grep -E '\.[ch]$' | grep -v '^coordinator/store/')
must_not_match "only coordinator/store/ includes SQLite" "$inc<sqlite3\.h>" "${no_sqlite[@]}"
mapfile -t no_tls < <(printf '%s\n' "${agent[@]}" | grep -v '^agent/transport/')
must_not_match "agent/transport/ is the agent's only room that includes nghttp2, OpenSSL or the multi-buffer library" "$inc<(openssl/|nghttp2/|intel-ipsec-mb)" "${no_tls[@]}"
must_not_match "what is inside agent/transport/ is included there only: callers have transport.h, target.h, warm.h, kinds.h, stamp.h, resolver.h" \
  "$inc\"agent/transport/(transport_kind|kind|kind_[a-z0-9]+|conn|http1|http2_[a-z]+|tls|tls_record|gcm)\.h\"" "${no_tls[@]}"
must_not_match "the agent has HTTP of its own and includes no libcurl" "$inc<curl/" "${agent[@]}"
mapfile -t no_yaml < <(printf '%s\n' "${agent[@]}" "${common[@]}" | grep -v '_yaml\.c$')
must_not_match "an agent carries no YAML" "$inc<yaml\\.h>" "${no_yaml[@]}"

mapfile -t headers < <(printf '%s\n' "${ours[@]}" | grep '\.h$')
must_not_match "lifecycles are new/destroy, init/clear and open/close" '^[a-z][a-z_0-9 *]*\b[a-z0-9]+[a-z0-9_]*_(free|release|delete|dispose|dealloc|deinit|fini|finalize)[[:space:]]*\(' "${headers[@]}"

banned='sprintf|vsprintf|strcpy|strcat|strncpy|strncat|gets|atoi|atol|atoll|atof|strtok|gettimeofday|rand|srand|tmpnam|alloca'
for f in "${ours[@]}"; do # without strings and comments, so that prose may name a function
  if hits=$(sed -E 's/"([^"\\]|\\.)*"//g; s@//.*@@; s@/\*.*(\*/|$)@@; s@^[[:space:]]*\*.*@@' "$f" | grep -nE "(^|[^A-Za-z0-9_>.])($banned)[[:space:]]*\("); then
    fail "$f calls what we do not call:"$'\n'"$hits"
  fi
done

for dir in . common common/plan agent agent/transport agent/stream coordinator coordinator/run coordinator/store coordinator/answer coordinator/report coordinator/corpus coordinator/tokenizer configs deploy tests; do
  [ -s "$dir/README.md" ] || fail "$dir has no README.md"
done
# Every source is named in its room's README or in that of its own folder; a header and its source may share a line as `name.[ch]`. Unit tests,
# scenarios, fuzz targets and captured data find themselves and are named after what they test.
while read -r f; do
  name=${f##*/}
  readmes=("${f%%/*}/README.md")
  if [ -f "${f%/*}/README.md" ]; then readmes+=("${f%/*}/README.md"); fi
  grep -qsF -e "$name" -e "${name%.*}.[ch]" "${readmes[@]}" || fail "$f is not named in ${readmes[0]}"
done < <(files common agent coordinator configs deploy tests | grep -E '\.(c|h|def|cmake|sh|py)$' | grep -vE '^tests/(unit|scenario|fuzz|data)/')

# Documents name what is there: every link leads to a file, and `function` in [file](path) is in that file.
mapfile -t documents < <(files . | grep -E '\.md$' | sed 's@^\./@@')
[ ${#documents[@]} -ge 15 ] || fail "found only ${#documents[@]} documents: this test looks at nothing"
for f in "${documents[@]}"; do
  while read -r link; do
    [ -e "$(dirname "$f")/${link%%#*}" ] || fail "$f: the link $link leads nowhere"
  done < <(grep -oE '\]\([^)#]+[^)]*\)' "$f" | sed 's/^](//; s/)$//' | grep -vE '^(https?|mailto):')
  while IFS='|' read -r name link; do
    grep -qwF -- "$name" "$(dirname "$f")/$link" || fail "$f: \`$name\` is not in $link"
  done < <(grep -oE '`[a-z_0-9]+` in \[[^]]+\]\([^)#]+\)' "$f" | sed -E 's/^`([^`]+)` in \[[^]]+\]\(([^)]+)\)$/\1|\2/')
done

while read -r f; do
  n=$(wc -l <"$f")
  [ "$n" -le 700 ] || fail "$f has $n lines, at most 700"
done < <(files common agent coordinator configs deploy tests CMakeLists.txt README.md | grep -E '\.(c|h|def|cmake|sh|py|md|txt)$' | grep -v '^tests/data/')
# A script that does not parse fails only where the shell comes to it.
mapfile -t scripts < <(files . | grep -E '\.sh$')
[ ${#scripts[@]} -ge 50 ] || fail "found only ${#scripts[@]} scripts: this test looks at nothing"
for f in "${scripts[@]}"; do
  if ! words=$(bash -n "$f" 2>&1); then fail "$f does not parse: $words"; fi
done
# What names its interpreter is a command: the documents call it by its name.
while read -r f; do
  if [ "$(head -c 2 "$f")" = '#!' ] && [ ! -x "$f" ]; then fail "$f begins with #! and cannot be run: chmod +x"; fi
done < <(files . | grep -E '\.(sh|py)$')
# Form is kept by .clang-format; where it is not installed (a packager's machine) nothing is judged.
if command -v clang-format >/dev/null; then
  if ! wrong=$(clang-format --dry-run -Werror "${ours[@]}" 2>&1); then fail "not as .clang-format says (clang-format -i FILE):"$'\n'"$(grep -oE '^[^:]+:[0-9]+' <<<"$wrong" | head -20)"; fi
fi
if [ "$failed" = 0 ]; then echo "the house is in order"; fi
exit "$failed"
