# Steps of kubernetes.sh that try the life of a release: installed again, upgraded, refused, scheduled, watched by a CI, on nodes that die. Sourced by it.
# shellcheck shell=bash disable=SC2154
step_nightly() {
  setup
  make_claim
  write_plan "$out/one.yaml" '{concurrency: 4, duration: 5s, warmup: 1s}'
  local i last=
  for i in 1 2; do
    install nightly "$out/one.yaml" --set agents=2 --set persistence.enabled=true --set persistence.existingClaim=run
    until_true 120 "night $i ends" has_ended nightly
    job_is "$(job_of nightly coordinator)" Complete || { log_of nightly >&2; die "night $i failed"; }
    rm -rf "$out/nightly"
    KUBECTL="${kubectl[*]} -n $ns" deploy/helm/fetch.sh nightly "$out/nightly" >"$out/nightly-fetch.log" 2>&1 || { cat "$out/nightly-fetch.log" >&2; die "the folder is not fetched from its claim"; }
    check_ledger nightly
    [ "$(jq -r .run.id "$out/nightly/summary.json")" != "$last" ] || die "night $i has the figures of the night before"
    last=$(jq -r .run.id "$out/nightly/summary.json")
  done
  k exec reader -- sh -c 'ls /data' >"$out/nights"
  [ "$(grep -c '^nightly-' "$out/nights")" = 2 ] || { cat "$out/nights" >&2; die "not a folder for each night"; }
  say "two installs of one release, two folders: $(tr '\n' ' ' <"$out/nights")"
  local old
  old=$(sed -n 1p "$out/nights")
  install nightly "$out/one.yaml" --set agents=2 --set persistence.enabled=true --set persistence.existingClaim=run --set coordinator.resume="$old"
  until_true 120 "the old run is reported" has_ended nightly
  log_of nightly >"$out/nightly.log"
  sed -n 1p "$out/nightly.log" | grep -q "$old: this run ended at .*nothing is measured now" || { cat "$out/nightly.log" >&2; die "an old run that is asked for is not called old in the first line"; }
  [ "$(k exec reader -- sh -c 'ls -d /data/nightly-*' | wc -l)" = 2 ] || die "asking for an old run made another folder"
  say "the old one asked for: $(sed -n 1p "$out/nightly.log" | cut -d' ' -f3-)"
  h uninstall nightly --wait >/dev/null
  k exec reader -- sh -c 'rm -rf /data/*'
  k delete pod reader >/dev/null
}

step_together() {
  setup
  write_plan "$out/one.yaml" '{concurrency: 8, duration: 10s, warmup: 1s}'
  h uninstall stand side1 side2 --ignore-not-found --wait >/dev/null 2>&1 || true
  h install stand $chart -f "$out/values.yaml" --set mode=fleet --set agents=3 >/dev/null
  k rollout status deployment/stand-plateau-agents --timeout=120s >/dev/null
  local r pid=() first second
  for r in side1 side2; do
    h install $r $chart -f "$out/values.yaml" --set-file plan="$out/one.yaml" --set mode=join --set fleet=stand --set agents=3 >"$out/$r-install.log" 2>&1 &
    pid+=($!)
  done
  for r in "${pid[@]}"; do wait "$r" || { cat "$out"/side?-install.log >&2; die "an install fails: that of the other was seen"; }; done
  until_true 60 "one of the two is placed" eval '[ "$(k get pods -l app.kubernetes.io/part-of=stand,app.kubernetes.io/component=coordinator --field-selector=status.phase=Running -o name | wc -l)" = 1 ]'
  first=$(k get pods -l app.kubernetes.io/part-of=stand,app.kubernetes.io/component=coordinator --field-selector=status.phase=Running -o json | jq -r '.items[0].metadata.labels["app.kubernetes.io/instance"]')
  second=$([ "$first" = side1 ] && echo side2 || echo side1)
  KUBECTL="${kubectl[*]} -n $ns" deploy/helm/fetch.sh "$second" "$out/$second" >"$out/$second.log" 2>&1 &
  pid=$!
  until_true 60 "the second is told what it waits for" grep -q "waits: the fleet stand is in use by $first" "$out/$second.log"
  fetch "$first" 180 # lets its coordinator go
  r=0
  wait "$pid" || r=$?
  [ "$r" = 0 ] || [ "$r" = 3 ] || { cat "$out/$second.log" >&2; die "the second run ended with $r"; }
  for r in "$first" "$second"; do
    check_ledger "$r"
    check "$r" '(.agents | length) == 3 and all(.points[]; .agents | length == 3)' "$r did not have all 3 agents"
  done
  jq -en --slurpfile a "$out/$first/summary.json" --slurpfile b "$out/$second/summary.json" '$a[0].run.ended <= $b[0].run.started' >/dev/null || die "the two runs overlap"
  say "both went through with all 3 agents; the second was told: $(grep -o 'waits: .*' "$out/$second.log" | sed -n 1p)"
  h uninstall side1 side2 stand --wait >/dev/null
}

