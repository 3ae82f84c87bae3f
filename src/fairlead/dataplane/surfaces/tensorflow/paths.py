"""TensorFlow Serving's paths, with the forms that Seldon's orchestrator takes besides."""

import re
from typing import NamedTuple
from urllib.parse import unquote

_WHERE = r"/v1/models(?:/(?P<model>[^/:]+))?(?:/versions/(?P<version>[^/:]+)|/labels/(?P<label>[^/:]+))?"
_ASK = re.compile(_WHERE + r"/?:(?P<verb>predict|classify|regress)")
_LOOK = re.compile(_WHERE + r"(?P<metadata>/metadata)?")


class Target(NamedTuple):
    """What a path asks for: a model (empty: the only one), a version or label of it (empty: the newest), and what to
    do: a verb, `metadata`, or nothing for its state."""

    model: str
    version: str
    label: str
    verb: str


def asked(path: str) -> Target | None:
    """The model and verb of a POST, `None` for other paths."""
    found = _ASK.fullmatch(path)
    return None if found is None else _target(found, found["verb"])


def looked_at(path: str) -> Target | None:
    """The model whose state or metadata a GET asks for, `None` for other paths."""
    found = _LOOK.fullmatch(path)
    return None if found is None or not found["model"] else _target(found, (found["metadata"] or "").removeprefix("/"))


def _target(found: "re.Match[str]", verb: str) -> Target:
    model, version, label = (unquote(found[name] or "") for name in ("model", "version", "label"))
    return Target(model, version, label, verb)
