"""What a service is with the configurations that its `baseRefs` name: merged in their order, its own fields last.

Configurations are found in the service's namespace, or else in KServe's own. They may have Go templates over the
service (`{{ .Spec.Model.Name }}`), of which fields are understood, and `ChildName`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from fairlead.dialects.base import Document, World
from fairlead.dialects.kserve.config import NAMESPACE as SYSTEM_NAMESPACE
from fairlead.dialects.kserve.inference_service.merging import merged_specs
from fairlead.dialects.kserve.llm.schema import CONFIG_KIND, LlmSpec
from fairlead.errors import FairleadError, Retryable

_ACTION = re.compile(r"\{\{-?\s*(.*?)\s*-?\}\}", re.DOTALL)
_FIELD = re.compile(r"\.(ObjectMeta|Spec)((?:\.\w+)+)")
_CHILD = re.compile(r"ChildName\s+\.ObjectMeta\.Name\s+[`\"]([^`\"]*)[`\"]")
_LONGEST = 63


class ConfigNotFound(Retryable):
    """A `baseRefs` entry names a configuration that is not there."""

    reason = "ConfigNotFound"

    def __init__(self, name: str, namespace: str) -> None:
        super().__init__(f"{CONFIG_KIND} {name} not found in namespaces {namespace} and {SYSTEM_NAMESPACE}")


class NotCombined(FairleadError):
    """Configurations and service together make no manifest."""

    reason = "CombineBaseError"


@dataclass(frozen=True, slots=True, kw_only=True)
class Combined:
    """A spec with everything below it, and the configurations that it is made of, as (namespace, name)."""

    spec: Mapping[str, Any]
    applied: tuple[tuple[str, str], ...] = ()


def combined(doc: Document, world: World) -> Combined:
    """The whole spec. Raises `ConfigNotFound` and `NotCombined`."""
    namespace = doc["metadata"].get("namespace", "")
    spec: Mapping[str, Any] = {}
    applied = []
    for reference in (doc.get("spec") or {}).get("baseRefs") or ():
        found = _config(str(reference.get("name", "")), namespace, world)
        spec = merged_specs(spec, {key: value for key, value in found["spec"].items() if key != "baseRefs"})
        applied.append((str(found["metadata"].get("namespace", "")), str(found["metadata"]["name"])))
    own = doc.get("spec") or {}
    below = _without_rival(spec, own)
    whole = merged_specs(below, own)
    if below.get("template"):
        whole = {**whole, "template": _filled(whole["template"], doc, whole)}
    return Combined(spec=whole, applied=tuple(applied))


def _without_rival(below: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """A service's own number of replicas replaces a configuration's scaling, and the other way round."""
    dropped = {"scaling"} if "replicas" in own else {"replicas"} if "scaling" in own else set()
    return {key: value for key, value in below.items() if key not in dropped}


def _config(name: str, namespace: str, world: World) -> Document:
    for place in (namespace, SYSTEM_NAMESPACE):
        found = world.get(CONFIG_KIND, place, name)
        if found is not None:
            return found
    raise ConfigNotFound(name, namespace)


def _filled(value: Any, doc: Document, spec: Mapping[str, Any]) -> Any:
    if isinstance(value, str):
        return _ACTION.sub(lambda match: _asked(match[1], doc, spec), value) if "{{" in value else value
    if isinstance(value, Mapping):
        return {key: _filled(item, doc, spec) for key, item in value.items()}
    return [_filled(item, doc, spec) for item in value] if isinstance(value, list) else value


def _asked(action: str, doc: Document, spec: Mapping[str, Any]) -> str:
    name = str(doc["metadata"]["name"])
    if child := _CHILD.fullmatch(action):
        return f"{name}{child[1]}"[-_LONGEST:]
    match = _FIELD.fullmatch(action)
    found: Any = None
    if match is not None:
        found = doc["metadata"] if match[1] == "ObjectMeta" else {**spec, "model": {"name": name, **_model(spec)}}
        for part in match[2].removeprefix(".").split("."):
            # Go's fields are JSON's with other capitals.
            keys = {key.lower(): key for key in found} if isinstance(found, Mapping) else {}
            found = found[keys[part.lower()]] if part.lower() in keys else None
    if not isinstance(found, str | int | float):
        raise NotCombined(
            f"{{{{ {action} }}}} is not known in a configuration; known are fields of .ObjectMeta and .Spec, "
            "and ChildName .ObjectMeta.Name `suffix`"
        )
    return str(found)


def _model(spec: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in (spec.get("model") or {}).items() if value is not None}


def typed(spec: Mapping[str, Any]) -> LlmSpec:
    """A combined spec, typed. Raises `NotCombined` for what its parts, each right by itself, make together."""
    try:
        return LlmSpec.model_validate(dict(spec))
    except ValidationError as error:
        first = error.errors()[0]
        raise NotCombined(f"spec.{'.'.join(map(str, first['loc']))}: {first['msg']}") from error
