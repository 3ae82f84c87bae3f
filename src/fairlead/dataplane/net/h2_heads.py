"""The heads of HTTP/2 requests: from a decoded header block to the `Head` that handlers know, once for all calls
that repeat it.

What is checked here are the rules of RFC 9113 section 8 that make a request malformed. They cost nothing per call:
a head that passed is found again by its headers, and by its block's bytes before that.
"""

import re

import msgspec

from fairlead.errors import BadRequest
from fairlead.protocols.exchange import Head, Headers, Streams
from fairlead.protocols.grpc import is_grpc, parse_timeout
from fairlead.protocols.http1 import is_host

_KEPT_HEADS = 512
_KEPT_BYTES = 2048
_SHORTEST_S = 1e-6  # Nothing stands for "no deadline", so a deadline that is over already is a moment.
_PSEUDO = frozenset({b":method", b":scheme", b":path", b":authority"})
_OF_CONNECTIONS = frozenset({b"connection", b"proxy-connection", b"keep-alive", b"transfer-encoding", b"upgrade"})
_NAME = re.compile(rb"[!#$%&'*+\-.^_`|~0-9a-z]+")
_METHOD = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_PATH = re.compile(rb"[\x21-\x7e]+")
_Key = tuple[tuple[bytes, bytes], ...]
_BAD_VALUE = re.compile(rb"[\x00\r\n]|^[ \t]|[ \t]$")


class Malformed(BadRequest):
    """A request that breaks HTTP/2's own rules: its stream is reset."""


class Call(msgspec.Struct, eq=False):
    """What was worked out from a head alone. `length` is the Content-Length, -1 for none; `timeout_s` is 0 for none."""

    head: Head
    length: int
    is_grpc: bool
    timeout_s: float


class CallMemory:
    """Calls by their headers, for all connections of one server. Bounded: full means start again."""

    def __init__(self, streams: Streams | None) -> None:
        self._streams = streams
        self._calls: dict[_Key, Call] = {}
        self._timed: dict[_Key, Call] = {}
        self._seen: set[int] = set()

    def find(self, headers: Headers) -> Call:
        """The call of these headers; raises `Malformed`. Kept when it comes a second time, so that clients whose
        heads never repeat push nothing out."""
        key = tuple(headers)
        call = self._calls.get(key)
        if call is not None:
            return call
        # A client's deadline is what is left of some time, another in each call; the rest of the head repeats.
        timeouts = [value for name, value in headers if name == b"grpc-timeout"]
        if len(timeouts) == 1:
            without = _without_timeout(headers)
            known = self._timed.get(without)
            if known is not None:
                call = _with_timeout(known, timeouts[0])
            else:
                call = self._read(headers)
                self._keep(self._timed, without, call)
        else:
            call = self._read(headers)
        self._keep(self._calls, key, call)
        return call

    def _read(self, headers: Headers) -> Call:
        call = read_call(headers)
        if self._streams is not None:
            call.head.is_streamed = self._streams(call.head)
        return call

    def _keep(self, calls: dict[_Key, Call], key: _Key, call: Call) -> None:
        mark = hash(key)
        if mark not in self._seen:
            if len(self._seen) >= 8 * _KEPT_HEADS:
                self._seen.clear()
            self._seen.add(mark)
        elif sum(len(name) + len(value) for name, value in key) <= _KEPT_BYTES:
            if len(calls) >= _KEPT_HEADS:
                calls.clear()
            calls[key] = call


