#!/usr/bin/env bash
# The report's page in a real browser (Debian's chromium, headless, no network): no error on its console, no violation of its own content policy,
# every chart drawn and described, nothing wider than a phone's screen, text that a run brought shown as text. tests/real/page.sh [BUILD]
set -uo pipefail
cd "$(dirname "$0")/../.."
build=${1:-build/dev}
command -v chromium >/dev/null || { echo "skipped: no chromium"; exit 77; }
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
failed=0
fail() { echo "FAILED: $*"; failed=1; }
browse() { # FILE ARGUMENT…
    local file=$1
    shift
    timeout 90 chromium --headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync \
        --user-data-dir="$tmp/profile" --virtual-time-budget=3000 --enable-logging=stderr "$@" "file://$file" 2>"$tmp/log"
}
for kind in "" late lose "late lose" hostile; do
    name=${kind:-good}
    # shellcheck disable=SC2086
    "$build/bench/make_run" "$tmp/run" $kind >/dev/null 2>&1
    page=$tmp/run/report.html
    [ -s "$page" ] || { fail "$name: no page"; continue; }
    [ "$(stat -c %s "$page")" -lt 1500000 ] || fail "$name: the page has $(stat -c %s "$page") bytes"
    cat >>"$page" <<'J'
<script>
addEventListener("load", () => {
  const drawn = [...document.querySelectorAll("canvas")].filter((c) => c.offsetParent), bare = drawn.filter((c) => !c.getAttribute("aria-label") || !c.closest("figure").querySelector(".caption").textContent);
  const ids = [...document.querySelectorAll("[id]")].map((e) => e.id), twice = ids.filter((x, i) => ids.indexOf(x) !== i);
  const heads = [...document.querySelectorAll("th")].filter((t) => !t.scope);
  console.log("SEEN charts=" + drawn.length + " bare=" + bare.map((c) => c.id) + " twice=" + twice + " unscoped=" + heads.length + " wide=" + (document.documentElement.scrollWidth - innerWidth) + " word=" + document.querySelector("#outcome .word").textContent + " injected=" + document.querySelectorAll("img, main b").length);
});
</script>
J
    for size in 1300,2000 500,2000; do # a window of chromium is at least 500 wide
        browse "$page" --window-size=$size --screenshot="$tmp/shot.png" >/dev/null
        seen=$(grep -o 'SEEN .*' "$tmp/log" | sed 's/", source.*//')
        echo "$name $size: $seen"
        grep 'CONSOLE' "$tmp/log" | grep -v SEEN && fail "$name $size: the console"
        [[ "$seen" =~ charts=([0-9]+)\ bare=\ twice=\ unscoped=0\ wide=(-?[0-9]+)\ word=.+\ injected=0$ ]] || { fail "$name $size: $seen"; continue; }
        [ "${BASH_REMATCH[1]}" -ge 8 ] || fail "$name $size: only ${BASH_REMATCH[1]} charts"
        [ "${BASH_REMATCH[2]}" -le 0 ] || fail "$name $size: the page is ${BASH_REMATCH[2]} px too wide"
    done
    rm -rf "$tmp/run"
done
exit $failed