step_unreachable() {
  setup
  write_plan "$out/closed.yaml" '{concurrency: 4, duration: 5s}'
  install closed "$out/closed.yaml" --set agents=2 --set 'coordinator.args={--set,target.url=http://target-plateau-sim:9}' --set coordinator.hold=1s
  until_true 120 "the run fails" eval 'job_is "$(job_of closed coordinator)" Failed'
  [ "$(k get pods -l app.kubernetes.io/instance=closed,app.kubernetes.io/component=coordinator -o name | wc -l)" = 1 ] || die "the coordinator was tried again"
  log_of closed >"$out/closed.log"
  grep -qE 'refused|cannot be reached|does not accept' "$out/closed.log" || { cat "$out/closed.log" >&2; die "the reason is not in the log"; }
  until_true 60 "the agents' Job has failed" eval 'job_is "$(job_of closed agent)" Failed'
  [ "$(k get job "$(job_of closed agent)" -o json | jq '.status.succeeded // 0')" = 0 ] || die "agents of a failed run are Completed"
  say "exit $(k get pod "$(coordinator_of closed | sed 's#pod/##')" -o json | jq '.status.containerStatuses[0].state.terminated.exitCode'), one coordinator: $(grep -E 'error' "$out/closed.log" | tail -n 1)"
  h uninstall closed --wait >/dev/null
}

step_badplan() {
  setup
  printf 'plan: 1\ntarget: {url: %s, model: sim}\nload: {concurrency: 4, duration: -5s}\n' "$target" >"$out/bad.yaml"
  h uninstall bad --ignore-not-found --wait >/dev/null 2>&1 || true
  if h install bad $chart -f "$out/values.yaml" --set-file plan="$out/bad.yaml" >"$out/bad.log" 2>&1; then die "a bad plan was installed"; fi
  [ -z "$(job_of bad coordinator)" ] || die "a Job of the run exists"
  grep -q 'load.duration' "$out/bad.log" "$out"/bad.log || k logs -l app.kubernetes.io/instance=bad,app.kubernetes.io/component=check --tail=5 >>"$out/bad.log"
  grep -q 'load.duration' "$out/bad.log" || { cat "$out/bad.log" >&2; die "the plan's sentence is not shown"; }
  say "refused: $(grep 'load.duration' "$out/bad.log" | sed -n 1p)"
  h uninstall bad --ignore-not-found --wait >/dev/null
}

step_upgrade() {
  setup
  write_plan "$out/first.yaml" '{concurrency: 4, duration: 60s}'
  write_plan "$out/second.yaml" '{concurrency: 8, duration: 5s, warmup: 1s}'
  install up "$out/first.yaml" --set agents=2
  until_true 120 "the first run is under way" in_stage up 1
  local job uid
  job=$(job_of up coordinator)
  uid=$(k get job "$job" -o jsonpath='{.metadata.uid}')
  h upgrade up $chart -f "$out/values.yaml" --set-file plan="$out/first.yaml" --set agents=2 >/dev/null
  [ "$(k get job "$job" -o jsonpath='{.metadata.uid}')" = "$uid" ] && in_stage up 1 || die "an upgrade that changes nothing disturbed the run"
  # the same run under other rules of the cluster: the Job is changed where the API lets it be, and its pods stay
  local pods rules=(--set agents=2 --set activeDeadlineSeconds=7200 --set ttlSecondsAfterFinished=3600 --set 'annotations.example\.org/by=test'
    --set networkPolicy.enabled=true --set podDisruptionBudget.enabled=false --set persistence.size=2Gi --set sim.resources.requests.cpu=60m)
  pods=$(agents_of up | sort)
  h upgrade up $chart -f "$out/values.yaml" --set-file plan="$out/first.yaml" "${rules[@]}" >"$out/up.log" 2>&1 || { cat "$out/up.log" >&2; die "an upgrade of what is no part of the run fails"; }
  [ "$(k get job "$job" -o jsonpath='{.metadata.uid}')" = "$uid" ] && in_stage up 1 && [ "$(agents_of up | sort)" = "$pods" ] || die "an upgrade of what is no part of the run disturbed it"
  k get job "$job" -o json | jq -e '.spec.activeDeadlineSeconds == 7200 and .spec.ttlSecondsAfterFinished == 3600 and .metadata.annotations["example.org/by"] == "test"' >/dev/null || die "the Job was not changed in place"
  sed 's/60s/-60s/' "$out/first.yaml" >"$out/bad.yaml"
  if h upgrade up $chart -f "$out/values.yaml" --set-file plan="$out/bad.yaml" --set agents=2 >"$out/up.log" 2>&1; then die "a bad plan was taken"; fi
  [ "$(k get job "$job" -o jsonpath='{.metadata.uid}')" = "$uid" ] && in_stage up 1 || die "a bad plan disturbed the run before it was refused"
  h upgrade up $chart -f "$out/values.yaml" --set-file plan="$out/second.yaml" --set agents=2 >"$out/up.log" 2>&1 || { cat "$out/up.log" >&2; die "the upgrade failed"; }
  [ "$(job_of up coordinator)" != "$job" ] || die "the changed plan is not a new run"
  until_true 120 "the old run has gone" eval '! k get job "$job" >/dev/null 2>&1'
  fetch up 180
  check_ledger up
  check up '.points[0].requested.concurrency == 8 and (.agents | length) == 2' "the new run is not the new plan's, or lacks agents"
  say "applied again: nothing changed; a deadline, a policy, an annotation: the same Job with these; a bad plan: refused, nothing touched; another plan: $(job_of up coordinator) in place of $job"
  h uninstall up --wait >/dev/null
}

