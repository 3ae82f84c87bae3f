"""The ways a client may wrap a JSON object in an HTTP request.

In order: multipart/form-data, a form field or query parameter `json=`, a JSON body. gzip and deflate bodies are
inflated first, never past a limit. Everything else is "Can't find JSON in data".
"""

import base64
import re
import zlib
from typing import Any
from urllib.parse import parse_qs

from fairlead.errors import TooLarge
from fairlead.protocols import jsontext
from fairlead.protocols.exchange import Request
from fairlead.protocols.seldon_v1 import NO_JSON, BadData

_BOUNDARY = re.compile(rb'boundary=(?:"([^"]+)"|([^;\s]+))', re.IGNORECASE)
_FIELD = re.compile(rb'[;\s]name=(?:"((?:[^"\\]|\\.)*)"|([^;\s]+))', re.IGNORECASE)
_FILE_NAME = re.compile(rb"[;\s]filename\*?=", re.IGNORECASE)
_MOST_FIELDS = 1000


def read_object(request: Request, *, limit_bytes: int) -> Any:
    """The JSON value a request carries. `BadData` when there is none, `TooLarge` when it inflates past the limit."""
    content_type = request.header(b"content-type")
    body = inflated(request.body, request.header(b"content-encoding"), limit_bytes=limit_bytes)
    kind = content_type.partition(b";")[0].strip().lower()
    if kind == b"multipart/form-data":
        return _multipart(body, content_type)
    text = _json_field(kind, body, request.query)
    if text is not None:
        return read_json(text)
    if kind == b"application/json" or (kind.startswith(b"application/") and kind.endswith(b"+json")):
        return read_json(body)
    raise BadData(NO_JSON)


def inflated(body: bytes, encoding: bytes, *, limit_bytes: int) -> bytes:
    """The body without its content encoding."""
    word = encoding.strip().lower()
    if word in (b"", b"identity"):
        return body
    if word not in (b"gzip", b"x-gzip", b"deflate"):
        raise BadData(f"Content-Encoding {word.decode('latin-1')!r} cannot be read; expected gzip or deflate")
    # 32 + 15 detects gzip and zlib headers; some clients send deflate without one.
    bits = 47 if word != b"deflate" or (body[:1] and body[0] & 0x0F == 8) else -15
    inflater = zlib.decompressobj(bits)
    try:
        plain = inflater.decompress(body, limit_bytes + 1)
    except zlib.error as error:
        raise BadData(f"the body is not {word.decode()}: {error}") from error
    if len(plain) > limit_bytes:
        raise TooLarge(f"the body inflates to more than {limit_bytes} bytes")
    if not inflater.eof:
        raise BadData(f"the body is not {word.decode()}: it ends too early")
    return plain


def _json_field(kind: bytes, body: bytes, query: bytes) -> str | None:
    if kind == b"application/x-www-form-urlencoded":
        found = _parse(body).get("json")
        if found:
            return found[0]
    if b"json=" in query:
        found = _parse(query).get("json")
        if found:
            return found[0]
    return None


def _parse(pairs: bytes) -> dict[str, list[str]]:
    try:
        return parse_qs(pairs.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except ValueError as error:
        raise BadData(NO_JSON) from error


def read_json(text: str | bytes) -> Any:
    """The JSON value in a text. `BadData` when there is none."""
    try:
        return jsontext.loads(text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text)
    except ValueError as error:
        raise BadData(NO_JSON) from error


def _multipart(body: bytes, content_type: bytes) -> dict[str, Any]:
    found = _BOUNDARY.search(content_type)
    if found is None:
        raise BadData("multipart/form-data without a boundary")
    delimiter = b"\r\n--" + (found[1] or found[2])
    value: dict[str, Any] = {}
    # The first delimiter has no line break before it; the last piece is the epilogue.
    pieces = (b"\r\n" + body).split(delimiter, _MOST_FIELDS + 2)
    for piece in pieces[1:]:
        if piece.startswith(b"--"):
            return value
        head, separator, content = piece.partition(b"\r\n\r\n")
        name = _FIELD.search(head)
        if not separator or name is None:
            break
        key = (name[1] or name[2] or b"").decode("utf-8", "replace")
        value[key] = _field(key, content, is_file=_FILE_NAME.search(head) is not None)
    raise BadData("multipart/form-data ends too early or has a part without a name")


def _field(key: str, content: bytes, *, is_file: bool) -> Any:
    """Files are bytes for `binData` and text under any other name; `strData` is text; other fields are JSON."""
    if is_file and key == "binData":
        return base64.b64encode(content).decode()
    if is_file or key == "strData":
        try:
            return content.decode()
        except UnicodeDecodeError as error:
            raise BadData(f"multipart field {key!r} is not UTF-8 text") from error
    return read_json(content)
