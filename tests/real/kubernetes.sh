#!/usr/bin/env bash
# The images and the chart on a real cluster: tests/real/kubernetes.sh [STEP…]   (all steps without one, in this order)
#   build        the three images; prints their sizes; the agent must be < 60 MB over its base
#   twice        the agent's image from another copy of the tree: the same binary, byte for byte (needs no cluster)
#   run          the quick start's plan by helm: coordinator, 4 agents, the simulator behind a Service
#   fetch        its folder by kubectl cp: ledger balanced, 4 agents, none lost; both Jobs complete
#   same         the same plan by --local 4 on this machine: throughput of every point within SPREAD of the cluster's
#   delete       an agent's pod is deleted by force in mid-stage: the stage is run again, the loss is in the report
#   evict        an agent's pod is evicted: not a failure of the Indexed Job
#   drain        a node is drained under a run (needs two nodes)
#   coordinator  the coordinator's pod is killed in mid-run: comes back, resumes, nothing measured is lost
#   version      agents of another wire version are refused with a sentence
#   secret       an API key's file is missing: a sentence in the coordinator's log
#   quota        a CPU limit throttles the agents: the verdict says so
#   many         MANY (30) agents at once
#   fleet        standing agents, two runs one after the other; a third beside a running one is refused by name
#   together     two runs join one fleet at the same moment: one waits for its turn, and is told so
#   nightly      the same release installed again on a kept claim: a run of its own, in a folder of its own; an old one that is asked for is called old
#   unreachable  the target's port is closed: the reason stands, nothing is tried again, no agent is Completed
#   badplan      helm install of a bad plan fails with the plan's sentence, before any Job of the run exists
#   upgrade      helm upgrade with another plan is a new run; with the same values nothing changes, nor by what is no part of the run; a bad plan is refused before anything is touched
#   cron         a schedule: its Jobs begin by themselves, and a run of it goes through
#   kustomize    kubectl apply -k of the plain manifests, with another plan in plan.yaml
#   ci           helm install, then deploy/helm/fetch.sh: the folder is there and the status is the run's, also of a run that fails
#   waitjobs     helm install --wait --wait-for-jobs of a run that fails ends at once, and not at its timeout
#   data         a data set with its corpus in a ConfigMap, then in a claim: agents find it by its hash
#   image        the same in an image (skipped where the cluster knows no image volumes)
#   unschedulable  agents that fit on no node: status 4 after coordinator.wait, and the log's own command shows them
#   values       what platforms ask for: their user, environment, volumes, init containers, sidecars, names, an account, the host's network; helm test
#   places       a priority, the node's network, another port of the pages, and never two agents on one node
#   signed       agents that take signed plans only: the signature comes as a Secret, and another plan is refused
#   rules        a namespace with Pod Security "restricted", and one with a quota: what runs, and what is said of what is refused
#   policy       the network policy: the run goes through, and agents reach nothing else (skipped where the network enforces none)
#   ipv6         the same by IPv6 alone: target, control plane, pages (skipped where pods have no IPv6 address)
#   deadnode     a node dies under a run: the run ends with the agents it has (needs KILLNODE, a command that takes a node's number, and two nodes)
#   deadcoordinator  the coordinator's node dies: it stays where it was until the node is declared out of service, then another resumes with the same agents
#                (needs KILLNODE, two nodes, and SHARED, a folder that is the same on every node)
# Environment: KUBECTL, HELM, BUILDAH (commands; words are split), BUILD_ARGS (further words for `buildah bud`), BASE (base image), LOAD (a command
# that brings an image's tar, given as last word, to every node), NAMESPACE, BIN (folder of plateau for `same`), OUT (where results are kept).
# Everything is made in NAMESPACE, which is deleted at the end; KEEP=1 keeps it.
set -euo pipefail
cd "$(dirname "$0")/../.."

