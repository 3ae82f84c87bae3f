"""JSON as Python services write and read it: quickly where the text is plain, faithfully where it is not.

orjson refuses `NaN`, lone surrogates and deep nesting on the way in and writes NaN as null on the way out; Python's
own parser accepts all of that and clients in the field send it. So orjson does the work and the standard library
takes over for the texts that orjson cannot carry. `dumps` writes ASCII with sorted keys and a final newline, as the
Seldon wrapper does (pinned by tests/conformance/test_wrapper_transcripts.py); `compact` writes UTF-8 with
nothing that is not needed, as the servers of the tensor protocols do.
"""

import json
import re
from typing import Any

import numpy as np
import orjson

_COMPACT = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS
_OPTIONS = orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE | orjson.OPT_NON_STR_KEYS
_NOT_ASCII = re.compile(r"[^\x00-\x7f]")
_HTML = ((b"<", b"\\u003c"), (b">", b"\\u003e"), (b"&", b"\\u0026"))


def loads(body: bytes) -> Any:
    """The value in `body`; `ValueError` when there is none, in orjson's words, which clients of KServe know."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        refused = error
    try:
        return json.loads(body)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    except ValueError:
        raise refused from None


def dumps(value: Any) -> bytes:
    """`value` as ASCII JSON. Numbers that are not finite are written as Python writes them (`NaN`, `Infinity`)."""
    try:
        text = orjson.dumps(value, None, _OPTIONS)
    except TypeError:
        return _dumps_plain(value)
    # A null may be a NaN in disguise; only then is the slow writer needed to tell.
    if b"null" in text:
        return _dumps_plain(value)
    return text if text.isascii() else to_ascii(text)


def compact(value: Any) -> bytes:
    """`value` as the shortest UTF-8 JSON, keys in their order. Arrays of numpy are lists, of 32-bit floats too, whose
    digits are as few as tell them apart. Numbers that are not finite are written as Python writes them. `TypeError` for
    what JSON cannot hold."""
    try:
        text = orjson.dumps(value, _plain, _COMPACT)
    except TypeError:
        return _compact_plain(value)
    return _compact_plain(value) if b"null" in text else text


def compact_without_nan(value: Any) -> bytes:
    """`compact` with null for NaN, for clients whose JSON has none (those of KServe read with orjson)."""
    try:
        text = orjson.dumps(value, _plain, _COMPACT)
    except TypeError:
        return _compact_plain(_without_nan(value))
    # orjson writes infinities as null too, which would make them NaN; only then is the slow writer needed to tell.
    return _compact_plain(_without_nan(value)) if b"null" in text else text


def to_ascii(text: bytes) -> bytes:
    r"""JSON text with every character beyond ASCII as `\uXXXX`."""
    return _NOT_ASCII.sub(_escape, text.decode("utf-8", "surrogatepass")).encode()


def html_safe(text: bytes) -> bytes:
    """JSON text in which `<`, `>` and `&` are escaped, as Go's encoder writes them. They occur in strings only."""
    for plain, escaped in _HTML:
        if plain in text:
            text = text.replace(plain, escaped)
    return text


def _escape(match: re.Match[str]) -> str:
    return json.dumps(match.group())[1:-1]


def _dumps_plain(value: Any) -> bytes:
    try:
        return json.dumps(value, sort_keys=True, separators=(",", ":")).encode() + b"\n"
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def _compact_plain(value: Any) -> bytes:
    try:
        text = json.dumps(value, separators=(",", ":"), default=_plain, ensure_ascii=False)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    try:
        return text.encode()
    except UnicodeEncodeError:  # half a surrogate pair, which only an escape can hold
        return to_ascii(text.encode("utf-8", "surrogatepass"))


def _without_nan(value: Any) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, float) and value != value:
        return None
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    return [_without_nan(item) for item in value] if isinstance(value, list | tuple) else value


def _plain(value: Any) -> Any:
    """What stands in JSON for a value that it has no word for."""
    if isinstance(value, np.ndarray | np.generic):  # those that orjson does not take: views, other byte orders, objects
        return value.tolist()
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")
