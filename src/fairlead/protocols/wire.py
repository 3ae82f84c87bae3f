"""What every wire format can do, so that a graph need not know which one a request came in.

A `Wire` reads requests and answers into messages and writes messages as either. Surfaces use one for their clients,
units behind an address use one for their peers; where both are the same, bytes pass and nothing is read.
"""

from typing import NamedTuple, Protocol

from fairlead.errors import FairleadError, UnitFailed
from fairlead.plan.model import Protocol as Name
from fairlead.protocols.message import Asked, Message

JSON = b"application/json"


class Body(NamedTuple):
    """The bytes of a request or answer, with what must be known to read them. `content_encoding` is undone by whoever
    hands a body to a wire's `read_*` (they get none). `json_bytes` is the length of the JSON at the start of a body
    that goes on in binary, -1 for others."""

    data: bytes
    content_type: bytes = JSON
    content_encoding: bytes = b""
    json_bytes: int = -1


class Wire(Protocol):
    """One wire format. All methods are pure; `read_*` raise `BadRequest` for what they cannot read, naming the part."""

    name: Name
    is_grpc: bool
    """Whether bodies are protobuf messages (without gRPC's five bytes in front)."""
    is_symmetric: bool
    """Whether an answer can be sent on as a request as it stands."""

    def read_request(self, body: Body) -> Message: ...
    def read_answer(self, body: Body) -> Message: ...
    def write_request(self, message: Message) -> Body: ...

    def write_answer(self, message: Message, asked: Asked | None) -> Body:
        """The answer to a request; `asked` is the request's own, when it said anything."""

    def failure(self, error: FairleadError) -> tuple[int, bytes]:
        """Status and body of an error. For gRPC the body is empty: its words are `str(error)`, its code is
        `error.grpc`."""


class GraphFailed(UnitFailed):
    """A failure of the graph around a unit rather than of the unit's code: a peer that is gone, a branch that does
    not exist. `unit` names it; `reason_text` is a reason to show, empty for none."""

    def __init__(self, message: str, *, unit: str = "", http: int = 500, reason_text: str = "") -> None:
        super().__init__(message)
        self.unit = unit
        self.http = http
        self.reason_text = reason_text
