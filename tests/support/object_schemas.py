"""Whether objects are what a cluster's API would take: Kubernetes' own schemas at both ends of what we support, and for
kinds of other projects small ones of ours, written from their public documentation, which know no other field.
"""

import json
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate  # type: ignore[import-untyped]

VERSIONS = ("1.28", "1.36")
_FOLDER = Path(__file__).parent / "schemas"
_BUILT_IN = ("apps/", "autoscaling/", "policy/", "batch/", "networking.k8s.io/", "rbac.authorization.k8s.io/", "v1")


def complaints(made: dict[str, Any]) -> list[str]:
    """What is wrong with an object; empty when nothing is."""
    where = f"{made['kind']}/{made['metadata']['name']}"
    if made["apiVersion"].startswith(_BUILT_IN):
        found = [_of_kubernetes(made, version) for version in VERSIONS]
        return [f"{where}: {text}" for text in found if text]
    found_errors = _validator(made["apiVersion"], made["kind"]).iter_errors(made)
    return [f"{where}: {error.json_path}: {error.message}" for error in found_errors]


def _of_kubernetes(made: dict[str, Any], version: str) -> str:
    try:
        kubernetes_validate.validate(made, version, strict=True)
    except kubernetes_validate.ValidationError as error:
        return f"{version}: {'.'.join(map(str, error.path))}: {error.message}"
    return ""


@cache
def _validator(api_version: str, kind: str) -> jsonschema.Draft202012Validator:
    group, _, version = api_version.partition("/")
    path = _FOLDER / f"{kind.lower()}.{group}.{version}.json"
    if not path.exists():
        raise AssertionError(f"no schema of {api_version} {kind}: write {path.name} from its documentation")
    return jsonschema.Draft202012Validator(json.loads(path.read_text()))
