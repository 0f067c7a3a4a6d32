#!/usr/bin/env bash
# The Debian package in a bare Debian 12: apt installs it with what it depends on, the programs run there without /proc, and its removal leaves
# nothing. Needs root, cpack, debootstrap and a Debian mirror (MIRROR, else that of this machine). tests/real/package.sh [BUILD]
set -uo pipefail
cd "$(dirname "$0")/../.."
build=$(cd "${1:-build/release}" && pwd) || exit 1
command -v debootstrap >/dev/null && [ "$(id -u)" = 0 ] || { echo "skipped: no debootstrap, or not root"; exit 77; }
mirror=${MIRROR:-$(sed -nE 's@^(URIs: *|deb +(\[[^]]*\] *)?)(https?://[^ ]+/debian/?)( .*)?$@\3@p' /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null | head -1)}
tmp=$(mktemp -d)
trap 'rm -rf --one-file-system "$tmp"' EXIT
failed=0
fail() { echo "FAILED: $*"; failed=1; }
(cd "$build" && cpack -G DEB -B "$tmp/deb") >"$tmp/cpack.log" 2>&1 || { cat "$tmp/cpack.log"; exit 1; }
deb=$(ls "$tmp"/deb/*.deb)
debootstrap --variant=minbase bookworm "$tmp/root" "${mirror:-http://deb.debian.org/debian}" >"$tmp/debootstrap.log" 2>&1 || { tail -5 "$tmp/debootstrap.log"; exit 1; }
cp "$deb" "$tmp/root/plateau.deb"
cp /etc/resolv.conf "$tmp/root/etc/" 2>/dev/null
inside() { chroot "$tmp/root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive LC_ALL=C "$@"; }
inside sh -c 'dpkg-query -f "\${Package}\n" -W | sort >/before; find / -xdev -type f | sort >/files'
inside apt-get install -y -qq --no-install-recommends /plateau.deb >"$tmp/apt.log" 2>&1 || { tail -5 "$tmp/apt.log"; fail "apt does not install it"; }
for p in plateau plateau-agent plateau-sim; do inside "$p" --version || fail "$p does not start"; done
for f in man/man1/plateau-sim.1 doc/plateau/copyright doc/plateau/summary.schema.json bash-completion/completions/plateau-agent ../lib/systemd/system/plateau-agent.service; do [ -s "$tmp/root/usr/share/$f" ] || fail "no $f"; done
inside sh -c 'plateau-sim --listen 127.0.0.1:0 --port-file /port --exit-after 20s --log-level off >/dev/null 2>&1 &
    while [ ! -s /port ]; do sleep 0.1; done
    plateau run --url "http://127.0.0.1:$(cat /port)" --model sim --concurrency 1,2 --duration 2s --out /run1; echo "status $?"' >"$tmp/run.log" 2>&1
grep -qE '^status (0|3)$' "$tmp/run.log" && [ -s "$tmp/root/run1/report.html" ] || { tail -15 "$tmp/run.log"; fail "a run in the bare system"; }
inside apt-get purge -y -qq plateau >"$tmp/purge.log" 2>&1 || fail "it is not removed"
left=$(find "$tmp/root/usr" "$tmp/root/etc" "$tmp/root/lib" -xdev -name '*plateau*' 2>/dev/null)
[ -z "$left" ] || fail "left behind: $left"
[ $failed = 0 ] && echo "the package installs, runs and is removed: $(inside sh -c 'dpkg-query -f "\${Package}\n" -W | sort | comm -13 /before - | wc -l') packages came with it"
exit $failed