step_cron() {
  setup
  write_plan "$out/one.yaml" '{concurrency: 4, duration: 5s, warmup: 1s}'
  install cron "$out/one.yaml" --set agents=2 --set schedule='* * * * *' --set coordinator.hold=0s
  until_true 90 "a run begins by itself" eval '[ -n "$(job_of cron coordinator)" ]'
  local job
  job=$(job_of cron coordinator)
  h upgrade cron $chart -f "$out/values.yaml" --set-file plan="$out/one.yaml" --set agents=2 --set schedule='0 0 1 1 *' --set coordinator.hold=0s >/dev/null
  until_true 120 "it ends" eval 'job_is "$job" Complete || job_is "$job" Failed'
  local code
  code=$(k get pods -l "batch.kubernetes.io/job-name=$job" -o json | jq '.items[-1].status.containerStatuses[0].state.terminated.exitCode')
  [ "$code" = 0 ] || [ "$code" = 3 ] || { k logs "job/$job" >&2; die "the run of the schedule ended with $code"; }
  say "$job ended with $code"
  h uninstall cron --wait >/dev/null
}

step_kustomize() {
  setup
  rm -rf "$out/kustomize"
  cp -r deploy/kustomize "$out/kustomize"
  sed -i -E "s#newName: (plateau-[a-z]+), newTag: \"[^\"]*\"#newName: localhost/\1, newTag: $tag#; s#^namespace: .*#namespace: $ns-kustomize#" "$out/kustomize/kustomization.yaml"
  sed -i "s#name: load#name: $ns-kustomize#" "$out/kustomize/namespace.yaml"
  write_plan "$out/kustomize/plan.yaml" '{concurrency: 3, duration: 5s, warmup: 1s}'
  sed -i "s#target-plateau-sim:#target-plateau-sim.$ns.svc.cluster.local:#" "$out/kustomize/plan.yaml"
  "${kubectl[@]}" delete namespace "$ns-kustomize" --ignore-not-found --timeout=120s >/dev/null
  "${kubectl[@]}" apply -k "$out/kustomize" >/dev/null
  local kn=("${kubectl[@]}" -n "$ns-kustomize") p
  until_true 150 "the run of the plain manifests ends" eval '"${kn[@]}" logs -l app.kubernetes.io/component=coordinator --tail=5 2>/dev/null | grep -q "can be fetched"'
  p=$("${kn[@]}" get pods -l app.kubernetes.io/component=coordinator -o jsonpath='{.items[0].metadata.name}')
  rm -rf "$out/plain"
  "${kn[@]}" cp "$p:/data/load" "$out/plain" >/dev/null
  facts plain
  check_ledger plain
  check plain '.points[0].requested.concurrency == 3 and (.agents | length) == 2' "not the plan of plan.yaml, or not two agents"
  "${kubectl[@]}" delete -k "$out/kustomize" --timeout=180s >/dev/null
  say "the plan of plan.yaml, two agents"
}

step_ci() {
  setup
  write_plan "$out/one.yaml" '{concurrency: 4, duration: 5s, warmup: 1s}'
  install ci "$out/one.yaml" --set agents=2
  local status=0
  rm -rf "$out/ci"
  KUBECTL="${kubectl[*]} -n $ns" deploy/helm/fetch.sh ci "$out/ci" >"$out/ci.log" 2>&1 || status=$?
  [ -s "$out/ci/summary.json" ] || { cat "$out/ci.log" >&2; die "no folder was copied"; }
  [ "$status" = 0 ] || [ "$status" = 3 ] || { cat "$out/ci.log" >&2; die "a run that went through ended with $status"; }
  check_ledger ci
  status=0
  install ci "$out/one.yaml" --set agents=2 --set 'coordinator.args={--set,slo.run=[ttft.p99 < 1ns]}' || die "the gate is refused"
  KUBECTL="${kubectl[*]} -n $ns" deploy/helm/fetch.sh ci "$out/ci" >"$out/ci.log" 2>&1 || status=$?
  [ "$status" = 99 ] || { cat "$out/ci.log" >&2; die "a gate that nobody keeps: status $status, not 99"; }
  say "folder copied; a gate that failed: status $status"
  h uninstall ci --wait >/dev/null
}

step_waitjobs() {
  setup
  write_plan "$out/closed.yaml" '{concurrency: 4, duration: 5s}'
  h uninstall wait --ignore-not-found --wait >/dev/null 2>&1 || true
  local from=$SECONDS
  if h install wait $chart -f "$out/values.yaml" --set-file plan="$out/closed.yaml" --set agents=2 --set coordinator.hold=0s --set 'coordinator.args={--set,target.url=http://target-plateau-sim:9}' \
    --wait --wait-for-jobs --timeout 5m >"$out/wait.log" 2>&1; then die "a run that failed is called installed"; fi
  [ $((SECONDS - from)) -lt 200 ] || { cat "$out/wait.log" >&2; die "helm waited for its timeout"; }
  say "helm ended after $((SECONDS - from)) s: $(grep -o 'Error: .*' "$out/wait.log" | tail -n 1)"
  h uninstall wait --wait >/dev/null
}

