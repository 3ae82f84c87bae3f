"""What a builder found in a bento: written as its last words, read from there into the request's status, and from the
status again. One form, so that either side can be looked up here.

`{"image", "digest", "style", "service", "bentomlVersion", "runners": [{"name", "runnableType", "modelTags"}],
"services", "models"}`; everything but the image may be missing.
"""

import json
from collections.abc import Mapping
from typing import Any

from fairlead.dialects.base import Document
from fairlead.plan.bentos import BentoFacts, BentoStyle, RunnerFacts

_HASH = "requestHash"


def parsed(text: str) -> dict[str, Any] | None:
    """A builder's last words; `None` when they are none of this form. Its log may stand before them."""
    for line in reversed(text.strip().splitlines()):
        try:
            found = json.loads(line)
        except ValueError:
            continue
        if isinstance(found, dict) and isinstance(found.get("image"), str):
            return found
    return None


def facts_in(doc: Document) -> BentoFacts | None:
    """What a request's status has of it."""
    found = (doc.get("status") or {}).get("found")
    return facts_of(found) if isinstance(found, Mapping) else None


def image_in(doc: Document) -> str:
    """The image that was made."""
    return str(((doc.get("status") or {}).get("found") or {}).get("image") or "")


def hash_in(doc: Document) -> str:
    """For which request it was found."""
    return str((doc.get("status") or {}).get(_HASH) or "")


def facts_of(found: Mapping[str, Any]) -> BentoFacts:
    """The same as values."""
    styles = {style.value: style for style in BentoStyle}
    return BentoFacts(
        style=styles.get(str(found.get("style") or ""), BentoStyle.UNKNOWN),
        service=str(found.get("service") or ""),
        bentoml_version=str(found.get("bentomlVersion") or ""),
        runners=tuple(_runner(one) for one in _list(found, "runners") if isinstance(one, Mapping)),
        services=tuple(str(one) for one in _list(found, "services")),
        models=tuple(str(one) for one in _list(found, "models")),
    )


def _runner(runner: Mapping[str, Any]) -> RunnerFacts:
    return RunnerFacts(
        name=str(runner.get("name") or ""),
        type=str(runner.get("runnableType") or ""),
        models=tuple(str(one) for one in _list(runner, "modelTags")),
    )


def _list(holder: Mapping[str, Any], name: str) -> list[Any]:
    found = holder.get(name)
    return found if isinstance(found, list) else []
