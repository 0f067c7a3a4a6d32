#!/usr/bin/env bash
# What the Helm chart renders fits the programs: every option it passes exists, and what it promises about rights, limits and restarts holds.
# Needs helm and python3-yaml; skipped without. arg 1: folder of the programs.
set -euo pipefail
bin=$(cd "$1" && pwd)
cd "$(dirname "$0")/../.."
helm=$(command -v helm || echo "${K8S_ROOT:-$HOME/.cache/k8s}/bin/helm")
[ -x "$helm" ] || { echo "skipped: no helm"; exit 77; }
python3 -c 'import yaml' 2>/dev/null || { echo "skipped: no python3-yaml"; exit 77; }

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
chart=deploy/helm/plateau
cat >"$tmp/plan.yaml" <<'Y'
plan: 1
target: {url: "http://llm:18000/v1/chat/completions", model: m, metrics_url: "http://llm:9400/metrics"}
load: {concurrency: [1, 2], duration: 5s}
Y
render() { "$helm" template load $chart --kube-version 1.33.0 --set-file plan="$tmp/plan.yaml" "${@:2}" >"$tmp/$1.yaml"; }
render open --set networkPolicy.enabled=true --set insecure=true --set sim.enabled=true --set agents=4 --set 'secrets[0]=llm'
render same --set insecure=true --set sim.enabled=true --set agents=4 --set 'secrets[0]=llm' --set networkPolicy.enabled=false --set podDisruptionBudget.enabled=false \
  --set activeDeadlineSeconds=null --set ttlSecondsAfterFinished=60 --set annotations.a=b --set persistence.size=2Gi --set serviceAccount.annotations.a=b --set 'sim.args={--ttft,1ms}'
render labelled --set insecure=true --set sim.enabled=true --set agents=4 --set 'secrets[0]=llm' --set agent.podLabels.team=a
render patient --set insecure=true --set sim.enabled=true --set agents=4 --set 'secrets[0]=llm' --set agent.backoffLimit=9
render alone --set networkPolicy.enabled=true --set insecure=true --set agents=4 --set 'secrets[0]=llm'
render longer --set insecure=true --set agents=4 --set 'secrets[0]=llm' --set 'coordinator.args={--set,load.duration=9s}'
render keys --set keys.secretName=k --set persistence.enabled=true
render again --set keys.secretName=k --set persistence.enabled=true --set coordinator.resume=load-1234
cp -r $chart "$tmp/newer"
sed -i 's/^version: .*/version: 9.9.9/' "$tmp/newer/Chart.yaml"
(chart=$tmp/newer; render newer --set networkPolicy.enabled=true --set insecure=true --set sim.enabled=true --set agents=4 --set 'secrets[0]=llm')
render data --set insecure=true --set data.volume.configMap.name=prompts --set serviceAccount.create=true --set dashboard.enabled=true --set podSecurityContext.runAsUser=null \
  --set 'sim.enabled=true,sim.extraEnv[0].name=A,sim.extraEnv[0].value=b,sim.nodeSelector.pool=sim'
HELM=$helm deploy/kustomize/render.sh >"$tmp/kustomize.out"
diff "$tmp/kustomize.out" deploy/kustomize/plateau.yaml >"$tmp/diff" || { head -20 "$tmp/diff"; echo "deploy/kustomize/plateau.yaml is not what the chart renders: deploy/kustomize/render.sh > deploy/kustomize/plateau.yaml"; exit 1; }
deploy/helm/chart_readme.py | diff - $chart/README.md >"$tmp/diff" || { head -20 "$tmp/diff"; echo "the chart's README is not what its values say: deploy/helm/chart_readme.py > $chart/README.md"; exit 1; }
render cron --set insecure=true --set schedule='0 3 * * *'
render fleet --set mode=fleet --set keys.secretName=k
render join --set mode=join --set fleet=f --set keys.secretName=k
mine=affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution
render apart --set mode=join --set fleet=f --set insecure=true --set "coordinator.$mine[0].topologyKey=mine"
# a plan whose first line is indented, with a proxy; a Secret with a dot; a coordinator in the node's network; agents that share no node
printf '   # mine\nplan: 1\ntarget: {url: "https://[fd00::1]/v1", model: m, proxy: "http://proxy:3128"}\nload: {concurrency: 1, duration: 5s}\n' >"$tmp/odd-plan.yaml"
echo plan.yaml >"$tmp/name.yaml"
printf 'plan: 1\n\tload: 2\n' >"$tmp/tab.yaml"
render odd --set-file plan="$tmp/odd-plan.yaml" --set insecure=true --set networkPolicy.enabled=true --set 'secrets[0]=my.key' --set 'coordinator.secrets[0]=my.ca' \
  --set coordinator.hostNetwork=true --set agent.spread=hard --set 'coordinator.args={--set=target.metrics_url=http://llm:9401/metrics,--listen,tcp://x:9}' --set "agent.$mine[0].topologyKey=mine"