make_prompts() { # the folder $out/prompts: 200 prompts and their corpus; the plan $out/data.yaml reads them in /corpora
  rm -rf "$out/prompts"
  mkdir "$out/prompts"
  local n
  for n in $(seq 200); do echo "{\"prompt\": \"question $n\", \"output_tokens\": $((n % 20 + 5))}"; done >"$out/prompts/prompts.jsonl"
  write_plan "$out/data.yaml" '{concurrency: 4, passes: 1}'
  sed -i 's#^workload: .*#workload: {dataset: {file: /corpora/prompts.jsonl, format: jsonl}}#' "$out/data.yaml"
  sed "s#/corpora/#$out/prompts/#" "$out/data.yaml" >"$out/data-here.yaml"
  "$bin/plateau" check "$out/data-here.yaml" --data "$out/prompts" >/dev/null
}

run_data() { # RELEASE helm words…: one pass of make_prompts' prompts, which no agent asks the coordinator for
  local r=$1
  install "$r" "$out/data.yaml" --set agents=2 "${@:2}"
  fetch "$r" 180
  check_ledger "$r"
  check "$r" '.points[0].ledger.ok == 200' "not one pass of 200 prompts"
  k logs -l "app.kubernetes.io/instance=$r,app.kubernetes.io/component=agent" --tail=-1 >"$out/$r-agents.log"
  [ -s "$out/$r-agents.log" ] || die "no log of the agents"
  if grep 'they come from the coordinator' "$out/$r-agents.log" >&2; then die "an agent did not find its corpus in the volume"; fi
  say "200 prompts, one pass, over 2 agents: the file and its corpus $(basename "$out"/prompts/*.corpus | cut -c1-12)… are in the volume, nothing went by the wire"
  h uninstall "$r" --wait >/dev/null
}

step_data() {
  setup
  [ -x "$bin/plateau" ] || { say "skipped: no $bin/plateau"; return 0; }
  make_prompts
  k delete configmap prompts --ignore-not-found >/dev/null
  k create configmap prompts --from-file="$out/prompts" >/dev/null
  run_data data --set data.volume.configMap.name=prompts
  make_claim
  tar -C "$out/prompts" -c . | k exec -i reader -- tar -C /data -x --no-same-owner
  run_data claimed --set data.volume.persistentVolumeClaim.claimName=run --set data.volume.persistentVolumeClaim.readOnly=true
  k exec reader -- sh -c 'rm -rf /data/*'
  k delete pod reader >/dev/null
}

step_image() {
  prerequisites_build
  prerequisites_load
  setup
  [ -x "$bin/plateau" ] || { say "skipped: no $bin/plateau"; return 0; }
  make_prompts
  printf 'FROM scratch\nCOPY prompts.jsonl *.corpus /\n' | "${buildah[@]}" bud -q -t "localhost/prompts:$tag" -f - "$out/prompts" >/dev/null
  rm -f "$out/prompts.tar"
  "${buildah[@]}" push -q "localhost/prompts:$tag" "docker-archive:$out/prompts.tar:localhost/prompts:$tag" >/dev/null
  bring prompts
  # whether API server, kubelet and runtime know such volumes: a pod that reads one
  k delete pod image-volume --ignore-not-found --force --grace-period=0 >/dev/null 2>&1
  k apply -f - >/dev/null 2>"$out/image.log" <<J || { say "skipped: $(tail -n 1 "$out/image.log")"; return 0; }
apiVersion: v1
kind: Pod
metadata: {name: image-volume}
spec:
  restartPolicy: Never
  containers:
    - {name: c, image: "localhost/plateau-coordinator:$tag", imagePullPolicy: IfNotPresent, command: [cat, /image/prompts.jsonl], volumeMounts: [{name: i, mountPath: /image, readOnly: true}]}
  volumes: [{name: i, image: {reference: "localhost/prompts:$tag", pullPolicy: IfNotPresent}}]
J
  if ! k wait --for=jsonpath='{.status.phase}'=Succeeded pod/image-volume --timeout=30s >/dev/null 2>&1; then
    say "skipped: $(k get pod image-volume -o json | jq -r '.status.containerStatuses[0].state | to_entries[0].value | "\(.reason): \(.message)"')"
    k delete pod image-volume --force --grace-period=0 >/dev/null 2>&1
    return 0
  fi
  k delete pod image-volume >/dev/null
  run_data imaged --set "data.volume.image.reference=localhost/prompts:$tag" --set data.volume.image.pullPolicy=IfNotPresent
}

step_unschedulable() {
  setup
  write_plan "$out/one.yaml" '{concurrency: 4, duration: 5s}'
  install nowhere "$out/one.yaml" --set agents=2 --set agent.resources.requests.cpu=1000 --set coordinator.wait=15s --set coordinator.hold=0s
  until_true 120 "the run fails" eval 'job_is "$(job_of nowhere coordinator)" Failed'
  log_of nowhere >"$out/nowhere.log"
  local code
  code=$(k get "$(coordinator_of nowhere)" -o json | jq '.status.containerStatuses[0].state.terminated.exitCode')
  [ "$code" = 4 ] || { cat "$out/nowhere.log" >&2; die "status $code, not 4"; }
  # the command of the log, as it stands
  local hint
  hint=$(grep -o 'kubectl -n [^;]* get pods[^;]*' "$out/nowhere.log" | sed -n 1p)
  [ -n "$hint" ] || { cat "$out/nowhere.log" >&2; die "the log has no command that shows the agents"; }
  read -ra hint <<<"${hint#kubectl }"
  [ "$("${kubectl[@]}" "${hint[@]}" --no-headers | grep -c Pending)" = 2 ] || die "the command of the log does not show them: kubectl ${hint[*]}"
  say "status $code after coordinator.wait; the log's command shows 2 Pending: kubectl ${hint[*]}"
  h uninstall nowhere --wait >/dev/null
}