read -ra kubectl <<<"${KUBECTL:-kubectl}"
read -ra helm <<<"${HELM:-helm}"
read -ra buildah <<<"${BUILDAH:-buildah}"
read -ra build_args <<<"${BUILD_ARGS:-}"
read -ra load <<<"${LOAD:-}"
base=${BASE:-docker.io/library/debian:bookworm-slim}
bin=${BIN:-build/release/bin}
ns=${NAMESPACE:-plateau-test}
spread=${SPREAD:-0.10}
many=${MANY:-30}
chart=deploy/helm/plateau
tag=test
out=${OUT:-$(mktemp -d)}
mkdir -p "$out"
out=$(cd "$out" && pwd)
all=(build twice run fetch same delete evict drain coordinator version secret quota many fleet together nightly unreachable badplan upgrade cron kustomize ci waitjobs data image unschedulable values places signed rules policy ipv6 deadnode deadcoordinator)
step=start drained= tainted= ruled=

say() { echo "$(date +%T) $step: $*"; }
die() { echo "$(date +%T) $step: FAILED: $*" >&2; exit 1; }
k() { "${kubectl[@]}" -n "$ns" "$@"; }
h() { "${helm[@]}" -n "$ns" "$@"; }

# ---- prerequisites ----

need() { command -v "$1" >/dev/null || { echo "needs $1: $2" >&2; exit 77; }; }
prerequisites() {
  need jq "reads results and the API's answers"
  need "${kubectl[0]}" "set KUBECTL"
  need "${helm[0]}" "set HELM; version 3.12 or newer"
  "${kubectl[@]}" get nodes >/dev/null 2>&1 || { echo "no cluster answers: ${kubectl[*]} get nodes" >&2; exit 77; }
  minor=$("${kubectl[@]}" version -o json | jq -r '.serverVersion.minor | gsub("[^0-9]"; "")')
  [ "$minor" -ge 29 ] || { echo "needs Kubernetes 1.29 or newer, this is 1.$minor" >&2; exit 77; }
}
prerequisites_build() {
  need jq "reads an image's manifest"
  need "${buildah[0]}" "builds the images; set BUILDAH"
}
prerequisites_load() {
  [ ${#load[@]} -gt 0 ] || { echo "LOAD is not set: a command that brings an image's tar to the nodes, such as \"kind load image-archive\"" >&2; exit 77; }
}

# ---- images ----

bud() { # TARGET NAME FOLDER
  "${buildah[@]}" bud --layers "${build_args[@]}" --build-arg BASE="$base" --target "$1" -t "localhost/$2:$tag" -f deploy/Containerfile "$3" >"$out/build-$2.log" 2>&1 ||
    { tail -n 20 "$out/build-$2.log" >&2; die "$2 was not built: $out/build-$2.log"; }
  rm -f "$out/$2.tar"
  "${buildah[@]}" push -q "localhost/$2:$tag" "docker-archive:$out/$2.tar:localhost/$2:$tag" >/dev/null
}
layers() { tar -xOf "$1" manifest.json | jq -r '.[0].Layers[]'; }
over_base() { # bytes of an archive's layers that are not the base's
  tar -tvf "$1" | awk -v drop="$(layers "$out/base.tar" | tr '\n' ' ')" -v keep="$(layers "$1" | tr '\n' ' ')" '
    BEGIN { n = split(drop, d, " "); for (i = 1; i <= n; i++) no[d[i]] = 1; n = split(keep, k, " "); for (i = 1; i <= n; i++) yes[k[i]] = 1 }
    yes[$NF] && !no[$NF] { sum += $3 } END { print sum + 0 }'
}
binary_sum() { # ARCHIVE PATH: SHA-256 of a file in the topmost layer
  tar -xOf "$1" "$(layers "$1" | tail -n 1)" | tar -xO "$2" | sha256sum | cut -d' ' -f1
}
bring() { "${load[@]}" "$out/$1.tar" >/dev/null; }

step_build() {
  prerequisites_build
  prerequisites_load
  "${buildah[@]}" from --name plateau-base-$$ "${base}" >/dev/null
  rm -f "$out/base.tar"
  "${buildah[@]}" push -q "$base" "docker-archive:$out/base.tar:localhost/base:$tag" >/dev/null
  "${buildah[@]}" rm plateau-base-$$ >/dev/null
  local t n size
  for t in agent coordinator sim; do
    n=plateau-$t
    bud $t $n .
    size=$(over_base "$out/$n.tar")
    say "$n: $((size / 1000000)) MB over the base, SHA-256 of the program $(binary_sum "$out/$n.tar" "usr/bin/$([ $t = coordinator ] && echo plateau || echo "$n")" | cut -c1-16)…"
    [ $t != agent ] || [ "$size" -lt 60000000 ] || die "the agent's image is not < 60 MB over its base"
    bring $n
  done
}

copy_tree() { # DIR: what git knows, as it stands
  mkdir -p "$1"
  git ls-files -z | tar -c --null -T - | tar -x -C "$1"
}

step_twice() {
  prerequisites_build
  bud agent plateau-agent .
  copy_tree "$out/tree"
  echo "a file that is no part of the program" >"$out/tree/unrelated.txt"
  bud agent plateau-agent-twice "$out/tree"
  rm -rf "$out/tree"
  local a b
  a=$(binary_sum "$out/plateau-agent.tar" usr/bin/plateau-agent)
  b=$(binary_sum "$out/plateau-agent-twice.tar" usr/bin/plateau-agent)
  [ "$a" = "$b" ] || die "two builds differ: $a and $b"
  say "built twice, the same program: $a"
}

# ---- the cluster ----

# Small requests, so that it fits on small nodes; a real run asks for what it needs.
write_values() {
  cat >"$out/values.yaml" <<J
image: {registry: localhost, tag: "$tag"}
agent: {resources: {requests: {cpu: 20m, memory: 32Mi}, limits: {memory: 512Mi}}}
coordinator: {hold: 10m, resources: {requests: {cpu: 20m, memory: 64Mi}, limits: {memory: 512Mi}}}
sim: {resources: {requests: {cpu: 50m, memory: 32Mi}, limits: {memory: 512Mi}}}
$1
J
}

setup() {
  "${kubectl[@]}" get namespace "$ns" >/dev/null 2>&1 || "${kubectl[@]}" create namespace "$ns" >/dev/null
  local auth="insecure: true"
  if [ -x "$bin/plateau" ] && "$bin/plateau" run --help | grep -q -- --keys; then
    [ -d "$out/keys" ] || "$bin/plateau" keys "$out/keys" --agents '*' >/dev/null
    k get secret load-keys >/dev/null 2>&1 || k create secret generic load-keys --from-file="$out/keys" >/dev/null
    auth="keys: {secretName: load-keys}"
  fi
  write_values "$auth"
  if ! k get deployment target-plateau-sim >/dev/null 2>&1; then
    h template target $chart --kube-version "1.$minor.0" -f "$out/values.yaml" --set sim.enabled=true --set-file plan=configs/quickstart.yaml --show-only templates/sim.yaml |
      k apply -f - >/dev/null
  fi
  k rollout status deployment/target-plateau-sim --timeout=120s >/dev/null
}

cleanup() {
  local status=$?
  [ -z "$drained" ] || "${kubectl[@]}" uncordon "$drained" >/dev/null 2>&1 || true
  local n
  [ -z "$ruled" ] || "${kubectl[@]}" label namespace "$ns" pod-security.kubernetes.io/enforce- >/dev/null 2>&1 || true
  [ -z "$ruled" ] || k delete quota rules --ignore-not-found >/dev/null 2>&1 || true
  for n in $tainted; do "${kubectl[@]}" taint node "$n" node.kubernetes.io/out-of-service- >/dev/null 2>&1 || true; done
  if [ -z "${KEEP:-}" ]; then
    "${kubectl[@]}" delete namespace "$ns" "$ns-kustomize" --ignore-not-found --wait=true --timeout=180s >/dev/null 2>&1 || true
    "${kubectl[@]}" delete pv "$ns-run" --ignore-not-found >/dev/null 2>&1 || true
    "${kubectl[@]}" delete priorityclass "$ns-load" --ignore-not-found >/dev/null 2>&1 || true
  fi
  echo "$(date +%T) results are in $out"
  exit $status
}

target=http://target-plateau-sim:8000
write_plan() { # FILE LOAD
  cat >"$1" <<J
plan: 1
name: faults
target: {url: $target, model: sim}
workload: {synthetic: {input_tokens: 64, output_tokens: 64}}
load: $2
J
}

install() { # RELEASE PLAN [helm words]
  local r=$1 plan=$2
  shift 2
  h uninstall "$r" --ignore-not-found --wait >/dev/null 2>&1 || true
  h install "$r" $chart -f "$out/values.yaml" --set-file plan="$plan" "$@" >/dev/null
}
agents_of() { k get pods -l "app.kubernetes.io/instance=$1,app.kubernetes.io/component=agent" --field-selector=status.phase=Running -o name; }
coordinator_of() { # the youngest
  k get pods -l "app.kubernetes.io/instance=$1,app.kubernetes.io/component=coordinator" --sort-by=.metadata.creationTimestamp -o name | tail -n 1
}
job_of() { k get jobs -l "app.kubernetes.io/instance=$1,app.kubernetes.io/component=$2" --sort-by=.metadata.creationTimestamp -o name | tail -n 1 | sed 's#^job.batch/##'; }
log_of() { k logs "$(coordinator_of "$1")" 2>/dev/null || true; }
metric() { # POD NAME, over the API's proxy to the pod's status page
  "${kubectl[@]}" get --raw "/api/v1/namespaces/$ns/pods/${1#pod/}:9100/proxy/metrics" 2>/dev/null | awk -v n="plateau_$2" '$1 == n { print int($2) }'
}
until_true() { # SECONDS WHAT COMMAND…
  local n=$1 what=$2
  shift 2
  local end=$((SECONDS + n))
  until "$@"; do
    [ $SECONDS -lt $end ] || { k get pods -o wide >&2; die "not within $n s: $what"; }
    sleep 0.5
  done
}
in_stage() { local p; p=$(coordinator_of "$1"); [ -n "$p" ] && [ "$(metric "$p" stage)" = "$2" ] && [ "$(metric "$p" requests_in_flight)" -gt 0 ] 2>/dev/null; }
has_log() { grep -q "$2" <<<"$(log_of "$1")"; }
job_is() { k get job "$1" -o json | jq -e --arg c "$2" '[.status.conditions[]? | select(.type == $c and .status == "True")] | length > 0' >/dev/null; }
has_ended() { local j; j=$(job_of "$1" coordinator); has_log "$1" 'can be fetched' || job_is "$j" Complete || job_is "$j" Failed; }

fetch() { # RELEASE: its folder to $out/RELEASE; lets the coordinator go
  local p
  until_true "${2:-300}" "the run $1 ends" has_ended "$1"
  p=$(coordinator_of "$1")
  has_log "$1" 'can be fetched' || { k logs "$p" >&2; die "the run $1 ended without a folder"; }
  rm -rf "${out:?}/$1"
  k cp "${p#pod/}:/data/$1" "$out/$1" >/dev/null
  k logs "$p" >"$out/$1.log"
  k exec "$p" -- touch "/data/$1/fetched"
  facts "$1"
}
facts() {
  jq -r '.points[] | "  \(.requested.load): \(.output_tokens_per_s | round) token/s, ttft p50 \(.ttft_ms.p50 | . * 10 | round / 10) ms, due \(.ledger.due) ok \(.ledger.ok) lost \(.ledger.lost), \(.verdict.status)\(if .degraded then ", degraded" else "" end)"' "$out/$1/summary.json"
  jq -r '[.events[].kind] | group_by(.) | map("\(.[0]) \(length)") | "  events: " + join(", ")' "$out/$1/summary.json"
}
check() { # RELEASE JQ WHAT
  jq -e "$2" "$out/$1/summary.json" >/dev/null || die "$3 ($out/$1/summary.json)"
}
check_ledger() { check "$1" '[.points[].ledger.balanced] | all and length > 0' "a ledger is not balanced"; }
job_ends() { until_true "${2:-60}" "Job $1 is complete" job_is "$1" Complete; }

# ---- steps ----

step_run() {
  setup
  jq -n --arg u "$target" '{coordinator: {args: ["--set", "target.url=\($u)"]}}' >"$out/run.yaml"
  local t=$SECONDS
  install load configs/quickstart.yaml --set agents=4 -f "$out/run.yaml"
  until_true 90 "4 agents are connected" eval '[ "$(metric "$(coordinator_of load)" agents_ready)" = 4 ]'
  say "4 agents ready $((SECONDS - t)) s after helm install, on nodes $(k get pods -l app.kubernetes.io/component=agent -o json | jq -r '[.items[].spec.nodeName] | group_by(.) | map("\(.[0]) \(length)") | join(", ")')"
  until_true 400 "the run ends" has_ended load
}

step_fetch() {
  fetch load 400
  check_ledger load
  check load '(.agents | length) == 4 and ([.points[].ledger.lost] | add) == 0' "not 4 agents, or some requests are lost"
  check load '[.events[].kind] | index("agent_lost") | not' "an agent was lost"
  job_ends "$(job_of load agent)" 60
  until_true 30 "the coordinator's Job ends" eval 'job_is "$(job_of load coordinator)" Complete || job_is "$(job_of load coordinator)" Failed'
  say "agents' Job: $(k get job "$(job_of load agent)" -o jsonpath='{.status.succeeded}') of 4 complete; coordinator: $(k get job "$(job_of load coordinator)" -o json | jq -r '[.status.conditions[] | select(.status == "True").type] | join(" ")')"
}

step_same() {
  [ -f "$out/load/summary.json" ] || die "run and fetch come first"
  [ -x "$bin/plateau" ] || die "no $bin/plateau: build it, or set BIN"
  local port=$out/port sim status=0
  rm -rf "$port" "$out/local"
  "$bin/plateau-sim" --listen 127.0.0.1:0 --port-file "$port" --exit-after 600s >"$out/sim.log" 2>&1 &
  sim=$!
  until_true 10 "the simulator listens" [ -s "$port" ]
  "$bin/plateau" run configs/quickstart.yaml --local 4 --set target.url="http://127.0.0.1:$(cat "$port")" --out "$out/local" >"$out/local.txt" 2>&1 || status=$?
  kill $sim
  wait $sim 2>/dev/null || true
  [ -f "$out/local/summary.json" ] || { tail -n 5 "$out/local.txt" >&2; die "the local run gave no result (status $status)"; }
  facts local
  jq -n --slurpfile a "$out/load/summary.json" --slurpfile b "$out/local/summary.json" '[$a[0].points, $b[0].points] | transpose
    | map({load: .[0].requested.load, ratio: (.[0].output_tokens_per_s / .[1].output_tokens_per_s), tpot: (.[0].tpot_ms.p50 / .[1].tpot_ms.p50)})' >"$out/same.json"
  jq -r '.[] | "  \(.load): throughput cluster / local = \(.ratio * 1000 | round / 1000), tpot p50 \(.tpot * 1000 | round / 1000)"' "$out/same.json"
  jq -e --argjson s "$spread" '[.[] | .ratio > 1 - $s and .ratio < 1 + $s] | all' "$out/same.json" >/dev/null || die "a point differs by more than $spread"
}

step_delete() {
  setup
  write_plan "$out/two.yaml" '{concurrency: [8, 16], duration: 20s, warmup: 2s}'
  install dead "$out/two.yaml" --set agents=4
  until_true 120 "the first stage runs" in_stage dead 1
  local victim
  victim=$(agents_of dead | sed -n 1p)
  say "deleting $victim by force"
  k delete "$victim" --force --grace-period=0 >/dev/null 2>&1
  fetch dead 240
  check_ledger dead
  check dead '[.events[].kind] | (index("agent_lost") and index("stage_retry"))' "the loss or the retry is not in the report"
  check dead '[.points[].degraded] | any | not' "a point is degraded although its stage was run again"
  say "the stage was run again; last point: $(jq '.points[-1].agents | length' "$out/dead/summary.json") agents"
}

job_failed() { k get job "$1" -o json | jq '.status.failed // 0'; }

step_evict() {
  setup
  write_plan "$out/two.yaml" '{concurrency: [8, 16, 8], duration: 20s, warmup: 2s}'
  install evicted "$out/two.yaml" --set agents=4
  until_true 120 "the first stage runs" in_stage evicted 1
  until_true 30 "4 pods are ready for the budget" eval '[ "$(k get pdb evicted-plateau-agents -o jsonpath={.status.disruptionsAllowed})" -ge 1 ]'
  local victim
  victim=$(agents_of evicted | sed -n 1p)
  say "evicting $victim"
  jq -n --arg n "${victim#pod/}" --arg ns "$ns" '{apiVersion: "policy/v1", kind: "Eviction", metadata: {name: $n, namespace: $ns}}' |
    "${kubectl[@]}" create --raw "/api/v1/namespaces/$ns/pods/${victim#pod/}/eviction" -f - >/dev/null
  fetch evicted 300
  check_ledger evicted
  job_ends "$(job_of evicted agent)" 60
  [ "$(job_failed "$(job_of evicted agent)")" = 0 ] || die "the eviction counts as a failure of the Job: $(job_failed "$(job_of evicted agent)")"
  say "4 of 4 indexes complete, $(job_failed "$(job_of evicted agent)") failed; the last point has $(jq '.points[-1].agents | length' "$out/evicted/summary.json") agents"
}

step_drain() {
  setup
  local stay away
  stay=$(k get pods -l app.kubernetes.io/component=sim -o jsonpath='{.items[0].spec.nodeName}')
  away=$("${kubectl[@]}" get nodes -o name | sed 's#^node/##' | grep -vx "$stay" | sed -n 1p) || { say "skipped: one node only"; return 0; }
  write_plan "$out/two.yaml" '{concurrency: [8, 16, 8], duration: 20s, warmup: 2s}'
  jq -n --arg n "$stay" '{coordinator: {nodeSelector: {"kubernetes.io/hostname": $n}}}' >"$out/drain.yaml"
  install drained "$out/two.yaml" --set agents=4 -f "$out/drain.yaml"
  until_true 120 "the first stage runs" in_stage drained 1
  say "draining $away, which has $(k get pods -l app.kubernetes.io/instance=drained --field-selector=spec.nodeName="$away" -o name | wc -l) agents"
  drained=$away
  "${kubectl[@]}" drain "$away" --ignore-daemonsets --delete-emptydir-data --pod-selector=app.kubernetes.io/instance=drained --timeout=180s >"$out/drain.log" 2>&1 ||
    { cat "$out/drain.log" >&2; die "the drain did not end"; }
  fetch drained 300
  "${kubectl[@]}" uncordon "$away" >/dev/null
  drained=
  check_ledger drained
  [ "$(job_failed "$(job_of drained agent)")" = 0 ] || die "the drain counts as a failure of the Job"
  say "run complete: $(jq '.points | length' "$out/drained/summary.json") points, $(grep -c evicted "$out/drain.log" || true) pods evicted"
}

helper_pod() { # NAME [NODE]: a pod as root that holds the claim
  k apply -f - >/dev/null <<J
apiVersion: v1
kind: Pod
metadata: {name: $1}
spec:
  automountServiceAccountToken: false
  terminationGracePeriodSeconds: 0
  nodeSelector: {${2:+kubernetes.io/hostname: $2}}
  containers:
    - {name: c, image: "localhost/plateau-coordinator:$tag", imagePullPolicy: IfNotPresent, command: [sleep, "3600"], securityContext: {runAsUser: 0}, volumeMounts: [{name: data, mountPath: /data}]}
  volumes: [{name: data, persistentVolumeClaim: {claimName: run}}]
J
  k wait --for=condition=Ready "pod/$1" --timeout=60s >/dev/null
}

make_claim() { # [FOLDER NODE]: a claim named run, and a pod "reader" that holds it. On the first node; or in FOLDER, which all nodes share, the pod on NODE
  local where node=${2:-}
  # A claim of an earlier try is not deleted while a pod uses it.
  h uninstall resumed nightly moved claimed --ignore-not-found --wait >/dev/null 2>&1 || true
  k delete pod reader --ignore-not-found --force --grace-period=0 >/dev/null 2>&1
  k delete pvc run --ignore-not-found --timeout=60s >/dev/null || die "a pod still uses the claim of an earlier try: kubectl -n $ns describe pvc run"
  "${kubectl[@]}" delete pv "$ns-run" --ignore-not-found --timeout=60s >/dev/null || die "the volume $ns-run of an earlier try is still there"
  where="hostPath: {path: \"${1:-/var/tmp}/$ns-$$\", type: DirectoryOrCreate}"
  if [ $# = 0 ]; then
    node=$("${kubectl[@]}" get nodes -o jsonpath='{.items[0].metadata.name}')
    where="$where
  nodeAffinity: {required: {nodeSelectorTerms: [{matchExpressions: [{key: kubernetes.io/hostname, operator: In, values: [$node]}]}]}}"
  fi
  "${kubectl[@]}" apply -f - >/dev/null <<J
apiVersion: v1
kind: PersistentVolume
metadata: {name: $ns-run}
spec:
  capacity: {storage: 1Gi}
  accessModes: [ReadWriteOnce]
  persistentVolumeReclaimPolicy: Retain
  storageClassName: ""
  claimRef: {namespace: $ns, name: run}
  $where
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: run, namespace: $ns}
spec: {accessModes: [ReadWriteOnce], storageClassName: "", volumeName: $ns-run, resources: {requests: {storage: 1Gi}}}
J
  helper_pod reader "$node"
  k exec reader -- chmod 0777 /data
}

fetch_claim() { # RELEASE: its folder from the claim to $out/RELEASE, and its log; the claim is emptied and the reader goes
  log_of "$1" >"$out/$1.log"
  rm -rf "${out:?}/$1"
  k cp "reader:/data/$1-$(k get job "$(job_of "$1" coordinator)" -o jsonpath='{.metadata.uid}')" "$out/$1" >/dev/null
  k exec reader -- sh -c 'rm -rf /data/*'
  k delete pod reader >/dev/null
  [ -f "$out/$1/summary.json" ] || { cat "$out/$1.log" >&2; die "no result"; }
  facts "$1"
}

check_resumed() { # RELEASE: of three stages, those that were measured before the coordinator went were not measured again
  check_ledger "$1"
  check "$1" '(.points | length) == 3' "not all three points are there"
  check "$1" '([.points[].epoch] | sort | unique | length) == 3 and .points[0].epoch == 1' "the first stage was measured again"
  grep -q 'the run is resumed' "$out/$1.log" || { cat "$out/$1.log" >&2; die "the log does not say that the run is resumed"; }
  say "$(grep -o 'the run is resumed.*' "$out/$1.log" | sed -n 1p)"
}

step_coordinator() {
  setup
  local first
  make_claim
  write_plan "$out/three.yaml" '{concurrency: [4, 8, 16], duration: 20s, warmup: 2s}'
  install resumed "$out/three.yaml" --set agents=4 --set persistence.enabled=true --set persistence.existingClaim=run
  until_true 150 "the second stage runs" in_stage resumed 2
  first=$(coordinator_of resumed)
  say "killing $first in stage 2"
  k delete "$first" --force --grace-period=0 >/dev/null 2>&1
  until_true 90 "another coordinator is there" eval '[ "$(coordinator_of resumed)" != "$first" ]'
  until_true 300 "the run ends" has_ended resumed
  fetch_claim resumed
  check_resumed resumed
}

step_version() {
  prerequisites_build
  prerequisites_load
  setup
  copy_tree "$out/tree"
  sed -i 's/^#define WIRE_VERSION .*/#define WIRE_VERSION 999u/' "$out/tree/common/wire.h"
  bud agent plateau-agent-other "$out/tree"
  rm -rf "$out/tree"
  bring plateau-agent-other
  write_plan "$out/one.yaml" '{concurrency: 4, duration: 5s}'
  install other "$out/one.yaml" --set agents=2 --set image.agent.repository=plateau-agent-other
  until_true 90 "the coordinator tells of it" has_log other 'wire version'
  say "coordinator: $(log_of other | grep 'wire version' | sed -n 1p)"
  local p
  p=$(k get pods -l app.kubernetes.io/instance=other,app.kubernetes.io/component=agent -o name | sed -n 1p)
  until_true 30 "the agent tells of it" eval 'grep -q "wire version" <<<"$(k logs "$p")"'
  say "agent: $(k logs "$p" | grep 'wire version' | sed -n 1p)"
  h uninstall other --wait >/dev/null
}

step_secret() {
  setup
  cat >"$out/key.yaml" <<J
plan: 1
target: {url: $target, model: sim, auth: {bearer: {file: /secrets/llm/key}}}
load: {concurrency: 4, duration: 5s}
J
  install nokey "$out/key.yaml" --set agents=2
  until_true 90 "the coordinator names the file" has_log nokey /secrets/llm/key
  say "missing: $(log_of nokey | grep /secrets/llm/key | sed -n 1p)"
  printf 'sk-a-key-that-must-not-show' >"$out/key"
  k create secret generic llm --from-file=key="$out/key" >/dev/null 2>&1 || true
  rm -f "$out/key"
  install withkey "$out/key.yaml" --set agents=2 --set 'secrets[0]=llm'
  fetch withkey 120
  check withkey '.points[0].ledger.ok > 0' "no request was ok with the key"
  if grep -rqa sk-a-key-that "$out/withkey" "$out/withkey.log"; then die "the key is in the run's folder or log"; fi
  say "mounted: runs; the key is neither in the folder nor in the log"
  h uninstall nokey --wait >/dev/null
}

step_quota() {
  setup
  write_plan "$out/one.yaml" '{concurrency: 32, duration: 15s, warmup: 2s}'
  install tight "$out/one.yaml" --set agents=2 --set agent.resources.limits.cpu=20m
  fetch tight 240
  check tight '[.points[].evidence.throttled] | add > 0' "throttling was not counted"
  check tight '[.points[].verdict.status] | all(. != "valid")' "a throttled stage was called valid"
  check tight '[.points[].verdict.reasons[] | select(test("throttled"))] | length > 0' "the verdict does not name the throttling"
  say "$(jq -r '.points[0].verdict | "\(.status): \([.reasons[] | select(test("throttled"))][0])"' "$out/tight/summary.json")"
}

step_many() {
  setup
  write_plan "$out/one.yaml" "{concurrency: $((2 * many)), duration: 10s, warmup: 2s}"
  local t=$SECONDS
  install many "$out/one.yaml" --set agents="$many" --set agent.resources.requests.cpu=5m
  until_true 180 "$many agents are ready" eval '[ "$(metric "$(coordinator_of many)" agents_ready)" = "$many" ]'
  say "$many agents ready $((SECONDS - t)) s after helm install"
  fetch many 240
  check_ledger many
  check many "(.agents | length) == $many and ([.points[].ledger.lost] | add) == 0" "not $many agents, or some were lost"
}

step_fleet() {
  setup
  write_plan "$out/one.yaml" '{concurrency: 8, duration: 8s, warmup: 2s}'
  h uninstall stand --ignore-not-found --wait >/dev/null 2>&1 || true
  h install stand $chart -f "$out/values.yaml" --set mode=fleet --set agents=3 >/dev/null
  k rollout status deployment/stand-plateau-agents --timeout=120s >/dev/null
  local before after r
  before=$(agents_of stand | sort)
  for r in join1 join2; do
    install $r "$out/one.yaml" --set mode=join --set fleet=stand --set agents=3
    fetch $r 180
    check_ledger $r
    check $r '(.agents | length) == 3' "not 3 agents"
    until_true 60 "the coordinator of $r has gone" eval 'job_is "$(job_of $r coordinator)" Complete || job_is "$(job_of $r coordinator)" Failed'
  done
  after=$(agents_of stand | sort)
  [ "$before" = "$after" ] || die "the standing agents are not the same pods as before"
  say "two runs by the same 3 pods, restarts: $(k get pods -l app.kubernetes.io/instance=stand -o json | jq '[.items[].status.containerStatuses[].restartCount] | add')"
  write_plan "$out/long.yaml" '{concurrency: 8, duration: 40s, warmup: 2s}'
  install join3 "$out/long.yaml" --set mode=join --set fleet=stand --set agents=3
  until_true 60 "a run uses the fleet" in_stage join3 1
  if h install join4 $chart -f "$out/values.yaml" --set-file plan="$out/one.yaml" --set mode=join --set fleet=stand --set agents=3 >"$out/join4.log" 2>&1; then die "two runs on one fleet"; fi
  grep -q 'in use by the release join3' "$out/join4.log" || { cat "$out/join4.log" >&2; die "the run that uses the fleet is not named"; }
  say "a second run beside it: $(grep -o 'the fleet .*' "$out/join4.log" | sed -n 1p)"
  fetch join3 180
  h uninstall join1 join2 join3 stand --wait >/dev/null
}

. tests/real/kubernetes_life.sh # nightly and those after it

steps=("$@")
[ $# -gt 0 ] || steps=("${all[@]}")
for step in "${steps[@]}"; do
  declare -F "step_$step" >/dev/null || { echo "there is no step \"$step\"; steps: ${all[*]}" >&2; exit 2; }
done
step=start
if [ "${steps[*]}" != twice ]; then
  prerequisites
  trap cleanup EXIT
fi
trap 'exit 130' INT TERM
for step in "${steps[@]}"; do
  from=$SECONDS
  "step_$step"
  say "done in $((SECONDS - from)) s"
done