for p in plateau-agent plateau-sim; do "$bin/$p" --help >"$tmp/$p.help"; done
"$bin/plateau" run --help >"$tmp/plateau.help"

python3 - "$tmp" "$helm" <<'P'
import json, re, subprocess, sys, yaml
tmp = sys.argv[1]
def load(name): return [d for d in yaml.safe_load_all(open(f"{tmp}/{name}.yaml")) if d]
def of(docs, kind, end): return [d for d in docs if d["kind"] == kind and re.search(end + "(-[0-9a-f]{8})?$", d["metadata"]["name"])][0]
known = {p: set(re.findall(r"^  --([a-z-]+)", open(f"{tmp}/{p}.help").read(), re.M)) for p in ("plateau", "plateau-agent", "plateau-sim")}
bad = []
def expect(ok, what):
    if not ok: bad.append(what)
def options(where, program, words):
    for w in re.findall(r"^--([a-z-]+)", "\n".join(words), re.M): # what an option's value holds is its own
        expect(w in known[program], f"{where}: {program} has no option --{w}")

for name in ("open", "keys", "fleet", "join"):
    for d in load(name):
        spec = d.get("spec", {}).get("template", {}).get("spec")
        if not spec: continue
        expect(spec["automountServiceAccountToken"] is False, f"{name}: a service account's token is mounted")
        for c in spec["containers"]:
            if c["name"] != "check": options(f"{name} {d['metadata']['name']}", {"agent": "plateau-agent", "coordinator": "plateau", "sim": "plateau-sim"}[c["name"]], c["args"])
            s = c["securityContext"]
            expect(s["runAsNonRoot"] and s["readOnlyRootFilesystem"] and s["capabilities"]["drop"] == ["ALL"], f"{name}: {c['name']} has rights it needs not")
            expect("cpu" not in c["resources"].get("limits", {}), f"{name}: {c['name']} has a CPU limit, which throttles")
            expect(c["name"] == "check" or "startupProbe" in c and "livenessProbe" in c and "readinessProbe" in c, f"{name}: {c['name']} lacks a probe")
        for v in spec["volumes"] if "volumes" in spec else []:
            if "secret" in v: expect(v["secret"]["defaultMode"] in (256, 0o400), f"{name}: secret {v['name']} is not 0400")

o, k, f = load("open"), load("keys"), load("fleet")
agents = of(o, "Job", "-agents")["spec"]
expect(agents["completionMode"] == "Indexed" and agents["completions"] == agents["parallelism"] == 4, "agents are not an Indexed Job of 4")
expect(agents["podFailurePolicy"]["rules"][0] == {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}, "a disruption counts as a failure")
expect(of(o, "PodDisruptionBudget", "-agents")["spec"].get("minAvailable") == 3, "a Job's budget must be minAvailable: agents - 1")
expect(of(f, "PodDisruptionBudget", "-agents")["spec"].get("maxUnavailable") == 1, "a fleet's budget is one at a time")
def words(docs): return of(docs, "Job", "-coordinator")["spec"]["template"]["spec"]["containers"][0]["args"]
expect("--resume-if-there" in words(k) and "--resume-if-there" not in words(o), "resume belongs to a folder that outlives the pod")
expect("--insecure" in words(o) and "--insecure" not in words(k) and "--keys=/keys" in words(k), "keys or insecure, never both")
fleet = of(f, "Deployment", "-agents")["spec"]["template"]["spec"]["containers"][0]["args"]
expect("--stay" in fleet, "standing agents must stay")
job = agents["template"]["spec"]["containers"][0]["args"]
expect("--stay" not in job, "agents of a Job must end")
# A changed run is a new run: its Jobs have other names, and its Service finds no other run's coordinator. What is no part of the run changes no name.
def job(name): return of(load(name), "Job", "-coordinator")["metadata"]["name"]
expect(job("open") == job("same"), "a network policy, a deadline or another annotation makes another run")
expect(job("open") != job("labelled") != job("patient") != job("open"), "what the API does not change in a Job of agents leaves its name")
expect(job("open") != job("longer"), "other arguments are not another run")
def first(name): return [c["name"] for c in of(load(name), "Job", "-coordinator")["spec"]["template"]["spec"].get("initContainers", [])]
expect(first("open") == ["wait-for-sim"] and first("longer") == [], f"a run must wait for the simulator of its own release: {first('open')} {first('longer')}")
expect(job("open") != job("alone"), "with a simulator the Job is another, and has the same name")
expect(of(o, "Service", "-coordinator")["spec"]["selector"]["batch.kubernetes.io/job-name"] == job("open"), "the Service finds coordinators of other runs")
expect(job("open") != job("newer"), "a newer chart, which may write another Job, gives it the same name")
# Advice in a pod is the cluster's: kubectl and Helm commands, never plateau's own.
def hints(docs): return {w.split("=", 1)[0]: w.split("=", 1)[1] for w in words(docs) if "-hint=" in w}
expect("kubectl -n default get pods" in hints(o)["--agents-hint"] and "app.kubernetes.io/instance=load" in hints(o)["--agents-hint"], f"no command that shows the agents: {hints(o)}")
expect(len(hints(o)["--agents-hint"]) <= 132, f"a line of the log has no room for the command that shows the agents: {hints(o)}")
expect(re.search(r"^helm .*upgrade load .*coordinator.resume=\$\(RUN_FOLDER\)", hints(k)["--resume-hint"]), f"no command that resumes: {hints(k)}")
expect("coordinator.resume" not in hints(o)["--resume-hint"], "a run whose folder goes with its pod is said to be resumable")
# Data sets: the coordinator keeps what it makes of them in its own folder; a volume is seen by all who read them.
d = load("data")
def mounts(spec): return {m["name"]: m["mountPath"] for m in spec["containers"][0]["volumeMounts"]}
for kind, end in (("Job", "-agents"), ("Job", "-coordinator"), ("Job", "-check")):
    spec = of(d, kind, end)["spec"]["template"]["spec"]
    expect(mounts(spec).get("corpora") == "/corpora" and "/tmp" in mounts(spec).values(), f"{end} does not see the data sets, or cannot write a draft: {mounts(spec)}")
    expect({"name": "corpora", "configMap": {"name": "prompts"}} in spec["volumes"], f"{end}: the volume is not the one that is named")
    expect("runAsUser" not in spec["securityContext"], f"{end}: a user is set although the platform chooses it")
