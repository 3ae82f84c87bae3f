"""`{{.Name}}` and its like in a runtime's container: Go templates over the InferenceService's metadata.

Runtimes use fields alone, so fields are all that is understood: `.Name`, `.Namespace`, `.UID`, `.Labels.key`,
`.Annotations.key` and `index .Labels "a/key"`. A template that asks for more is refused, not guessed at.
"""

import re
from collections.abc import Mapping
from typing import Any

_ACTION = re.compile(r"\{\{(-?)\s*(.*?)\s*(-?)\}\}", re.DOTALL)
_FIELD = re.compile(r"\.([A-Za-z]\w*)(?:\.(\w+))?")
_INDEX = re.compile(r"index\s+\.(Labels|Annotations)\s+\"([^\"]*)\"")
_ABSENT = "<no value>"


class NotFilled(ValueError):
    """A template that is not understood."""


def filled(value: Any, meta: Mapping[str, Any]) -> Any:
    """A JSON value with the templates in its texts replaced. `meta` is the metadata of a manifest. Raises
    `NotFilled`."""
    if isinstance(value, str):
        return _text(value, meta) if "{{" in value else value
    if isinstance(value, Mapping):
        return {key: filled(item, meta) for key, item in value.items()}
    return [filled(item, meta) for item in value] if isinstance(value, list) else value


def _text(text: str, meta: Mapping[str, Any]) -> str:
    parts: list[str] = []
    end, trims = 0, False
    for action in _ACTION.finditer(text):
        before = text[end : action.start()]
        before = before.lstrip() if trims else before
        parts += [before.rstrip() if action[1] else before, _asked(action[2], meta)]
        end, trims = action.end(), bool(action[3])
    rest = text[end:]
    if "{{" in rest:
        raise NotFilled(f"{text!r} is not a template: an action is not closed")
    return "".join((*parts, rest.lstrip() if trims else rest))


def _asked(action: str, meta: Mapping[str, Any]) -> str:
    fields = {
        "Name": meta.get("name", ""),
        "Namespace": meta.get("namespace", ""),
        "UID": meta.get("uid", ""),
        "Labels": meta.get("labels") or {},
        "Annotations": meta.get("annotations") or {},
    }
    if match := _INDEX.fullmatch(action):
        return str(fields[match[1]].get(match[2], ""))
    match = _FIELD.fullmatch(action)
    value = fields.get(match[1]) if match is not None else None
    if match is None or value is None or isinstance(value, Mapping) is (match[2] is None):
        accepted = ".Name, .Namespace, .UID, .Labels.key, .Annotations.key"
        raise NotFilled(f"{{{{{action}}}}} is not known; known are {accepted}")
    return str(value.get(match[2], _ABSENT)) if isinstance(value, Mapping) else str(value)