step_values() { # what clusters ask for: a user of the platform's choice, what is injected into pods, names, an account, the host's network
  setup
  k create configmap extra --from-literal=FROM_MAP=mapped --dry-run=client -o yaml | k apply -f - >/dev/null
  jq -n --arg image "localhost/plateau-coordinator:$tag" '
    {extraEnv: [{name: "EXTRA", value: "given"}], extraEnvFrom: [{configMapRef: {name: "extra"}}],
     extraVolumes: [{name: "extra", configMap: {name: "extra"}}], extraVolumeMounts: [{name: "extra", mountPath: "/extra"}],
     initContainers: [{name: "first", image: $image, command: ["true"]},
                      {name: "beside", image: $image, restartPolicy: "Always", command: ["sleep", "3600"]}],
     nodeSelector: {"kubernetes.io/os": "linux"}, tolerations: [{key: "load", operator: "Exists"}],
     podLabels: {team: "load"}, podAnnotations: {"example.org/why": "a test"}} as $part
    | ($part + {sidecars: [{name: "brief", image: $image, command: ["true"]}], dnsConfig: {options: [{name: "ndots", value: "3"}]}, terminationGracePeriodSeconds: 30}) as $job
    | {fullnameOverride: "all-values", annotations: {"example.org/run": "all"}, agent: $job, coordinator: ($job + {hostNetwork: true}),
       sim: ($part + {enabled: true}), serviceAccount: {create: true, annotations: {"example.org/role": "none"}}, dashboard: {enabled: true},
       podSecurityContext: {runAsUser: 1000680000, runAsGroup: 0, fsGroup: 1000680000}}' >"$out/all-values.yaml"
  write_plan "$out/one.yaml" '{concurrency: 4, duration: 5s, warmup: 1s}'
  install values "$out/one.yaml" --set agents=2 -f "$out/all-values.yaml" --set 'coordinator.args={--set,target.url=http://all-values-sim:8000}'
  until_true 120 "both agents are ready" eval '[ "$(metric "$(coordinator_of values)" agents_ready)" = 2 ]'
  local p saw
  for p in "$(coordinator_of values)" "$(agents_of values | sed -n 1p)"; do
    saw=$(k exec "$p" -- sh -c 'echo "$(id -u) $EXTRA $FROM_MAP $(cat /extra/FROM_MAP) $(grep -o ndots:3 /etc/resolv.conf)"')
    [ "$saw" = "1000680000 given mapped mapped ndots:3" ] || die "$p does not have what was given to it: $saw"
    k get "$p" -o json | jq -e '.metadata.labels.team == "load" and .metadata.annotations["example.org/why"] == "a test" and .spec.serviceAccountName == "all-values"' >/dev/null ||
      die "$p lacks a label, an annotation or its account"
  done
  fetch values 180
  check_ledger values
  job_ends "$(job_of values agent)" 60
  h test values >"$out/test.log" 2>&1 || { cat "$out/test.log" >&2; die "helm test fails"; }
  say "user 1000680000, environment, volumes, init containers, sidecars, account and names as given; helm test: $(sed -n 's/^Phase: *//p' "$out/test.log")"
  h uninstall values --wait >/dev/null
}

step_places() { # on nodes: a priority, the node's network, a port that is free there, never two agents on one
  setup
  local nodes
  nodes=$("${kubectl[@]}" get nodes -o json | jq '[.items[] | select(.spec.unschedulable != true and any(.status.conditions[]; .type == "Ready" and .status == "True"))] | length')
  "${kubectl[@]}" delete priorityclass "$ns-load" --ignore-not-found >/dev/null
  "${kubectl[@]}" create priorityclass "$ns-load" --value=1000 --preemption-policy=Never >/dev/null
  write_plan "$out/one.yaml" '{concurrency: 4, duration: 10s, warmup: 1s}'
  jq -n --arg p "$ns-load" '{coordinator: {priorityClassName: $p}, agent: {priorityClassName: $p, hostNetwork: true, spread: "hard"}, http: {port: 19100}}' >"$out/places.yaml"
  install placed "$out/one.yaml" --set agents="$nodes" -f "$out/places.yaml"
  until_true 120 "$nodes agents run" eval '[ "$(agents_of placed | wc -l)" = "$nodes" ]'
  k get pods -l app.kubernetes.io/instance=placed -o json >"$out/placed.json"
  jq -e '[.items[] | select(.metadata.labels["app.kubernetes.io/component"] == "agent")] | (map(.spec.nodeName) | unique | length) == length and all(.status.podIP == .status.hostIP)' "$out/placed.json" >/dev/null ||
    die "two agents share a node, or one is not in its node's network"
  jq -e '[.items[] | select(.metadata.labels["app.kubernetes.io/component"] | . == "agent" or . == "coordinator")] | length > 1 and all(.spec.priority == 1000)' "$out/placed.json" >/dev/null || die "a pod lacks its priority"
  fetch placed 180
  check_ledger placed
  check placed "(.agents | length) == $nodes" "not all agents took part"
  say "$nodes agents in their nodes' network, one on each node, with priority 1000"
  install placed "$out/one.yaml" --set agents=$((nodes + 1)) --set agent.spread=hard --set coordinator.wait=30s --set coordinator.hold=0s
  until_true 120 "$nodes agents run" eval '[ "$(agents_of placed | wc -l)" = "$nodes" ]'
  [ "$(k get pods -l app.kubernetes.io/instance=placed,app.kubernetes.io/component=agent --field-selector=status.phase=Pending -o name | wc -l)" = 1 ] || die "not exactly one agent finds no node of its own"
  until_true 120 "the run fails" eval 'job_is "$(job_of placed coordinator)" Failed'
  has_log placed "$nodes of $((nodes + 1)) agents" || { log_of placed >&2; die "the log does not count the agents"; }
  say "one agent more than nodes stays Pending: $(log_of placed | grep -o "$nodes of .*" | sed -n 1p)"
  h uninstall placed --wait >/dev/null
}