expect("--data=/data/corpora" in words(d) and "--data=/corpora" in of(d, "Job", "-agents")["spec"]["template"]["spec"]["containers"][0]["args"], "data sets are not looked for")
sim = of(d, "Deployment", "-sim")["spec"]["template"]["spec"]
expect(sim["containers"][0]["env"] == [{"name": "A", "value": "b"}] and sim["nodeSelector"] == {"pool": "sim"}, "the simulator's pod cannot be set")
expect(of(d, "Job", "-agents")["spec"]["template"]["spec"]["serviceAccountName"] == "load-plateau" and "serviceAccountName" not in of(d, "Job", "-check")["spec"]["template"]["spec"], "the account that the release makes is wanted before it exists")
board = json.loads(of(d, "ConfigMap", "-dashboard")["data"]["plateau.json"])
listed = set(re.findall(r"plateau_[a-z0-9_]+", open("deploy/README.md").read()))
for p in board["panels"]:
    for t in p["targets"]:
        for m in re.findall(r"plateau_[a-z0-9_]+", t["expr"]): expect(m in listed, f"the dashboard asks for {m}, which no program has")
def folder(docs): return {e["name"]: e for e in of(docs, "Job", "-coordinator")["spec"]["template"]["spec"]["containers"][0]["env"]}
expect("controller-uid" in str(folder(k)["JOB_UID"]) and folder(k)["RUN_FOLDER"]["value"] == "load-$(JOB_UID)", "a claim has no folder for each Job")
expect(folder(load("again"))["RUN_FOLDER"]["value"] == "load-1234" and "--resume-if-there" in words(load("again")), "an old run is not resumed when asked for")
order = [c["metadata"]["name"] for c in o if c["kind"] == "Job" and "check" not in c["metadata"]["name"]]
expect("-coordinator-" in order[0], f"helm --wait-for-jobs looks at the agents' Job first, and never sees that the run failed: {order}")
rules = of(o, "Job", "-coordinator")["spec"]
expect(rules["backoffLimit"] == 0 and of(k, "Job", "-coordinator")["spec"]["backoffLimit"] == 3, "a run whose folder died with its pod is tried again")
expect(1 in rules["podFailurePolicy"]["rules"][1]["onExitCodes"]["values"], "a run that failed is tried again without agents")
ports = [p["port"] for e in of(o, "NetworkPolicy", "-agents")["spec"]["egress"] for p in e.get("ports", [])]
expect(18000 in ports and 9400 in ports, f"the policy does not follow the plan's URLs: {ports}")
expect(all(c["kind"] == "CronJob" for c in load("cron") if c["metadata"]["name"] in ("load-plateau-agents", "load-plateau-coordinator") and c["kind"].endswith("Job")), "a schedule makes no CronJobs")
# Two runs never use one fleet at once: the scheduler keeps their coordinators apart, beside what the user asks for. Other coordinators are free.
def hard(docs, end): return [(t["topologyKey"], t.get("labelSelector", {}).get("matchLabels")) for t in of(docs, "Job", end)["spec"]["template"]["spec"].get("affinity", {}).get("podAntiAffinity", {}).get("requiredDuringSchedulingIgnoredDuringExecution", [])]
def part(component, **more): return {"app.kubernetes.io/name": "plateau", "app.kubernetes.io/component": component, **more}
turn = ("kubernetes.io/os", part("coordinator", **{"app.kubernetes.io/part-of": "f"}))
expect(hard(load("join"), "-coordinator") == [turn], f"two runs may use one fleet at once: {hard(load('join'), '-coordinator')}")
expect(hard(load("apart"), "-coordinator") == [("mine", None), turn], f"the user's own affinity is lost, or the fleet's turn: {hard(load('apart'), '-coordinator')}")
expect(hard(o, "-coordinator") == [] and hard(o, "-agents") == [], "a run of its own waits for others")
odd = load("odd")
expect(hard(odd, "-agents") == [("mine", None), ("kubernetes.io/hostname", part("agent"))], f"spread: hard does not keep agents apart: {hard(odd, '-agents')}")
ways = of(odd, "NetworkPolicy", "-agents")["spec"]["egress"]
expect({443, 3128, 9401} <= {p["port"] for e in ways for p in e["ports"]} and 9 not in {p["port"] for e in ways for p in e["ports"]}, f"the policy does not follow URL, proxy and metrics page: {ways}")
expect([e for e in ways if e["ports"] == [{"port": 5555}]] == [{"ports": [{"port": 5555}]}], "a coordinator in the node's network is no pod for a policy: agents cannot reach it")
expect(of(odd, "ConfigMap", "-plan")["data"]["plan.yaml"] == open(f"{tmp}/odd-plan.yaml").read(), "the plan is not what it was")
for end in ("-agents", "-coordinator"):
    spec = of(odd, "Job", end)["spec"]["template"]["spec"]
    expect(all(re.fullmatch("[a-z0-9]([a-z0-9-]*[a-z0-9])?", v["name"]) for v in spec["volumes"]), f"{end}: a volume has no name that Kubernetes takes: {spec['volumes']}")
    expect({m["name"] for m in spec["containers"][0]["volumeMounts"]} <= {v["name"] for v in spec["volumes"]}, f"{end}: a mount has no volume")
