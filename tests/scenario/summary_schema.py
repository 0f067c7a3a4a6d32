"""summary_schema.py SCHEMA SUMMARY…: every summary.json is what the schema says and has no field that it lacks; the schema refuses one that is not.
Readers are told that new fields may come, so the schema allows them; here, every object is closed."""
import copy, json, sys
import jsonschema

schema = json.load(open(sys.argv[1], encoding="utf-8"))
jsonschema.Draft202012Validator.check_schema(schema)


def close(node):
    if isinstance(node, dict):
        if "properties" in node and "required" in node and node.get("type") == "object": node["additionalProperties"] = False
        for child in node.values(): close(child)
    elif isinstance(node, list):
        for child in node: close(child)


close(schema)
validator = jsonschema.Draft202012Validator(schema)
failed = 0


def where(error):
    return "/".join(str(x) for x in error.absolute_path) or "the top"


for path in sys.argv[2:]:
    summary = json.load(open(path, encoding="utf-8"))
    for e in list(validator.iter_errors(summary))[:5]:
        failed = 1
        print(f"FAILED: {path}: at {where(e)}: {e.message[:300]} (coordinator/report/summary.schema.json says otherwise)")
    spoiled = {"a field that is not there": lambda s: s["answer"].pop("text"),
               "a field that nobody described": lambda s: s["points"][0].update(surprise=1),
               "a stage that counts from 0": lambda s: s["points"][0].update(stage=0),
               "a number as a text": lambda s: s["points"][0]["ttft_ms"].update(count="7"),
               "an interval of one end": lambda s: s["answer"].update(plateau_ci95=[1])}
    for what, spoil in spoiled.items():
        bad = copy.deepcopy(summary)
        spoil(bad)
        if validator.is_valid(bad):
            failed = 1
            print(f"FAILED: {path}: the schema accepts {what}")
print("checked:", len(sys.argv) - 2)
sys.exit(failed)
