"""From what a method returned to the payload a client gets, and how meta travels through a unit.

The table is Seldon's: the kind of the value decides the kind of the payload, and for arrays the form of the request
is kept. `tests/runtimes/test_answers.py` has a test per row.
"""

import copy
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from fairlead.protocols.message import Form, Message, Meta, Payload
from fairlead.protocols.seldon_v1 import answer_form, column_names, meta_object
from fairlead.runtimes.failures import BadData, unusable

ClassNames = Callable[[], Any]


def features_of(payload: Payload) -> Any:
    """What a method gets as X: its own copy, because methods write into it and other units may hold the same
    message (a router's children, a payload logger)."""
    value = payload.value
    if isinstance(value, np.ndarray):
        return value.copy()
    if payload.form is Form.NONE:
        raise BadData(f"Invalid request data type: {value!r}")
    if isinstance(value, dict | list):
        return copy.deepcopy(value)
    return value


def data_of(payload: Payload | None) -> Any:
    """The array of a payload, and an empty one for any other kind: feedback knows arrays only."""
    if payload is None or not payload.is_array:
        return np.array([])
    return payload.value.copy()


def answer_payload(value: Any, asked: Form, class_names: ClassNames | None) -> Payload:
    """The payload for a returned value, when the request's payload had the form `asked`."""
    if isinstance(value, np.ndarray | list):
        return _array_payload(value, asked, class_names)
    if isinstance(value, str):
        return Payload(Form.STRING, value)
    if isinstance(value, dict):
        return Payload(Form.JSON, value)
    if isinstance(value, bytes | bytearray):
        return Payload(Form.BINARY, bytes(value))
    raise unusable(value)


def _array_payload(value: Any, asked: Form, class_names: ClassNames | None) -> Payload:
    array = value if isinstance(value, np.ndarray) else as_array(value)
    given = class_names() if class_names is not None and array.ndim > 1 else None
    return Payload(answer_form(asked, array), array, column_names(given, array))


def as_array(values: list[Any]) -> np.ndarray[Any, Any]:
    """A list as numpy reads it; a ragged one, which numpy refuses, as its rows."""
    try:
        return np.array(values)
    except ValueError:
        return np.array(values, dtype=object)


def meta_argument(message: Message) -> dict[str, Any] | None:
    """A message's meta as a method sees it: as it was sent (`None` when it was not), or, from another unit, with the
    names of the wire."""
    return copy.deepcopy(meta_object(message.meta) if message.raw is None else message.raw.get("meta"))


def merged_meta(
    arrived: Iterable[Meta],
    *,
    tags: Iterable[Mapping[str, Any]],
    metrics: list[dict[str, Any]],
    path: tuple[str, str] | None,
) -> Meta:
    """The meta of an answer: what arrived in order, then the unit's own. Later tags win; in the request path what
    arrived wins. Routing is not passed on: whoever walks the graph records it."""
    merged = Meta()
    if path is not None:
        merged.request_path[path[0]] = path[1]
    for meta in arrived:
        merged.puid = merged.puid or meta.puid
        merged.tags.update(meta.tags)
        merged.request_path.update(meta.request_path)
        merged.metrics.extend(meta.metrics)
    for own in tags:
        merged.tags.update(own)
    merged.metrics.extend(metrics)
    return merged
