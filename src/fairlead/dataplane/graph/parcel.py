"""A message on its way through a graph, as bytes or decoded: whichever is asked for is made once.

A step that leaves the process hands on the bytes it was given, and a step inside it the decoded message; only
where the two meet is anything converted. Several units may hold one message: who writes into it copies it first
(`runtimes` does, for the methods of users).
"""

from collections.abc import Callable
from typing import Any

import msgspec

from fairlead.dataplane.surfaces.seldon.heads import told
from fairlead.errors import FairleadError
from fairlead.protocols import jsontext, seldon_v1
from fairlead.protocols.exchange import Request
from fairlead.protocols.message import Message
from fairlead.protocols.request_forms import inflated, read_json, read_object

JSON = b"application/json"


class Parcel(msgspec.Struct, eq=False):
    """One message. `content_type` and `content_encoding` are those of `body()`. Of a verbatim one nothing is changed
    on its way to the client."""

    # A msgspec struct because each unit of a graph makes one: 0.08 us against 0.23 us for a class with __init__.
    decoded: Message | None = None
    text: bytes | None = None
    read: Callable[[], Any] | None = None
    content_type: bytes = JSON
    content_encoding: bytes = b""
    is_verbatim: bool = False

    @classmethod
    def of_request(cls, request: Request, *, limit_bytes: int) -> "Parcel":
        """What a client sent, in any of the forms a client may use."""
        head = told(request)
        if head.is_plain:
            # What `read_object` would do in the end, without its questions: 0.4 us against 1.0 us.
            return cls(text=request.body, read=lambda: read_json(request.body), content_type=head.content_type)
        return cls(
            text=request.body,
            read=lambda: read_object(request, limit_bytes=limit_bytes),
            content_type=head.content_type,
            content_encoding=head.content_encoding,
        )

    @classmethod
    def of_answer(cls, body: bytes, content_type: bytes, content_encoding: bytes, *, limit_bytes: int) -> "Parcel":
        """What a peer answered."""
        return cls(
            text=body,
            read=lambda: jsontext.loads(inflated(body, content_encoding, limit_bytes=limit_bytes)),
            content_type=content_type,
            content_encoding=content_encoding,
        )

    @classmethod
    def of_bytes(cls, body: bytes, content_type: bytes) -> "Parcel":
        """A body that a unit wrote by itself and nobody is to change."""
        return cls(text=body, read=lambda: jsontext.loads(body), content_type=content_type, is_verbatim=True)

    @property
    def is_bytes(self) -> bool:
        """Whether the message was never decoded here."""
        return self.decoded is None

    def value(self) -> Any:
        """The JSON value."""
        if self.decoded is not None:
            return seldon_v1.to_object(self.decoded)
        assert self.read is not None  # a parcel has a message, or bytes and a way to read them
        return self.read()

    def message(self) -> Message:
        """The decoded message; raises what the codec raises."""
        if self.decoded is None:
            self.decoded = seldon_v1.decode(self.value())
        return self.decoded

    def body(self) -> bytes:
        """The message as bytes."""
        if self.text is None:
            assert self.decoded is not None
            self.text = seldon_v1.encode(self.decoded)
        return self.text


class Walk:
    """One request's way through a graph: its id, the headers that travel with it, and the branches it took."""

    __slots__ = ("headers", "puid", "routing")

    def __init__(self, puid: bytes, headers: list[tuple[bytes, bytes]]) -> None:
        self.puid = puid
        self.headers = headers
        self.routing: dict[str, int] = {}


class Stopped(FairleadError):
    """A unit's failure, which ends the walk: what the client gets is in `body`, with `http` as its status."""

    reason = "UnitFailed"

    def __init__(
        self,
        unit: str,
        http: int,
        body: bytes,
        *,
        cause: str = "",
        content_type: bytes = JSON,
        content_encoding: bytes = b"",
    ) -> None:
        super().__init__(f"unit {unit!r}: {cause or f'answered {http}'}")
        self.unit = unit
        self.http = http
        self.body = body
        self.content_type = content_type
        self.content_encoding = content_encoding
