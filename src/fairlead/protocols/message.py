"""A request or answer between units: one payload and what travels with it. No wire format in sight.

Codecs decode bytes into a `Message` once and encode once; units in one worker hand messages to each other as
they are, so an array is never turned into text between two steps.
"""

from collections.abc import Callable
from enum import Enum
from typing import Any, Protocol

import msgspec
import numpy as np

# Structs of msgspec because each unit of a graph makes three. Measured: 0.23 us for the three against 0.71 us for
# slotted dataclasses.


class Form(Enum):
    """How a payload was, or is to be, written."""

    NDARRAY = "ndarray"
    TENSOR = "tensor"
    TFTENSOR = "tftensor"
    STRING = "strData"
    BINARY = "binData"
    JSON = "jsonData"
    CUSTOM = "customData"
    TENSORS = "tensors"
    EMPTY_DATA = "data"
    NONE = ""


class Payload(msgspec.Struct):
    """`value` is an ndarray for the array forms and EMPTY_DATA, `str` for STRING, `bytes` for BINARY, any JSON
    value for JSON, a list of `fairlead.protocols.tensors.Tensor` for TENSORS. `names` are column names as the sender
    gave them (any JSON value; normally a list of str)."""

    form: Form
    value: Any
    names: Any = msgspec.field(default_factory=list)

    @property
    def is_array(self) -> bool:
        """Whether `value` is an ndarray."""
        return isinstance(self.value, np.ndarray)


class Meta(msgspec.Struct):
    """What accumulates along a graph. `extra` keeps unknown keys as they arrived."""

    puid: str = ""
    tags: dict[str, Any] = {}
    routing: dict[str, int] = {}
    request_path: dict[str, str] = {}
    metrics: list[dict[str, Any]] = []


class Output(msgspec.Struct):
    """An output that a request asks for by name, with what it says of it (whether its answer is to be binary)."""

    name: str
    parameters: dict[str, Any] = {}


class Asked(msgspec.Struct):
    """What a request of the tensor protocols says besides its tensors. `id`, `model` and `version` are echoed;
    `outputs` are those wanted (none: all); `signature` and `is_columnar` are TensorFlow's. `parameters` are the
    request's own, as JSON values. `headers` are the request's, lower case, for units whose methods want them.
    `takes_pieces` says that a stream may be the answer."""

    model: str = ""
    version: str = ""
    id: str = ""
    parameters: dict[str, Any] = {}
    outputs: list[Output] = []
    signature: str = ""
    is_columnar: bool = False
    is_binary: bool = False
    headers: list[tuple[bytes, bytes]] = []
    takes_pieces: bool = False


TakePiece = Callable[[bytes | None, Exception | None], None]
"""Hears the next piece of a stream (`None`: that was all), or what went wrong."""


class Pieces(Protocol):
    """An answer's body that is made piece by piece. `first` is made already (`None`: there is none at all). The others
    are given by `next`, which blocks and has to have its turn of the unit's, when the stream `is_blocking`; else by
    `pull`, which tells on another thread."""

    is_blocking: bool
    first: bytes | None
    media_type: str

    def next(self) -> bytes | None: ...
    def pull(self, take: TakePiece) -> None: ...
    def close(self) -> None: ...


class Message(msgspec.Struct):
    """One payload with its meta.

    `raw` is the JSON object it came from or is to be sent as, when somebody works on raw messages (then the
    payload is derived from it); `status` is a status object to send beside the payload; `http_status` is what a
    unit wants the answer's code to be. `own_metrics` are those the answering unit itself reported in this call, for
    whoever counts them; `meta.metrics` may hold fewer (when clients may not see them) or more (earlier units').
    `asked` is set on requests of the tensor protocols; `response_headers` are those a unit wants its answer to carry.
    `raw_proto` is the protobuf message to hand to a method that works on raw ones, or that such a method gave.
    `pieces` is a stream that is all of the answer, for a request that takes one.
    """

    payload: Payload
    meta: Meta = msgspec.field(default_factory=Meta)
    status: dict[str, Any] | None = None
    raw: dict[str, Any] | None = None
    http_status: int = 200
    own_metrics: list[dict[str, Any]] = []
    asked: Asked | None = None
    response_headers: dict[str, str] = {}
    raw_proto: Any = None
    pieces: Pieces | None = None


class Reward(msgspec.Struct):
    """Feedback for an earlier answer. `raw` is the JSON object as it arrived, or as REST would have it; `raw_proto` is
    set when it came over gRPC."""

    request: Message | None
    response: Message | None
    truth: Message | None
    reward: float
    raw: dict[str, Any]
    raw_proto: Any = None
