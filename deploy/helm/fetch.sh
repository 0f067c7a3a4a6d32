#!/usr/bin/env bash
# deploy/helm/fetch.sh RELEASE [FOLDER]: follows the run of a release to its end, copies its folder to FOLDER (./RELEASE), and ends with the run's exit status.
# A folder in a claim is copied by a pod that holds the claim, which goes again.
# For CI: helm install …, then this. KUBECTL names another kubectl (words are split; a namespace goes there: KUBECTL="kubectl -n load").
set -euo pipefail
[ $# -ge 1 ] || { sed -n 2,4p "$0" >&2; exit 2; }
release=$1 folder=${2:-./$1}
read -ra kubectl <<<"${KUBECTL:-kubectl}"
k() { "${kubectl[@]}" "$@"; }

job=$(k get jobs -l "app.kubernetes.io/instance=$release,app.kubernetes.io/component=coordinator" --sort-by=.metadata.creationTimestamp -o name | tail -n 1)
[ -n "$job" ] || { echo "no run of a release $release: kubectl get jobs shows what there is" >&2; exit 2; }
newest_pod() { k get pods -l "batch.kubernetes.io/job-name=${job#*/}" --sort-by=.metadata.creationTimestamp -o name | tail -n 1; }
job_is() { k get "$job" -o jsonpath="{.status.conditions[?(@.type=='$1')].status}" | grep -q True; }
exit_code() { k get "$1" -o jsonpath='{.status.containerStatuses[?(@.name=="coordinator")].state.terminated.exitCode}' 2>/dev/null || true; }

warning_of() { k get events --field-selector "type=Warning,involvedObject.name=${1#*/}" --sort-by=.lastTimestamp -o jsonpath='{.items[-1:].message}' 2>/dev/null || true; }
# Why a pod has not begun, once for each reason: no node, no image, no Secret. A run that joins a fleet waits for the one before it. A Job without a pod: a
# quota or Pod Security refuses it.
tell_wait() { # POD, or Job that has none
  local why fleet others=
  why=$(warning_of "$1")
  fleet=$(k get "$1" -o jsonpath='{.metadata.labels.app\.kubernetes\.io/part-of}')
  [ "$fleet" = "$release" ] ||
    others=$(k get pods -l "app.kubernetes.io/component=coordinator,app.kubernetes.io/part-of=$fleet" --field-selector=status.phase=Running -o jsonpath='{.items[*].metadata.labels.app\.kubernetes\.io/instance}')
  case $told in "the fleet"*) [ -n "$others" ] || return 0 ;; esac # the scheduler's last warning is of that time
  [ -z "$others" ] || why="the fleet $fleet is in use by $others; this run begins when that pod has gone"
  [ -z "$why" ] || [ "$why" = "$told" ] || echo "${1#*/} waits: $why" >&2
  told=$why
}

follower= followed= fetched= helper= told=
cleanup() {
  [ -z "$follower" ] || kill "$follower" 2>/dev/null || true
  [ -z "$helper" ] || k delete pod "$helper" --ignore-not-found >/dev/null || true
}
trap cleanup EXIT
while :; do
  pod=$(newest_pod)
  if [ -n "$pod" ] && [ "$pod" != "$followed" ]; then
    if [ "$(k get "$pod" -o jsonpath='{.status.phase}')" != Pending ]; then
      k logs -f -c coordinator "$pod" &
      follower=$! followed=$pod
    else
      tell_wait "$pod"
    fi
  elif [ -z "$pod" ]; then
    tell_wait "$job"
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
# With a claim the folder outlives the coordinator: a pod that holds the claim gives it.
of_pod() { k get "$job" -o jsonpath="{.spec.template.spec$1}"; }
from_claim() { # CLAIM
  local dir pod=$release-fetch
  dir=$(of_pod '.containers[?(@.name=="coordinator")].env[?(@.name=="RUN_FOLDER")].value')
  dir=${dir/'$(JOB_UID)'/$(k get "$job" -o jsonpath='{.metadata.uid}')}
  k delete pod "$pod" --ignore-not-found >/dev/null
  helper=$pod
  k apply -f - >/dev/null <<J
{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "$pod"}, "spec": {"restartPolicy": "Never", "automountServiceAccountToken": false,
  "terminationGracePeriodSeconds": 0, "activeDeadlineSeconds": 3600, "securityContext": $(json .securityContext '{}'), "imagePullSecrets": $(json .imagePullSecrets '[]'),
  "tolerations": $(json .tolerations '[]'), "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "$1"}}],
  "containers": [{"name": "c", "image": "$(of_pod '.containers[?(@.name=="coordinator")].image')", "command": ["sleep", "3600"],
    "securityContext": $(json '.containers[?(@.name=="coordinator")].securityContext' '{}'), "volumeMounts": [{"name": "data", "mountPath": "/data"}]}]}}
J
  k wait --for=condition=Ready "pod/$pod" --timeout=300s >/dev/null && k exec "$pod" -- test -d "/data/$dir" || return 0
  rm -rf "$folder"
  k cp "$pod:/data/$dir" "$folder" >/dev/null
  fetched=$pod
}
json() { local v; v=$(of_pod "$1"); echo "${v:-$2}"; } # FIELD DEFAULT
claim=$(of_pod '.volumes[?(@.name=="data")].persistentVolumeClaim.claimName')
[ -n "$fetched" ] || [ -z "$claim" ] || from_claim "$claim"
if [ -n "$fetched" ]; then echo "the run's folder: $folder"; else echo "no folder was copied: the run ended before it had one" >&2; fi
status=$([ -z "$followed" ] || exit_code "$followed")
[ -n "$status" ] || { k get "$job" -o jsonpath='{range .status.conditions[*]}{.type}: {.reason}: {.message}{"\n"}{end}' >&2; status=1; }
exit "$status"
