"""Which trace a request belongs to, in its headers: W3C Trace Context (`traceparent`, `tracestate`) and Zipkin's B3, as
one header or as several. No I/O, and no library: it is needed where none is installed.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum
from typing import NamedTuple

Headers = list[tuple[bytes, bytes]]
"""As `exchange` has them, which the command line need not import to read a setting."""

_PARENT = re.compile(rb"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_B3 = re.compile(rb"([0-9a-fA-F]{16}|[0-9a-fA-F]{32})-([0-9a-fA-F]{16})(?:-([01d]))?(?:-[0-9a-fA-F]{16})?")
_TRACE = re.compile(rb"[0-9a-fA-F]{16}|[0-9a-fA-F]{32}")
_SPAN = re.compile(rb"[0-9a-fA-F]{16}")
HEADERS = frozenset(
    (
        b"traceparent", b"tracestate", b"b3", b"x-b3-traceid", b"x-b3-spanid", b"x-b3-parentspanid", b"x-b3-sampled",
        b"x-b3-flags",
    )
)  # fmt: skip
"""Headers that are replaced on the way from one process to the next."""


class Propagator(StrEnum):
    """A way to write it; the names are those of OTEL_PROPAGATORS."""

    W3C = "tracecontext"
    B3 = "b3"
    B3_MULTI = "b3multi"


USUAL = (Propagator.W3C,)


class Parent(NamedTuple):
    """The span that a request comes from. `is_sampled` is `None` when its sender left that open."""

    trace_id: int
    span_id: int
    is_sampled: bool | None
    state: str = ""


def read(headers: Headers, propagators: Sequence[Propagator] = tuple(Propagator)) -> Parent | None:
    """The first that can be read, in the order of the propagators. What is malformed counts as not there."""
    found: dict[bytes, bytes] = {}
    for name, value in headers:
        if name in HEADERS:
            found.setdefault(name, value.strip())
    if not found:
        return None
    for propagator in propagators:
        parent = _READERS[propagator](found)
        if parent is not None and parent.trace_id and parent.span_id:
            return parent
    return None


def write(parent: Parent, propagators: Iterable[Propagator] = USUAL) -> Headers:
    """The headers that make this span the parent of what happens elsewhere."""
    made: Headers = []
    for propagator in propagators:
        made += _WRITERS[propagator](parent)
    return made


def _read_w3c(found: dict[bytes, bytes]) -> Parent | None:
    match = _PARENT.fullmatch(found.get(b"traceparent", b""))
    if match is None or match[1] == b"ff" or (match[1] == b"00" and match[5]):
        return None
    state = found.get(b"tracestate", b"").decode("latin-1")
    return Parent(int(match[2], 16), int(match[3], 16), bool(int(match[4], 16) & 1), state)


def _read_b3(found: dict[bytes, bytes]) -> Parent | None:
    match = _B3.fullmatch(found.get(b"b3", b""))
    if match is None:
        return None
    return Parent(int(match[1], 16), int(match[2], 16), None if match[3] is None else match[3] != b"0")


def _read_b3_multi(found: dict[bytes, bytes]) -> Parent | None:
    trace, span = found.get(b"x-b3-traceid", b""), found.get(b"x-b3-spanid", b"")
    if not _TRACE.fullmatch(trace) or not _SPAN.fullmatch(span):
        return None
    said = found.get(b"x-b3-sampled", b"").lower()
    is_sampled: bool | None = said in (b"1", b"true") if said else None
    if found.get(b"x-b3-flags") == b"1":
        is_sampled = True
    return Parent(int(trace, 16), int(span, 16), is_sampled)


def _write_w3c(parent: Parent) -> Headers:
    made = [(b"traceparent", b"00-%032x-%016x-%02x" % (parent.trace_id, parent.span_id, bool(parent.is_sampled)))]
    if parent.state:
        made.append((b"tracestate", parent.state.encode("latin-1")))
    return made


def _write_b3(parent: Parent) -> Headers:
    return [(b"b3", b"%032x-%016x-%d" % (parent.trace_id, parent.span_id, bool(parent.is_sampled)))]


def _write_b3_multi(parent: Parent) -> Headers:
    return [
        (b"x-b3-traceid", b"%032x" % parent.trace_id),
        (b"x-b3-spanid", b"%016x" % parent.span_id),
        (b"x-b3-sampled", b"%d" % bool(parent.is_sampled)),
    ]


# Zipkin's instrumentations read both forms of B3, whichever they write; so is it here.
_READERS: dict[Propagator, Callable[[dict[bytes, bytes]], Parent | None]] = {
    Propagator.W3C: _read_w3c,
    Propagator.B3: lambda found: _read_b3(found) or _read_b3_multi(found),
    Propagator.B3_MULTI: lambda found: _read_b3_multi(found) or _read_b3(found),
}
_WRITERS = {Propagator.W3C: _write_w3c, Propagator.B3: _write_b3, Propagator.B3_MULTI: _write_b3_multi}
