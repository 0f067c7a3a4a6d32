#!/usr/bin/env bash
# The report's page in a real browser (Debian's chromium, headless): no error on its console, no violation of its own content policy, nothing
# asked of the network, every chart drawn, described and saved as CSV, PNG and SVG, nothing wider than a phone of 390 px, no finding of axe-core,
# text that a run brought shown as text. The same for the page of a comparison, and for that of a run that is under way. Needs chromium, node, npm and the network (or MODULES, a folder with puppeteer-core and axe-core).
# tests/real/page.sh [BUILD] [PAGE…]: pages of invented runs, and those that are given
set -uo pipefail
cd "$(dirname "$0")/../.."
build=${1:-build/dev}
shift || true
command -v chromium >/dev/null || { echo "skipped: no chromium"; exit 77; }
command -v npm >/dev/null || { echo "skipped: no npm"; exit 77; }
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
if [ -z "${MODULES:-}" ]; then
    MODULES=$tmp/node_modules
    npm install --silent --no-save --prefix "$tmp" puppeteer-core@24.43.1 axe-core@4.14.1 >/dev/null || { echo "skipped: npm could not install"; exit 77; }
fi
mkdir "$tmp/two" "$tmp/three"
failed=0
pages=("$@")
# Forty loads of ten minutes are the largest page; one load that counts, that does not, and that nobody answered are the emptiest.
for kind in "" "late lose" hostile "many 600" loops search mix refuse one "one late" "one refuse"; do
    name=${kind:-good}
    name=${name// /-}
    # shellcheck disable=SC2086
    "$build/bench/make_run" "$tmp/$name" $kind >/dev/null 2>&1
    pages+=("$tmp/$name/report.html")
done
"$build/bin/plateau" compare "$tmp/good" "$tmp/late-lose" --html "$tmp/two/compare.html" >/dev/null 2>&1
"$build/bin/plateau" compare "$tmp/good" "$tmp/many-600" "$tmp/hostile" --html "$tmp/three/compare.html" >/dev/null 2>&1
pages+=("$tmp/two/compare.html" "$tmp/three/compare.html")
for page in "${pages[@]}"; do
    [ -s "$page" ] || { echo "FAILED: $page is not there"; failed=1; continue; }
    size=$(stat -c %s "$page")
    [ "$size" -lt 1500000 ] || { echo "FAILED: $page has $size bytes"; failed=1; }
done
NODE_PATH=$MODULES node tests/real/page.js "$MODULES/axe-core/axe.min.js" "${pages[@]}" || failed=1
# And one of a run that is under way. The browsers are there from its beginning to its end, which one of them asks for: it lasts as long as they need,
# which on a busy machine is many minutes.
alive() { kill -0 "$1" 2>/dev/null; }
"$build/bin/plateau-sim" --listen 127.0.0.1:0 --port-file "$tmp/port" --exit-after 2h --ttft 60ms --tpot 8ms >/dev/null 2>&1 &
sim=$!
trap 'kill "$sim" "${run:-$sim}" 2>/dev/null; rm -rf "$tmp"' EXIT
until [ -s "$tmp/port" ] || ! alive $sim; do sleep 0.1; done
cat >"$tmp/plan.yaml" <<END
plan: 1
target: {url: "http://127.0.0.1:$(head -1 "$tmp/port")/v1/chat/completions", model: live}
load: {stages: [{concurrency: 2, duration: 10s}, {concurrency: 8, duration: 100m}]}
slo: {run: [ttft.p99 < 800ms]}
END
"$build/bin/plateau" run "$tmp/plan.yaml" --local 1 --out "$tmp/run" --ui 127.0.0.1:0 >"$tmp/out.log" 2>"$tmp/err.log" &
run=$!
until live=$(grep -oE 'http://127.0.0.1:[0-9]+/$' "$tmp/err.log" 2>/dev/null) || ! alive $run; do sleep 0.1; done
[ -n "$live" ] || { cat "$tmp/err.log"; echo "FAILED: no live page"; exit 1; }
NODE_PATH=$MODULES node tests/real/page.js "$MODULES/axe-core/axe.min.js" "$live" || failed=1
exit $failed