step_signed() {
  setup
  [ -f "$out/keys/plan.sign" ] || { say "skipped: no keys, since there is no $bin/plateau"; return 0; }
  write_plan "$out/one.yaml" '{concurrency: 4, duration: 5s, warmup: 1s}'
  # as the README has it: what the chart sets belongs to what is signed
  "$bin/plateau" sign "$out/one.yaml" --key "$out/keys/plan.sign" --set agents.count=2 --set agents.wait=10m >"$out/plan.sig"
  k delete secret signature verify --ignore-not-found >/dev/null
  k create secret generic signature --from-file="$out/plan.sig" >/dev/null
  k create secret generic verify --from-file="$out/keys/plan.verify" >/dev/null
  local words=(--set agents=2 --set 'coordinator.secrets={signature}' --set 'coordinator.args={--signature,/secrets/signature/plan.sig}'
    --set 'secrets={verify}' --set 'agent.args={--require-signed,/secrets/verify/plan.verify}')
  install signed "$out/one.yaml" "${words[@]}"
  fetch signed 120
  check_ledger signed
  sed 's/duration: 5s/duration: 6s/' "$out/one.yaml" >"$out/other.yaml"
  install signed "$out/other.yaml" "${words[@]}" --set coordinator.hold=0s
  until_true 120 "a plan that was not signed fails" eval 'job_is "$(job_of signed coordinator)" Failed'
  has_log signed 'the signature is for another plan' || { log_of signed >&2; die "the reason is not in the log"; }
  say "the signed plan runs; another: $(log_of signed | grep -o 'agent .*the signature is for another plan.*' | sed -n 1p)"
  h uninstall signed --wait >/dev/null
}

reaches() { k exec "$1" -- timeout 4 bash -c "exec 3<>/dev/tcp/$2/$3" >/dev/null 2>&1; } # POD HOST PORT

refused_pods() { # what the cluster says of pods that it refused, by the README's command
  k get events --field-selector reason=FailedCreate -o json | jq -r --arg r "$1" '.items[] | select(.involvedObject.name | startswith($r + "-")) | .message' | tail -n 1
}

step_rules() { # what a namespace may forbid: Pod Security "restricted", a quota
  setup
  ruled=1 # cleanup takes the rules away
  "${kubectl[@]}" label namespace "$ns" pod-security.kubernetes.io/enforce=restricted --overwrite >/dev/null
  write_plan "$out/one.yaml" '{concurrency: 4, duration: 5s, warmup: 1s}'
  sed -i "s#$target#http://strict-plateau-sim:8000#" "$out/one.yaml"
  install strict "$out/one.yaml" --set agents=2 --set sim.enabled=true --set dashboard.enabled=true
  fetch strict 120
  check_ledger strict
  h test strict >"$out/test.log" 2>&1 || { cat "$out/test.log" >&2; die "helm test fails"; }
  say "all parts, and helm test, under Pod Security \"restricted\""
  write_plan "$out/one.yaml" '{concurrency: 4, duration: 5s, warmup: 1s}'
  install strict "$out/one.yaml" --set agents=2 --set agent.hostNetwork=true --set coordinator.wait=20s --set coordinator.hold=0s
  until_true 120 "the run without agents fails" eval 'job_is "$(job_of strict coordinator)" Failed'
  refused_pods strict | grep 'violates PodSecurity' >"$out/refused" || { log_of strict >&2; die "no event says that the agents were refused"; }
  say "agents in the nodes' network are refused, and the events say so: $(cut -c1-160 "$out/refused")…"
  "${kubectl[@]}" label namespace "$ns" pod-security.kubernetes.io/enforce- >/dev/null
  h uninstall strict --wait >/dev/null
  # a quota on CPU limits refuses every pod that has none; the check before the run would wait for its own
  k create quota rules --hard=limits.cpu=4 >/dev/null
  install limited "$out/one.yaml" --set agents=2 --set checkPlan=false
  KUBECTL="${kubectl[*]} -n $ns" deploy/helm/fetch.sh limited "$out/limited" >"$out/limited.log" 2>&1 &
  local pid=$!
  until_true 30 "fetch.sh says why nothing begins" grep -q 'waits: .*failed quota: rules' "$out/limited.log"
  k delete quota rules >/dev/null
  local status=0
  wait $pid || status=$?
  [ $status = 0 ] || [ $status = 3 ] || { cat "$out/limited.log" >&2; die "without the quota the run ended with $status"; }
  check_ledger limited
  say "a quota: $(grep -o 'waits: .*' "$out/limited.log" | sed -n 1p); without it the run went through"
  h uninstall limited --wait >/dev/null
  ruled=
}