for w in [w for d in o for c in d.get("spec", {}).get("template", {}).get("spec", {}).get("containers", []) for w in c["args"]]:
    expect("0.0.0.0" not in w, f"not every family is listened on: {w}")
unit = open("deploy/systemd/plateau-agent.service").read()
options("systemd", "plateau-agent", " ".join(re.findall(r"^ExecStart=(.*)", unit, re.M)).split())
options("slurm", "plateau-agent", " ".join(re.findall(r"exec plateau-agent (.*)", open("deploy/slurm/agents.sbatch").read())).split())
# What must be refused, each with its sentence, before anything is made.
for what, words, sentence in (
    ("1load", ["--set", "insecure=true"], "cannot name a Service"), ("lo.ad", ["--set", "insecure=true"], "cannot name a Service"),
    ("load", [], "no keys"), ("load", ["--set", "insecure=true", "--set", "agnts=3"], "agnts"),
    ("load", ["--set", "insecure=true", "--set", "http.port=5555"], "are both 5555"),
    ("load", ["--set", "insecure=true", "--set-file", "plan=/dev/null"], "plan is empty"),
    ("load", ["--set", "insecure=true", "--set-file", f"plan={tmp}/name.yaml"], 'not "plan.yaml": --set-file plan=plan.yaml'),
    ("load", ["--set", "insecure=true", "--set-file", f"plan={tmp}/tab.yaml"], "the plan is no YAML"),
    ("load", ["--set", "insecure=true", "--set", "mode=fleet", "--set", "schedule=@daily"], "schedule goes with mode: run")):
    r = subprocess.run([sys.argv[2], "template", what, "deploy/helm/plateau", "--kube-version", "1.33.0", "--set-file", f"plan={tmp}/plan.yaml", *words], capture_output=True, text=True)
    expect(r.returncode != 0 and sentence in r.stderr, f"{what} {words}: not refused with \"{sentence}\": {r.stderr[:200]}")
for b in bad: print("FAIL:", b)
sys.exit(1 if bad else 0)
P
echo "the chart fits the programs"
