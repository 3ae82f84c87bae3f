"""Whether objects are what a cluster's API would take: Kubernetes' own schemas at both ends of what we support, and for
kinds of other projects small ones of ours, written from their public documentation, which know no other field.
"""

import json
from collections.abc import Iterator, Sequence
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate  # type: ignore[import-untyped]
from jsonschema.exceptions import best_match
from referencing import Registry, Resource

OLDEST, NEWEST = "1.28", "1.36"
_FOLDER = Path(__file__).parent / "schemas"
_DEFINITIONS = "https://kubernetes.io/api/_definitions.json"
_BUILT_IN = ("apps/", "autoscaling/", "policy/", "batch/", "networking.k8s.io/", "rbac.authorization.k8s.io/", "v1")


def complaints(made: dict[str, Any], *, since: str = OLDEST) -> list[str]:
    """What is wrong with an object; empty when nothing is. `since` is the first version of Kubernetes that has all of
    its fields, for manifests that ask for younger ones."""
    where = f"{made['kind']}/{made['metadata']['name']}"
    if made["apiVersion"].startswith(_BUILT_IN):
        found = [_of_kubernetes(made, version) for version in dict.fromkeys((since, NEWEST))]
        return [f"{where}: {text}" for text in found if text]
    found_errors = _validator(made["apiVersion"], made["kind"]).iter_errors(made)
    return [f"{where}: {error.json_path}: {error.message}" for error in found_errors]


def _of_kubernetes(made: dict[str, Any], version: str) -> str:
    validator = _built_in(version, made["apiVersion"], made["kind"])
    error = best_match(validator.iter_errors(made))
    if error is not None:
        return f"{version}: {error.json_path}: {error.message}"
    return next((f"{version}: {text}" for text in _repeats(made, validator.schema, version, "$")), "")


def _repeats(value: Any, schema: Any, version: str, path: str) -> Iterator[str]:
    """Items of one list with the same key, which a server-side apply refuses and a schema does not see."""
    if "$ref" in schema:
        definitions = _definitions(version).contents(_DEFINITIONS)["$defs"]
        schema = {**definitions[schema["$ref"].rpartition("/")[2]], **schema}
    if isinstance(value, list):
        keys = list(_keys(value, schema.get("x-kubernetes-list-map-keys") or ()))
        yield from (f"{path}: {key} is there twice" for key in dict.fromkeys(keys) if keys.count(key) > 1)
        for index, item in enumerate(value):
            yield from _repeats(item, schema.get("items") or {}, version, f"{path}[{index}]")
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from _repeats(item, schema.get("properties", {}).get(name, {}), version, f"{path}.{name}")


def _keys(items: list[Any], names: Sequence[str]) -> Iterator[tuple[Any, ...]]:
    """What tells the items apart; nothing of a list whose items have no key. A port that says no protocol is TCP's."""
    if names:
        yield from (tuple(item.get(name, "TCP" if name == "protocol" else None) for name in names) for item in items)


# The package itself parses two megabytes of definitions for every object, a tenth of a second each time.
@cache
def _built_in(version: str, api_version: str, kind: str) -> jsonschema.Draft202012Validator:
    group, _, of_group = api_version.partition("/")
    name = f"{kind.lower()}-{group.partition('.')[0]}" + (f"-{of_group}" if of_group else "")
    schema = json.loads((_strict(version) / f"{name}.json").read_text())
    return jsonschema.Draft202012Validator(schema, registry=_definitions(version))


@cache
def _definitions(version: str) -> Registry[Any]:
    definitions = json.loads((_strict(version) / "_definitions.json").read_text())
    return Resource[Any].from_contents(definitions) @ Registry[Any]()


def _strict(version: str) -> Traversable:
    return files(kubernetes_validate) / "kubernetes-json-schema" / f"v{version}.0-local-strict"


@cache
def _validator(api_version: str, kind: str) -> jsonschema.Draft202012Validator:
    group, _, version = api_version.partition("/")
    path = _FOLDER / f"{kind.lower()}.{group}.{version}.json"
    if not path.exists():
        raise AssertionError(f"no schema of {api_version} {kind}: write {path.name} from its documentation")
    return jsonschema.Draft202012Validator(json.loads(path.read_text()))
