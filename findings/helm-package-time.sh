#!/usr/bin/env bash
# Guess:   `helm package` of an unchanged chart gives the same archive each time, so that its digest shows whether a chart changed.
# Instead: each file in the archive has the time of packaging, not that of the file. Two archives made in different seconds differ, and so do their digests.
# So:      who compares charts by digest, or wants reproducible releases, makes the archive with tar and gzip (--sort=name --mtime, -n). Helm installs it as its own.
. "$(dirname "$0")/lib.sh"
helm_program
"$helm" create "$dir/chart" >/dev/null
find "$dir/chart" -exec touch -d @0 {} +
for n in 1 2; do
  "$helm" package "$dir/chart" -d "$dir/$n" >/dev/null
  sleep 1.1
done
tar -tvzf "$dir/1/chart-0.1.0.tgz" --utc | sed -n 1p
for n in 3 4; do
  mkdir "$dir/$n"
  tar -C "$dir" --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner -cf - chart | gzip -n >"$dir/$n/chart-0.1.0.tgz"
done
sum() { sha256sum <"$dir/$1/chart-0.1.0.tgz"; }
same() { [ "$(sum "$1")" = "$(sum "$2")" ] && echo the same || echo different; }
guess "the same chart, the same archive"
is "two archives by helm package" "$(same 1 2)" "different"
is "two archives by tar and gzip" "$(same 3 4)" "the same"
is "Helm reads tar's archive as its own" "$("$helm" template x "$dir/3/chart-0.1.0.tgz" | sha256sum)" "$("$helm" template x "$dir/1/chart-0.1.0.tgz" | sha256sum)"
