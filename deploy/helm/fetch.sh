#!/usr/bin/env bash
# deploy/helm/fetch.sh RELEASE [FOLDER]: follows the run of a release to its end, copies its folder to FOLDER (./RELEASE), and ends with the run's exit status.
# For CI: helm install …, then this. KUBECTL names another kubectl (words are split; a namespace goes there: KUBECTL="kubectl -n load").
set -euo pipefail
[ $# -ge 1 ] || { sed -n 2,3p "$0" >&2; exit 2; }
release=$1 folder=${2:-./$1}
read -ra kubectl <<<"${KUBECTL:-kubectl}"
k() { "${kubectl[@]}" "$@"; }

job=$(k get jobs -l "app.kubernetes.io/instance=$release,app.kubernetes.io/component=coordinator" --sort-by=.metadata.creationTimestamp -o name | tail -n 1)
[ -n "$job" ] || { echo "no run of a release $release: kubectl get jobs shows what there is" >&2; exit 2; }
newest_pod() { k get pods -l "batch.kubernetes.io/job-name=${job#*/}" --sort-by=.metadata.creationTimestamp -o name | tail -n 1; }
job_is() { k get "$job" -o jsonpath="{.status.conditions[?(@.type=='$1')].status}" | grep -q True; }
exit_code() { k get "$1" -o jsonpath='{.status.containerStatuses[?(@.name=="coordinator")].state.terminated.exitCode}' 2>/dev/null || true; }

follower= followed= fetched=
trap '[ -z "$follower" ] || kill "$follower" 2>/dev/null || true' EXIT
while :; do
  pod=$(newest_pod)
  if [ -n "$pod" ] && [ "$pod" != "$followed" ] && [ "$(k get "$pod" -o jsonpath='{.status.phase}')" != Pending ]; then
    k logs -f -c coordinator "$pod" &
    follower=$! followed=$pod
  fi
  if [ -n "$pod" ] && [ "$pod" != "$fetched" ] && k logs -c coordinator "$pod" --tail=20 2>/dev/null | grep -q 'can be fetched'; then
    rm -rf "$folder"
    k cp -c coordinator "${pod#pod/}:/data/$release" "$folder" >/dev/null
    k exec -c coordinator "$pod" -- touch "/data/$release/fetched"
    fetched=$pod
  fi
  if job_is Complete || job_is Failed; then break; fi
  sleep 2
done
[ -z "$follower" ] || wait "$follower" || true
follower=
if [ -n "$fetched" ]; then echo "the run's folder: $folder"; else echo "no folder was copied: it is in the claim, or the run ended before it had one" >&2; fi
status=$([ -z "$followed" ] || exit_code "$followed")
[ -n "$status" ] || { k get "$job" -o jsonpath='{range .status.conditions[*]}{.type}: {.reason}: {.message}{"\n"}{end}' >&2; status=1; }
exit "$status"
