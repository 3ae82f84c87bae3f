"""A message on its way through a graph, as bytes or decoded: whichever is asked for is made once.

A step that leaves the process hands on the bytes it was given when its peer speaks the same wire format, and a step
inside it the decoded message; only where the two meet is anything converted. Several units may hold one message: who
writes into it copies it first (`runtimes` does, for the methods of users).
"""

import math
from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

from fairlead.dataplane.graph.driving import Later
from fairlead.errors import ClientGone, FairleadError, UnitFailed
from fairlead.protocols.exchange import Reply, when_gone
from fairlead.protocols.message import Message
from fairlead.protocols.request_forms import inflated
from fairlead.protocols.seldon_json import SELDON_JSON
from fairlead.protocols.wire import JSON, Body, Wire

__all__ = ["JSON", "Parcel", "Stopped", "Walk"]

L = TypeVar("L", bound=Later[Any])


class Parcel(msgspec.Struct, eq=False):
    """One message. `bytes_` are as they came in the format of `wire`, as an answer or as a request; `read` gives the
    decoded message of them. Of a verbatim one nothing is changed on its way to the client."""

    # A msgspec struct because each unit of a graph makes one: 0.08 us against 0.23 us for a class with __init__.
    decoded: Message | None = None
    bytes_: Body | None = None
    read: Callable[[], Message] | None = None
    wire: Wire = SELDON_JSON
    is_answer: bool = False
    is_verbatim: bool = False

    @classmethod
    def of_request(cls, wire: Wire, body: Body, *, limit_bytes: int) -> "Parcel":
        """What a client sent."""
        return cls(bytes_=body, read=lambda: wire.read_request(plain(body, limit_bytes)), wire=wire)

    @classmethod
    def of_answer(cls, wire: Wire, body: Body, *, limit_bytes: int) -> "Parcel":
        """What a peer answered."""
        return cls(bytes_=body, read=lambda: wire.read_answer(plain(body, limit_bytes)), wire=wire, is_answer=True)

    @classmethod
    def of_bytes(cls, wire: Wire, body: Body) -> "Parcel":
        """A body that a unit wrote by itself and nobody is to change."""
        return cls(bytes_=body, read=lambda: wire.read_answer(body), wire=wire, is_answer=True, is_verbatim=True)

    @property
    def is_bytes(self) -> bool:
        """Whether the message was never decoded here."""
        return self.decoded is None

    def message(self) -> Message:
        """The decoded message; raises what the codec raises."""
        if self.decoded is None:
            assert self.read is not None  # a parcel has a message, or bytes and a way to read them
            self.decoded = self.read()
        return self.decoded

    def request_body(self, wire: Wire) -> Body:
        """The message as a request in that format: the bytes as they came when they are one."""
        came = self.bytes_
        if came is not None and self.wire is wire and (wire.is_symmetric or not self.is_answer):
            return came
        return wire.write_request(self.message())

    def answer_bytes(self, wire: Wire) -> Body | None:
        """The bytes as they came, when they are an answer in that format; else `None`."""
        came = self.bytes_
        if came is None or self.wire is not wire or not (self.is_answer or wire.is_symmetric):
            return None
        return came


class Walk:
    """One request's way through a graph: its id, the headers that travel with it, the branches it took, the model that
    its path or message named (empty for none), and whether it came over gRPC.
    `batch` is the batch it was gathered into, empty for none. `entered` counts the nodes of a graph of services that it
    went into. `due` is when its caller stops waiting, by the loop's clock, once a step has asked for it."""

    __slots__ = ("batch", "due", "entered", "headers", "is_grpc", "model", "puid", "routing", "waits_for")

    def __init__(
        self, puid: bytes, headers: list[tuple[bytes, bytes]], model: str = "", *, is_grpc: bool = False
    ) -> None:
        self.puid = puid
        self.is_grpc = is_grpc
        self.headers = headers
        self.model = model
        self.batch = ""
        self.entered = 0
        self.due: float | None = None
        self.routing: dict[str, int] = {}
        self.waits_for: list[Later[Any]] | None = None

    def waiting(self, later: L) -> L:
        """The same, noted as what is to be given up when the client goes."""
        if self.waits_for is None:
            self.waits_for = [later]
        else:
            self.waits_for.append(later)
        return later

    def leave(self) -> None:
        """The client is gone: begin nothing more, and call back what others were asked."""
        given_up, self.waits_for = self.waits_for or [], None
        for later in given_up:
            later.abandon(ClientGone())

    def follow(self, reply: Reply) -> None:
        """Leave when nobody waits for the answer any more. Called once the walk was begun: most have ended by then."""
        if self.waits_for is not None:
            when_gone(reply, self.leave)


class Stopped(FairleadError):
    """A unit's failure, which ends the walk. `error` is what went wrong, for the client's protocol to word. A peer's
    own refusal is in `answer`, in the format of `wire`, with `http` as its status, and reaches clients of that format
    as it is."""

    reason = "UnitFailed"

    def __init__(
        self,
        unit: str,
        error: FairleadError,
        *,
        answer: Body | None = None,
        wire: Wire | None = None,
    ) -> None:
        super().__init__(f"unit {unit!r}: {error}")
        self.unit = unit
        self.error = error
        self.http = error.http
        self.grpc = error.grpc
        self.answer = answer
        self.wire = wire

    def worded(self, wire: Wire) -> tuple[int, Body]:
        """Status and body for a client of that format."""
        if self.answer is not None and self.wire is wire:
            return self.http, self.answer
        http, data = wire.failure(self.error)
        return http, Body(data)


class Refused(UnitFailed):
    """A peer, or a user's raw answer, said no with a status of its own."""

    def __init__(self, http: int, message: str) -> None:
        super().__init__(message)
        self.http = http


def failure_lines(error: Exception) -> bytes:
    """Header lines beside a failure's body: which unit it was, and when trying again may help."""
    lines = b""
    if isinstance(error, Stopped):
        lines = b"Fairlead-Unit: " + error.unit.encode("latin-1", "replace") + b"\r\n"
        error = error.error
    after_s: float | None = getattr(error, "after_s", None)  # of what is worth repeating, here or behind a unit
    if after_s is not None:
        lines += b"Retry-After: %d\r\n" % max(1, math.ceil(after_s))
    return lines


def plain(body: Body, limit_bytes: int) -> Body:
    """The body without its content encoding; raises `TooLarge` past the limit."""
    if not body.content_encoding:
        return body
    return body._replace(data=inflated(body.data, body.content_encoding, limit_bytes=limit_bytes), content_encoding=b"")
