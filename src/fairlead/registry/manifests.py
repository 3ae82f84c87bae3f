"""The little that the registry reads in manifests, which it keeps as they came."""

import json
from dataclasses import dataclass
from typing import Any

from fairlead.errors import BadRequest

_OURS = "bentoml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a manifest says of its version. `is_elsewhere`: the bytes are in a registry of somebody else's, such as
    Hugging Face's, so none are ever uploaded. `models` are the tags that a bento names."""

    module: str = ""
    size_bytes: int = 0
    is_elsewhere: bool = False
    models: tuple[tuple[str, str], ...] = ()


def read(manifest: str) -> Facts:
    """Facts of a manifest's text. Raises BadRequest for what is not JSON."""
    try:
        value = json.loads(manifest)
    except ValueError:
        raise BadRequest("manifest is not JSON") from None
    if not isinstance(value, dict):
        return Facts()
    metadata = value.get("metadata")
    registry = metadata.get("registry") if isinstance(metadata, dict) else None
    return Facts(
        module=_text(value.get("module")),
        size_bytes=_size(value.get("size_bytes")),
        is_elsewhere=isinstance(registry, str) and registry not in ("", _OURS),
        models=_models(value),
    )


def _models(manifest: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    """Tags named for the bento, or by one of its services. Up to 1.2 a tag is text, later an object may hold it."""
    listed = [manifest, *(service for service in _list(manifest.get("services")) if isinstance(service, dict))]
    tags = [_tag(model) for part in listed for model in _list(part.get("models"))]
    return tuple(dict.fromkeys(tag for tag in tags if tag is not None))


def _tag(model: Any) -> tuple[str, str] | None:
    text = model.get("tag") if isinstance(model, dict) else model
    name, colon, version = _text(text).partition(":")
    return (name, version) if name and colon and version else None


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _size(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**62 else 0
