"""Write which fields those parts of objects have that manifests bring along whole (pod specs, strategies, metrics), as
the newest OpenAPI description of Kubernetes says, into the one file that is checked in."""

import json
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

import kubernetes_validate  # type: ignore[import-untyped]
from kubernetes_validate.utils import latest_version  # type: ignore[import-untyped]

TARGET = Path(__file__).parents[1] / "src" / "fairlead" / "backends" / "kubernetes" / "render" / "user_fields.json"
_ROOTS = (
    "io.k8s.api.core.v1.PodSpec",
    "io.k8s.api.apps.v1.DeploymentStrategy",
    "io.k8s.api.autoscaling.v2.MetricSpec",
    "io.k8s.api.autoscaling.v2.HorizontalPodAutoscalerBehavior",
)


def table() -> dict[str, dict[str, str]]:
    """Each type that the roots lead to: its fields, and the type of each that has fields of its own (or of its items);
    empty for values and for mappings, whose keys are their users'."""
    path = files(kubernetes_validate) / "kubernetes-json-schema" / f"v{latest_version()}-local-strict"
    definitions = json.loads((path / "_definitions.json").read_text())["$defs"]
    found: dict[str, dict[str, str]] = {}
    waiting = [*_ROOTS]
    while waiting:
        name = waiting.pop()
        if _short(name) in found:
            continue
        properties = definitions[name].get("properties", {})
        types = {field: _type_of(schema, definitions) for field, schema in properties.items()}
        found[_short(name)] = {field: _short(type_name) for field, type_name in sorted(types.items())}
        waiting += [type_name for type_name in types.values() if type_name]
    return dict(sorted(found.items()))


def _type_of(schema: dict[str, Any], definitions: dict[str, Any]) -> str:
    """The name of the type that a field's value or items have; empty for one without fields."""
    schema = schema.get("items") or schema
    choices = [schema, *schema.get("anyOf", ()), *schema.get("oneOf", ())]
    names = [choice["$ref"].rpartition("/")[2] for choice in choices if "$ref" in choice]
    return next((name for name in names if definitions[name].get("properties")), "")


def _short(name: str) -> str:
    return name.rpartition(".")[2]


def text() -> str:
    """The file, a line for each type."""
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(fields)}" for name, fields in table().items())
    return f"{{\n{lines}\n}}\n"


if __name__ == "__main__":
    TARGET.write_text(text())
    sys.exit(0)
