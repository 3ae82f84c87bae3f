"""gRPC's conventions on top of HTTP/2, as values and bytes (grpc/grpc doc/PROTOCOL-HTTP2.md): message framing,
deadlines, the outcome's words, metadata. Protobuf is not known here; messages are bytes.

A unary answer is one `Response`: `grpc_response` or `grpc_failure`. Its `grpc-` lines leave as trailers.
"""

import base64
import binascii
import re
import zlib
from collections.abc import Iterable
from urllib.parse import unquote_to_bytes

from fairlead.errors import BadRequest, FairleadError, GrpcCode, TooLarge, UnsupportedMedia
from fairlead.protocols.exchange import Headers, Response

GRPC = b"application/grpc"
PREFIX_BYTES = 5
CONTENT_TYPE = b"content-type: application/grpc\r\n"
_OK = CONTENT_TYPE + b"grpc-status: 0\r\n"
_SECONDS = {b"H": 3600.0, b"M": 60.0, b"S": 1.0, b"m": 1e-3, b"u": 1e-6, b"n": 1e-9}
_TIMEOUT = re.compile(rb"([0-9]{1,8})([HMSmun])")
_MAX_TIMEOUT = 99_999_999  # Eight digits are all that the format has room for.
# What percent-encoding leaves as it is: printable ASCII without the percent sign.
_PLAIN = bytes(byte for byte in range(0x20, 0x7F) if byte != 0x25)
_HTTP_CODES = {
    400: GrpcCode.INTERNAL,
    401: GrpcCode.UNAUTHENTICATED,
    403: GrpcCode.PERMISSION_DENIED,
    404: GrpcCode.UNIMPLEMENTED,
    429: GrpcCode.UNAVAILABLE,
    502: GrpcCode.UNAVAILABLE,
    503: GrpcCode.UNAVAILABLE,
    504: GrpcCode.UNAVAILABLE,
}
_RESERVED = frozenset({b"te", b"content-type", b"user-agent", b"host"})


def is_grpc(content_type: bytes) -> bool:
    """Whether a request of that content type is a gRPC call (`application/grpc`, `+proto` and the like)."""
    return content_type.startswith(GRPC) and content_type[len(GRPC) : len(GRPC) + 1] in (b"", b"+", b";")


# Answers.


def grpc_response(message: bytes, headers: bytes = b"") -> Response:
    """A call's one message and success. `headers` are further complete lines (initial metadata)."""
    return Response(200, _OK + headers if headers else _OK, len(message).to_bytes(PREFIX_BYTES, "big") + message)


def grpc_failure(code: GrpcCode, message: str, headers: bytes = b"") -> Response:
    """A call that failed. Also `OK` without a message, which is how calls without answers end."""
    return Response(200, CONTENT_TYPE + headers + status_lines(code, message), b"")


def status_lines(code: GrpcCode | int, message: str = "") -> bytes:
    """The outcome as header lines: trailers of a streamed answer."""
    words = b"grpc-message: %b\r\n" % quote_message(message) if message else b""
    return b"grpc-status: %d\r\n%b" % (code, words)


def code_of(number: bytes) -> GrpcCode:
    """The code that a `grpc-status` names; UNKNOWN for what is none."""
    try:
        return GrpcCode(int(number))
    except ValueError:
        return GrpcCode.UNKNOWN


def code_of_http(status: int) -> GrpcCode:
    """What an answer without a `grpc-status` means (doc/http-grpc-status-mapping.md)."""
    return _HTTP_CODES.get(status, GrpcCode.UNKNOWN)


def quote_message(message: str) -> bytes:
    """`grpc-message` on the wire: UTF-8, percent-encoded where it is not printable ASCII."""
    raw = message.encode("utf-8", "replace")
    if not raw.translate(None, _PLAIN):
        return raw
    return b"".join(bytes((byte,)) if byte in _PLAIN else b"%%%02X" % byte for byte in raw)


def unquote_message(raw: bytes) -> str:
    """The words of a `grpc-message`; broken escapes stay as they are, as the specification asks."""
    return unquote_to_bytes(raw).decode("utf-8", "replace")


# Deadlines.


def parse_timeout(value: bytes) -> float | None:
    """Seconds, or None for what is no `grpc-timeout`."""
    match = _TIMEOUT.fullmatch(value)
    return int(match[1]) * _SECONDS[match[2]] if match is not None else None


