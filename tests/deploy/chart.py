"""Renders the chart as Helm does, and checks what comes out against the API's schemas: chart.py CHART VALUES

VALUES is JSON. Prints {"lint": [message…], "error": text or null, "notes": text, "objects": [manifest…], "invalid": [text…]}. Kinds that
are not Kubernetes' own have no schema here and are left to whoever reads the objects.
"""

import json
import sys

import helm_python
import kubernetes_validate
import yaml

OLDEST, NEWEST = "1.25", "1.37"


def main(path: str, values: dict) -> dict:
    lint = [message["error"] for message in helm_python.lint(path, values, strict=True)["messages"] if message["severity"] > 1]
    found = {"lint": lint, "error": None, "notes": "", "objects": [], "invalid": []}
    with helm_python.Chart.load(path) as chart:
        try:
            # Helm validates values before it renders.
            chart.validate_schema(values)
            rendered = chart.render(values, name="shop", namespace="crm")
        except helm_python.HelmError as error:
            found["error"] = str(error)
            return found
    for name, text in sorted(rendered.items()):
        if name.endswith("NOTES.txt"):
            found["notes"] = text
            continue
        found["objects"] += [document for document in yaml.safe_load_all(text) if document]
    for manifest in found["objects"]:
        if "." in manifest["apiVersion"].split("/")[0] and not manifest["apiVersion"].split("/")[0].endswith("k8s.io"):
            continue
        for version in (OLDEST, NEWEST):
            try:
                kubernetes_validate.validate(manifest, version, strict=True)
            except (kubernetes_validate.ValidationError, kubernetes_validate.SchemaNotFoundError) as error:
                found["invalid"].append(f"{manifest['kind']} by {version}: {error}")
    return found


print(json.dumps(main(sys.argv[1], json.loads(sys.argv[2]))))
