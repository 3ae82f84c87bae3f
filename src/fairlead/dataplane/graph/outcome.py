"""An answer with its status, on its way between services: bytes, and JSON only for whoever looks.

In a graph of models a failure ends the walk. In a graph of services it is an answer like any other until a step says
that it may not be one; so it travels as a parcel does.
"""

from typing import Any

from fairlead.dataplane.graph.parcel import Parcel
from fairlead.errors import FairleadError
from fairlead.protocols import gjson
from fairlead.protocols.wire import JSON, Body

_UNREAD: Any = object()


class Outcome(Parcel, eq=False):
    """A request or an answer. `step` names the step of the graph that it is from, once it is a failure."""

    status: int = 200
    step: str = ""
    _value: Any = _UNREAD

    @classmethod
    def of(cls, data: bytes, status: int = 200, content_type: bytes = JSON) -> "Outcome":
        """What a client sent, or a peer answered."""
        return cls(bytes_=Body(data, content_type), status=status, is_answer=True)

    @property
    def data(self) -> bytes:
        """The body."""
        return b"" if self.bytes_ is None else self.bytes_.data

    @property
    def is_good(self) -> bool:
        """Whether it is no failure."""
        return 200 <= self.status < 300

    def value(self) -> Any:
        """The body as JSON, read once. Raises `ValueError` when it is none."""
        if self._value is _UNREAD:
            self._value = gjson.parse(self.data)
        return self._value

    @property
    def is_json(self) -> bool:
        """Whether the body is a JSON value."""
        try:
            self.value()
        except ValueError:
            return False
        return True


class StepFailed(FairleadError):
    """A step gave no answer, which ends the whole graph. `step` is the way to it: its node and its own name."""

    reason = "StepFailed"

    def __init__(self, step: str, cause: str, *, http: int = 500) -> None:
        super().__init__(cause)
        self.step = step
        self.http = http