def format_timeout(timeout_s: float) -> bytes:
    """A `grpc-timeout` that is not earlier than asked, in the finest unit that has room."""
    for unit, per_second in ((b"n", 1e9), (b"u", 1e6), (b"m", 1e3), (b"S", 1.0), (b"M", 1 / 60), (b"H", 1 / 3600)):
        count = timeout_s * per_second
        if count < _MAX_TIMEOUT:
            return b"%d%b" % (max(0, -int(-count // 1)), unit)
    return b"%dH" % _MAX_TIMEOUT


# Messages.


def frame_message(message: bytes) -> bytes:
    """One message as it stands in a stream."""
    return len(message).to_bytes(PREFIX_BYTES, "big") + message


class UnknownEncoding(UnsupportedMedia):
    """A message compressed in a way that is not read here."""

    grpc = GrpcCode.UNIMPLEMENTED


def read_message(body: bytes, *, encoding: bytes = b"", limit_bytes: int) -> bytes:
    """The one message of a unary call's whole body. `encoding` is the call's `grpc-encoding`."""
    if len(body) < PREFIX_BYTES:
        raise BadRequest(
            "a unary call holds one message; this one holds none" if not body else "a message is cut short"
        )
    size = int.from_bytes(body[1:PREFIX_BYTES], "big")
    if size > limit_bytes:
        raise TooLarge(f"the message of {size} bytes is larger than {limit_bytes} bytes")
    if len(body) != PREFIX_BYTES + size:
        more = len(body) > PREFIX_BYTES + size
        raise BadRequest("a unary call holds one message; this one holds more" if more else "a message is cut short")
    return _plain(body[0], body[PREFIX_BYTES:], encoding, limit_bytes)


def message_start(body: bytes, *, encoding: bytes, most_bytes: int) -> bytes:
    """The start of a unary call's message, inflated no further than that. The message is all here: raises `BadRequest`
    for one that is not."""
    if len(body) < PREFIX_BYTES + int.from_bytes(body[1:PREFIX_BYTES], "big") or len(body) < PREFIX_BYTES:
        raise BadRequest("a message is cut short")
    inflater = _inflater(body[0], encoding)
    if inflater is None:
        return body[PREFIX_BYTES : PREFIX_BYTES + most_bytes]
    try:
        return inflater.decompress(body[PREFIX_BYTES:], most_bytes)
    except zlib.error as error:
        raise _not_compressed(encoding, error) from error


class MessageReader:
    """The messages of a stream, from pieces of any size."""

    def __init__(self, *, encoding: bytes = b"", limit_bytes: int) -> None:
        self._encoding = encoding
        self._limit_bytes = limit_bytes
        self._partial = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """The messages that these bytes complete."""
        partial = self._partial
        partial += data
        messages = []
        position = 0
        while len(partial) - position >= PREFIX_BYTES:
            start = position + PREFIX_BYTES
            size = int.from_bytes(partial[position + 1 : start], "big")
            if size > self._limit_bytes:
                raise TooLarge(f"a message of {size} bytes is larger than {self._limit_bytes} bytes")
            if len(partial) < start + size:
                break
            message = bytes(partial[start : start + size])
            messages.append(_plain(partial[position], message, self._encoding, self._limit_bytes))
            position = start + size
        del partial[:position]
        return messages

    def end(self) -> None:
        """The stream ended; raises if it did so within a message."""
        if self._partial:
            raise BadRequest("a message is cut short")


def _plain(flag: int, message: bytes, encoding: bytes, limit_bytes: int) -> bytes:
    inflater = _inflater(flag, encoding)
    if inflater is None:
        return message
    try:
        plain = inflater.decompress(message, limit_bytes + 1)
    except zlib.error as error:
        raise _not_compressed(encoding, error) from error
    if len(plain) > limit_bytes:
        raise TooLarge(f"a message is larger than {limit_bytes} bytes when inflated")
    if not inflater.eof:
        raise BadRequest("a compressed message is cut short")
    return plain


def _inflater(flag: int, encoding: bytes) -> "zlib._Decompress | None":
    """What undoes a message's compression; `None` when it has none."""
    if flag == 0:
        return None
    if flag != 1:
        raise BadRequest(f"a message's first byte is {flag}; 0 (plain) and 1 (compressed) are known")
    if encoding in (b"", b"identity"):
        raise BadRequest("a compressed message in a call without a grpc-encoding")
    if encoding not in (b"gzip", b"deflate"):
        raise UnknownEncoding(f"grpc-encoding {encoding.decode('latin-1')} is not read here; gzip and deflate are")
    return zlib.decompressobj(31 if encoding == b"gzip" else 15)


def _not_compressed(encoding: bytes, error: zlib.error) -> BadRequest:
    return BadRequest(f"a message is not {encoding.decode()}: {error}")


# Metadata.


def read_metadata(headers: Headers) -> Headers:
    """What a caller sent as metadata, in order: `-bin` values decoded, without what HTTP and gRPC use themselves."""
    pairs = []
    for name, value in headers:
        if name[:1] == b":" or name in _RESERVED or name.startswith(b"grpc-"):
            continue
        if name.endswith(b"-bin"):
            pairs += [(name, decode_binary(part)) for part in value.split(b",")]
        else:
            pairs.append((name, value))
    return pairs


def write_metadata(pairs: Iterable[tuple[bytes, bytes]]) -> Headers:
    """The headers of metadata: `-bin` values in base64."""
    return [(name, encode_binary(value) if name.endswith(b"-bin") else value) for name, value in pairs]


def decode_binary(value: bytes) -> bytes:
    """A `-bin` value; padding may be left out."""
    value = value.strip()
    try:
        return base64.b64decode(value + b"=" * (-len(value) % 4), validate=True)
    except binascii.Error as error:
        raise BadRequest(f"binary metadata is not base64: {error}") from error


def encode_binary(value: bytes) -> bytes:
    """The same, without padding."""
    return base64.b64encode(value).rstrip(b"=")


def failure_of(error: FairleadError) -> Response:
    """An error of ours as a call's outcome."""
    return grpc_failure(error.grpc, str(error))