def read_call(headers: Headers) -> Call:
    """The head that these headers are, or `Malformed`."""
    pseudo, fields = _split(headers)
    verb = pseudo.get(b":method", b"")
    target = pseudo.get(b":path", b"")
    if not target or b":scheme" not in pseudo or not _METHOD.fullmatch(verb) or verb == b"CONNECT":
        raise Malformed("a request has :method, :scheme and :path")
    method = verb.decode("ascii")
    # What HTTP/1.1 could not carry would be another request for whoever gets it that way from us.
    if not _PATH.fullmatch(target):
        raise Malformed(":path holds what no path can hold")
    if not target.startswith(b"/") and not (target == b"*" and method == "OPTIONS"):
        raise Malformed(":path does not begin with a slash")
    path, _, query = target.partition(b"#")[0].partition(b"?")
    length = _length(fields)
    timeout_s = 0.0
    content_type = next((value for name, value in fields if name == b"content-type"), b"")
    grpc = is_grpc(content_type)
    if grpc:
        raw = next((value for name, value in fields if name == b"grpc-timeout"), None)
        timeout_s = 0.0 if raw is None else _timeout_s(raw)
    expects = any(name == b"expect" and value.lower() == b"100-continue" for name, value in fields)
    head = Head(method, path.decode("latin-1"), query, fields, length=length, expects_continue=expects)
    return Call(head, length, grpc, timeout_s)


def _without_timeout(headers: Headers) -> _Key:
    """The headers as they are with every timeout. No request has such a header, so this is no head of any."""
    return tuple([pair if pair[0] != b"grpc-timeout" else (b"grpc-timeout", b"\x00") for pair in headers])


def _with_timeout(call: Call, raw: bytes) -> Call:
    """The same call with another timeout; raises `Malformed`."""
    _check_field(b"grpc-timeout", raw)
    head = call.head
    fields = [pair if pair[0] != b"grpc-timeout" else (b"grpc-timeout", raw) for pair in head.headers]
    own = Head(
        head.method,
        head.path,
        head.query,
        fields,
        length=head.length,
        expects_continue=head.expects_continue,
        is_streamed=head.is_streamed,
    )
    return Call(own, call.length, call.is_grpc, _timeout_s(raw) if call.is_grpc else 0.0)


def _timeout_s(raw: bytes) -> float:
    """Seconds, 0 for what is no timeout."""
    asked_s = parse_timeout(raw)
    return 0.0 if asked_s is None else max(asked_s, _SHORTEST_S)


def check_trailers(headers: Headers) -> None:
    """Raises `Malformed` for trailers that no request can have."""
    for name, value in headers:
        _check_field(name, value)


def _split(headers: Headers) -> tuple[dict[bytes, bytes], Headers]:
    """Pseudo-headers, and the fields as HTTP/1.1 would have them: with a Host first and one Cookie."""
    pseudo: dict[bytes, bytes] = {}
    fields: Headers = []
    crumbs = []
    for name, value in headers:
        if name[:1] == b":":
            if name not in _PSEUDO or name in pseudo or fields or _BAD_VALUE.search(value):
                raise Malformed(f"{name.decode('latin-1')} is unknown, or came twice, or after the headers")
            pseudo[name] = value
            continue
        _check_field(name, value)
        if name == b"cookie":
            crumbs.append(value)
        else:
            fields.append((name, value))
    if crumbs:
        fields.append((b"cookie", b"; ".join(crumbs)))
    authority = pseudo.get(b":authority")
    if authority is not None:
        fields = [(b"host", authority), *(pair for pair in fields if pair[0] != b"host")]
    hosts = [value for name, value in fields if name == b"host"]
    if len(hosts) > 1 or not all(is_host(value) for value in hosts):
        raise Malformed("a request is for one host")
    return pseudo, fields


def _check_field(name: bytes, value: bytes) -> None:
    if not _NAME.fullmatch(name):
        raise Malformed(f"{name!r} is no name of an HTTP/2 header")
    if name in _OF_CONNECTIONS or (name == b"te" and value != b"trailers"):
        raise Malformed(f"HTTP/2 has no header {name.decode('latin-1')}: {value.decode('latin-1')[:40]}")
    if _BAD_VALUE.search(value):
        raise Malformed(f"the value of {name.decode('latin-1')} holds what no value can hold")


def _length(fields: Headers) -> int:
    values = {value for name, value in fields if name == b"content-length"}
    if not values:
        return -1
    value = values.pop()
    if values or not value.isdigit() or len(value) > 18:
        raise Malformed("content-length is not one decimal number")
    return int(value)