step_policy() {
  setup
  write_plan "$out/long.yaml" '{concurrency: 4, duration: 40s, warmup: 1s}'
  local p c target api policy
  target=$(k get service target-plateau-sim -o jsonpath='{.spec.clusterIP}')
  api=$("${kubectl[@]}" -n default get service kubernetes -o jsonpath='{.spec.clusterIP}')
  for policy in false true; do # without it the API server is there: what is seen with it is the policy's doing
    install closed-in "$out/long.yaml" --set agents=2 --set networkPolicy.enabled=$policy
    until_true 120 "the run is under way, policy $policy" in_stage closed-in 1
    p=$(agents_of closed-in | sed -n 1p)
    c=$(coordinator_of closed-in)
    [ $policy = true ] || reaches "$p" "$api" 443 || die "the API server is out of reach without a policy: this step would show nothing"
  done
  if reaches "$p" "$api" 443; then
    fetch closed-in 120
    say "skipped: this network enforces no policy"
    return 0
  fi
  reaches "$p" "$target" 8000 || die "an agent does not reach the target"
  if reaches "$c" "$api" 443; then die "the coordinator reaches what the plan does not name"; fi
  fetch closed-in 120
  check_ledger closed-in
  say "the run went through; the API server is out of reach for agents and coordinator"

  # a Service that maps its port: the policy sees the pod's port, which only podPorts can name
  k create service clusterip mapped --tcp=80:8000 --dry-run=client -o json |
    jq --argjson s "$(k get service target-plateau-sim -o json | jq .spec.selector)" '.spec.selector = $s' | k apply -f - >/dev/null
  write_plan "$out/mapped.yaml" '{concurrency: 4, duration: 5s, warmup: 1s}'
  sed -i 's#^target: .*#target: {url: http://mapped, model: sim}#' "$out/mapped.yaml"
  install mapped "$out/mapped.yaml" --set agents=2 --set networkPolicy.enabled=true --set coordinator.hold=0s
  until_true 120 "the run that its policy cuts off fails" eval 'job_is "$(job_of mapped coordinator)" Failed'
  say "a Service that maps its port, without podPorts: $(log_of mapped | grep -E 'ERROR|error' | tail -n 1)"
  install mapped "$out/mapped.yaml" --set agents=2 --set networkPolicy.enabled=true --set 'networkPolicy.podPorts={8000}'
  fetch mapped 120
  check_ledger mapped
  say "with podPorts it goes through"
  h uninstall mapped closed-in --wait >/dev/null
}

ip6_of() { k get "$1" -o json | jq -r 'first(.status.podIPs[].ip | select(contains(":"))) // empty'; } # POD

step_ipv6() {
  setup
  local p q target policy name
  target=$(ip6_of "$(k get pods -l app.kubernetes.io/component=sim -o name | sed -n 1p)")
  [ -n "$target" ] || { say "skipped: pods have no IPv6 address"; return 0; }
  write_plan "$out/six.yaml" '{concurrency: 4, duration: 40s, warmup: 1s}'
  sed -i "s#^target: .*#target: {url: 'http://[$target]:8000', model: sim}#" "$out/six.yaml"
  for policy in false true; do # without it the coordinator's page is there: what is seen with it is the policy's doing
    install six "$out/six.yaml" --set agents=2 --set networkPolicy.enabled=$policy
    until_true 120 "the run is under way, policy $policy" in_stage six 1
    p=$(agents_of six | sed -n 1p)
    q=$(ip6_of "$(coordinator_of six)")
    [ $policy = true ] || reaches "$p" "$q" 9100 || die "the page of the coordinator does not answer by IPv6"
  done
  if reaches "$p" "$q" 9100; then
    fetch six 120
    say "skipped: this network enforces no policy for IPv6"
    return 0
  fi
  reaches "$p" "$target" 8000 || die "an agent does not reach the target"
  name=$(k exec "$p" -- getent ahosts six-plateau-coordinator | awk 'NR == 1 { print $1 }')
  fetch six 120
  check_ledger six
  check six '[.points[].addresses[].address] | length > 0 and all(startswith("["))' "the target was not reached by IPv6"
  say "the run went through, to $target, with the coordinator at $name; its page, which agents need not reach, is out of reach by IPv6"
  h uninstall six --wait >/dev/null
}

