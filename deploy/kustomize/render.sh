#!/usr/bin/env bash
# deploy/kustomize/render.sh: plateau.yaml, as the chart renders it, on standard output. The plan is not in it: kustomization.yaml makes it from plan.yaml, so
# that there is one file to edit. Hooks are Helm's. HELM names another helm.
set -euo pipefail
cd "$(dirname "$0")/../.."
read -ra helm <<<"${HELM:-helm}"
"${helm[@]}" template load deploy/helm/plateau --kube-version 1.33.0 --no-hooks --namespace load --set planConfigMap=load-plateau-plan --set insecure=true --set agents=2
