#!/usr/bin/env bash
# deploy/publish.sh FOLDER: the files that a CI publishes from. Nothing is uploaded.
#   plateau-{agent,coordinator,sim}-VERSION.oci.tar   images as OCI layouts (skopeo copy oci-archive:FILE docker://…)
#   plateau-VERSION.tgz                               the chart (helm push FILE oci://…, or a folder with helm repo index)
#   provenance.json                                   in-toto statement: what was made, from which commit, on which base
#   SHA256SUMS                                        of all these; this is the file to sign
# deploy/publish.sh FOLDER chart: the chart alone. `helm package` writes the time of day into a chart; this chart has the same
# bytes each time. BUILDAH, BUILD_ARGS and BASE are as in tests/real/kubernetes.sh.
set -euo pipefail
[ $# -ge 1 ] || { sed -n 2,8p "$0" >&2; exit 2; }
mkdir -p "$1"
out=$(cd "$1" && pwd)
cd "$(dirname "$0")/.."
read -ra buildah <<<"${BUILDAH:-buildah}"
read -ra build_args <<<"${BUILD_ARGS:-}"
base=${BASE:-docker.io/library/debian:bookworm-slim}
version=$(sed -n 's/^version: //p' deploy/helm/plateau/Chart.yaml)
files=("plateau-$version.tgz")

# what is committed, so that the commit in provenance.json is what was made, whatever happens to the tree meanwhile
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
git archive HEAD | tar -x -C "$tree"
commit=$(git rev-parse HEAD)
cd "$tree"

tar -C deploy/helm --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner --mode=u=rwX,go=rX -cf - plateau | gzip -n9 >"$out/plateau-$version.tgz"

if [ "${2:-}" != chart ]; then
  for t in agent coordinator sim; do
    "${buildah[@]}" bud --layers --timestamp 0 "${build_args[@]}" --build-arg BASE="$base" --target $t -t "localhost/plateau-$t:$version" -f deploy/Containerfile .
    rm -f "$out/plateau-$t-$version.oci.tar"
    "${buildah[@]}" push -q "localhost/plateau-$t:$version" "oci-archive:$out/plateau-$t-$version.oci.tar:plateau-$t:$version" >/dev/null
    files+=("plateau-$t-$version.oci.tar")
  done
fi

cd "$out"
sha256sum "${files[@]}" | python3 -c '
import json, sys
commit, base = sys.argv[1:3]
subject = [{"name": n, "digest": {"sha256": d}} for d, n in (line.split() for line in sys.stdin)]
json.dump({"_type": "https://in-toto.io/Statement/v1", "subject": subject, "predicateType": "https://slsa.dev/provenance/v1", "predicate": {
    "buildDefinition": {"buildType": "urn:plateau:deploy/publish.sh", "externalParameters": {"base": base},
                        "resolvedDependencies": [{"uri": "git+urn:plateau", "digest": {"gitCommit": commit}}]},
    "runDetails": {"builder": {"id": "urn:plateau:deploy/publish.sh"}}}}, sys.stdout, indent=1)
print()' "$commit" "$base" >provenance.json
sha256sum "${files[@]}" provenance.json >SHA256SUMS
cat SHA256SUMS