two_nodes() { # sets stay, which has the simulator, and away, another that is ready; fails where there is none
  stay=$(k get pods -l app.kubernetes.io/component=sim -o jsonpath='{.items[0].spec.nodeName}')
  away=$("${kubectl[@]}" get nodes -o json | jq -r --arg s "$stay" '[.items[] | select(any(.status.conditions[]; .type == "Ready" and .status == "True")) | .metadata.name | select(. != $s)] | last // empty')
  [ -n "$away" ]
}
leaving() { # RELEASE NODE: how many of its pods there were told to go and are still there
  k get pods -l "app.kubernetes.io/instance=$1" --field-selector=spec.nodeName="$2" -o json | jq '[.items[] | select(.metadata.deletionTimestamp)] | length'
}
out_of_service() { # NODE
  tainted="$tainted $1" # cleanup takes it away
  "${kubectl[@]}" taint node "$1" node.kubernetes.io/out-of-service=nodeshutdown:NoExecute >/dev/null
}

step_deadnode() {
  read -ra kill_node <<<"${KILLNODE:-}"
  local stay away
  [ ${#kill_node[@]} -gt 0 ] || { say "skipped: KILLNODE is not set"; return 0; }
  setup
  two_nodes || { say "skipped: one node only"; return 0; }
  write_plan "$out/two.yaml" '{concurrency: [8, 16], duration: 20s, warmup: 2s}'
  jq -n --arg n "$stay" '{coordinator: {nodeSelector: {"kubernetes.io/hostname": $n}}}' >"$out/dead.yaml"
  install node "$out/two.yaml" --set agents=4 -f "$out/dead.yaml"
  until_true 120 "the first stage runs" in_stage node 1
  local lost
  lost=$(k get pods -l app.kubernetes.io/instance=node,app.kubernetes.io/component=agent --field-selector=spec.nodeName="$away" -o name | wc -l)
  say "$away dies with $lost of 4 agents"
  "${kill_node[@]}" "${away//[!0-9]/}" >/dev/null
  fetch node 240
  check_ledger node
  check node '(.points | length) == 2 and ([.points[].degraded] | any | not)' "the run did not end with the agents it has"
  say "ended with $(jq '.points[-1].agents | length' "$out/node/summary.json") agents; the log says where they are: $(grep -c 'where the agents are: kubectl' "$out/node.log")"
  [ "$lost" = 0 ] || grep -q 'where the agents are: kubectl' "$out/node.log" || die "the log does not say where lost agents are looked for"
  [ "$lost" = 0 ] && return 0
  until_true 180 "the cluster tells the pods of the dead node to go" eval '[ "$(leaving node "$away")" = "$lost" ]'
  sleep 10
  [ "$(leaving node "$away")" = "$lost" ] || die "the pods went by themselves: the README says that they stay"
  local from=$SECONDS
  out_of_service "$away"
  until_true 90 "the taint frees them" eval '[ "$(leaving node "$away")" = 0 ]'
  say "$lost pods stayed Terminating; the out-of-service taint freed them in $((SECONDS - from)) s"
  h uninstall node --wait >/dev/null
}

step_deadcoordinator() {
  read -ra kill_node <<<"${KILLNODE:-}"
  local stay away first
  [ ${#kill_node[@]} -gt 0 ] && [ -n "${SHARED:-}" ] || { say "skipped: KILLNODE or SHARED is not set"; return 0; }
  setup
  two_nodes || { say "skipped: one node only"; return 0; }
  make_claim "$SHARED" "$stay"
  write_plan "$out/three.yaml" '{concurrency: [4, 8, 16], duration: 20s, warmup: 2s}'
  jq -n --arg n "$away" '{key: "kubernetes.io/hostname", values: [$n]} as $x | {
    agent: {affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [$x + {operator: "NotIn"}]}]}}}},
    coordinator: {affinity: {nodeAffinity: {preferredDuringSchedulingIgnoredDuringExecution: [{weight: 100, preference: {matchExpressions: [$x + {operator: "In"}]}}]}}}}' >"$out/moved.yaml"
  install moved "$out/three.yaml" --set agents=3 --set persistence.enabled=true --set persistence.existingClaim=run -f "$out/moved.yaml"
  until_true 150 "the second stage runs" in_stage moved 2
  first=$(coordinator_of moved)
  [ "$(k get "$first" -o jsonpath='{.spec.nodeName}')" = "$away" ] || die "the coordinator is not on $away"
  say "$away dies with the coordinator in stage 2"
  local from=$SECONDS agents
  agents=$(agents_of moved | sort)
  "${kill_node[@]}" "${away//[!0-9]/}" >/dev/null
  until_true 240 "the coordinator is told to go" eval '[ "$(leaving moved "$away")" = 1 ]'
  say "told to go after $((SECONDS - from)) s"
  sleep 10
  [ "$(coordinator_of moved)" = "$first" ] || die "another coordinator came by itself: the README says that the taint brings it"
  from=$SECONDS
  out_of_service "$away"
  until_true 120 "another coordinator runs" eval '[ "$(coordinator_of moved)" != "$first" ] && [ -n "$(metric "$(coordinator_of moved)" agents)" ]'
  say "another one on $(k get "$(coordinator_of moved)" -o jsonpath='{.spec.nodeName}'), $((SECONDS - from)) s after the taint"
  until_true 300 "the run ends" has_ended moved
  fetch_claim moved
  check_resumed moved
  check moved '[.points[].agents | length] == [3, 3, 3]' "not all three agents took part in each stage"
  [ "$(k get pods -l app.kubernetes.io/instance=moved,app.kubernetes.io/component=agent -o name | sort)" = "$agents" ] || die "the agents are not the pods that were there before"
  h uninstall moved --wait >/dev/null
}
