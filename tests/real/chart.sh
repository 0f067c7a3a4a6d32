#!/usr/bin/env bash
# tests/real/chart.sh [--update]
# Judges the Helm chart without a cluster: helm lint; kubeconform, strict, against schemas made from Kubernetes 1.33's own API description; kube-score.
# Needs go 1.24 or newer; the tools are built once from the Go module proxy into $K8S_ROOT/bin.
set -euo pipefail
cd "$(dirname "$0")/../.."
root=${K8S_ROOT:-$HOME/.cache/k8s}
version=1.33.13
export GOPATH=$root/gopath GOCACHE=$root/gocache GOFLAGS=-buildvcs=false CGO_ENABLED=0 GOBIN=$root/bin
for t in sigs.k8s.io/kustomize/kustomize/v5@v5.6.0 helm.sh/helm/v3/cmd/helm@v3.18.6 github.com/yannh/kubeconform/cmd/kubeconform@v0.7.0 \
         github.com/zegl/kube-score/cmd/kube-score@v1.20.0; do
  name=$(basename "${t%@*}"); [ "$name" = v5 ] && name=kustomize
  [ -x "$GOBIN/$name" ] || { command -v go >/dev/null || { echo "needs go to build $name" >&2; exit 77; }; go install -p 2 "$t"; }
done
PATH=$GOBIN:$PATH

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
swagger=$(go mod download -json k8s.io/kubernetes@v$version | sed -n 's/.*"Dir": "\(.*\)",/\1/p')/api/openapi-spec/swagger.json
python3 tests/real/kube_schemas.py "$swagger" "$tmp/schemas"
chart=deploy/helm/plateau
if [ "${1:-}" = --update ]; then
  deploy/kustomize/render.sh >deploy/kustomize/plateau.yaml
  deploy/helm/chart_readme.py >"$chart/README.md"
  exit 0
fi
plan=(--set-file plan=configs/quickstart.yaml)

helm lint "$chart" "${plan[@]}" --set insecure=true --quiet
# the network policy is off by default, since only the user knows the target's ports; here it is judged too
render() { helm template "$1" "$chart" --kube-version $version --set networkPolicy.enabled=true "${@:2}" >"$tmp/$1.yaml"; }
render run "${plan[@]}" --set insecure=true --set sim.enabled=true --set secrets[0]=llm
render keys "${plan[@]}" --set keys.secretName=k --set persistence.enabled=true -f "$chart/values-guaranteed.yaml"
render fleet --set mode=fleet --set keys.secretName=k
render cron "${plan[@]}" --set insecure=true --set schedule='0 3 * * *' --set networkPolicy.enabled=true
render data "${plan[@]}" --set insecure=true --set data.volume.configMap.name=prompts --set serviceAccount.create=true --set dashboard.enabled=true
render join "${plan[@]}" --set mode=join --set fleet=fleet --set keys.secretName=k
kustomize build deploy/kustomize >"$tmp/kustomize.yaml"

# what must be refused
helm template x "$chart" --kube-version $version --set insecure=true >/dev/null 2>"$tmp/err" && { echo "an empty plan was accepted" >&2; exit 1; }
grep -q 'plan is empty' "$tmp/err"
helm template x "$chart" --kube-version $version "${plan[@]}" >/dev/null 2>"$tmp/err" && { echo "no keys and not insecure was accepted" >&2; exit 1; }
grep -q 'no keys' "$tmp/err"
helm template x "$chart" --kube-version $version "${plan[@]}" --set agnts=3 >/dev/null 2>"$tmp/err" && { echo "an unknown value was accepted" >&2; exit 1; }

for f in "$tmp"/*.yaml; do
  kubeconform -strict -summary -kubernetes-version $version -schema-location "$tmp/schemas/{{ .ResourceKind }}{{ .KindSuffix }}.json" "$f"
  # left out on purpose: the pull policy is the user's; a CPU limit throttles and falsifies latency; the simulator is one
  kube-score score "$f" --ignore-container-cpu-limit --ignore-test container-image-pull-policy --ignore-test deployment-replicas $([ "$(basename "$f")" != kustomize.yaml ] || echo --ignore-test pod-networkpolicy) --output-format ci >"$tmp/score" || true
  if grep -E '^\[(CRITICAL|WARNING)\]' "$tmp/score"; then echo "kube-score found something in $(basename "$f")" >&2; exit 1; fi
done
# plain manifests are the chart's own output
deploy/kustomize/render.sh | diff - deploy/kustomize/plateau.yaml || { echo "deploy/kustomize/plateau.yaml is not what the chart renders: run tests/real/chart.sh --update" >&2; exit 1; }
echo "chart is clean"
