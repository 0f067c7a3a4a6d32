#!/usr/bin/env python3
"""kube_schemas.py SWAGGER.json OUT: one strict JSON Schema a kind, as kubeconform wants them, from the API's own description
(api/openapi-spec/swagger.json in the k8s.io/kubernetes module), so that manifests are judged without a network."""
import json
import os
import sys


def strict(node):
    if isinstance(node, list):
        return [strict(x) for x in node]
    if not isinstance(node, dict):
        return node
    out = {k: strict(v) for k, v in node.items() if not k.startswith("x-kubernetes-")}
    if isinstance(out.get("$ref"), str):
        return {"$ref": "_all.json" + out["$ref"]}
    if isinstance(out.get("properties"), dict) and "type" not in out["properties"].get("properties", {}):
        out.setdefault("additionalProperties", False)
    return out


def main(swagger, folder):
    os.makedirs(folder, exist_ok=True)
    definitions = json.load(open(swagger))["definitions"]
    schemas = {name: strict(body) for name, body in definitions.items()}
    for name in schemas:  # types that are written as either kind of scalar
        if name.endswith(".IntOrString") or name.endswith(".Quantity"):
            schemas[name] = {"type": ["string", "number"]}
    json.dump({"definitions": schemas}, open(f"{folder}/_all.json", "w"))
    for name, body in definitions.items():
        kinds = body.get("x-kubernetes-group-version-kind", [])
        if len(kinds) != 1:
            continue
        kind = kinds[0]
        schema = dict(schemas[name])
        schema["properties"] = dict(schema.get("properties", {}))
        schema["properties"]["kind"] = {"enum": [kind["kind"]]}
        schema["properties"]["apiVersion"] = {"enum": ["/".join(x for x in (kind["group"], kind["version"]) if x)]}
        schema["required"] = sorted({*schema.get("required", []), "kind", "apiVersion"})
        words = [kind["kind"], kind["group"].split(".")[0], kind["version"]]
        json.dump(schema, open(f"{folder}/{'-'.join(w for w in words if w).lower()}.json", "w"))


main(*sys.argv[1:])
