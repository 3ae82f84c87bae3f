"""A service whose code was loaded into this worker: asked with the bytes of a request, as its surface would be over a
wire, without one."""

import asyncio
from collections.abc import Callable
from urllib.parse import urlsplit

from fairlead.dataplane.graph.asked_unit import AskedUnit
from fairlead.dataplane.graph.driving import Later, within
from fairlead.dataplane.graph.outcome import Outcome
from fairlead.dataplane.graph.parcel import Parcel, Stopped, Walk
from fairlead.dataplane.graph.remote import PeerFailed
from fairlead.dataplane.graph.units import LocalUnit
from fairlead.errors import GrpcCode
from fairlead.plan.model import Method, Unit
from fairlead.protocols.exchange import Handler, LiveReply, Request, Response
from fairlead.protocols.wire import JSON, Body

_TYPE = b"content-type: "


class InnerService(AskedUnit):
    """One of them. `handler` is all of its surfaces; `code` is what they ask."""

    def __init__(self, unit: Unit, handler: Handler, code: LocalUnit, *, timeout_s: float | None) -> None:
        super().__init__(unit)
        url = urlsplit(unit.url)
        self._url = unit.url
        self._path, self._query = url.path, url.query.encode()
        self._handler = handler
        self._code = code
        self._timeout_s = timeout_s

    async def call(self, method: Method, parcel: Parcel, walk: Walk) -> Outcome:  # noqa: ARG002 - there is one
        """The service's answer, whatever its status."""
        assert isinstance(parcel, Outcome)  # as the surface of such graphs makes
        headers = [pair for pair in walk.headers if pair[0] != b"content-encoding"]
        if not any(name == b"content-type" for name, _ in headers):
            headers.append((b"content-type", JSON))
        answer = walk.waiting(_Answer())
        self._handler(Request("POST", self._path, self._query, headers, parcel.data), answer)
        response = await within(answer, self._timeout_s, asyncio.get_running_loop().call_later, self._late)
        return Outcome(bytes_=Body(response.body, _type_of(response)), status=response.status, is_answer=True)

    async def is_ready(self) -> bool:
        """Whether the code answers."""
        return await self._code.is_ready()

    def close(self) -> None:
        """Let the code go."""
        self._code.close()

    def _late(self) -> Stopped:
        words = f'Post "{self._url}": context deadline exceeded (Client.Timeout exceeded while awaiting headers)'
        return Stopped(self.unit.name, PeerFailed(words, GrpcCode.DEADLINE_EXCEEDED))


class _Answer(Later[Response], LiveReply):
    """The reply that an inner handler calls. Whoever waits no more calls it off."""

    __slots__ = ("on_gone",)

    def __init__(self) -> None:
        super().__init__()
        self.on_gone: Callable[[], None] | None = None

    def __call__(self, response: Response) -> None:
        self.resolve(response)

    @property
    def is_wanted(self) -> bool:
        """As `LiveReply` has it."""
        return not self.is_settled and not self.is_abandoned

    def abandon(self, error: Exception) -> None:
        super().abandon(error)
        if self.on_gone is not None:
            self.on_gone()


def _type_of(response: Response) -> bytes:
    lines = response.headers.split(b"\r\n")
    return next((line[len(_TYPE) :] for line in lines if line.lower().startswith(_TYPE)), b"")
