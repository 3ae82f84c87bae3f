"""`grpc.health.v1.Health`: whether this worker, or one of its services, answers."""

import asyncio
from typing import TYPE_CHECKING

from fairlead.dataplane.graph.driving import drive
from fairlead.dataplane.graph.parcel import Walk
from fairlead.dataplane.surfaces.grpc.calling import Answer, Calls
from fairlead.dataplane.surfaces.grpc.streaming import Stream, streamed
from fairlead.dataplane.surfaces.models import Models
from fairlead.errors import GrpcCode, NotFound
from fairlead.protocols import protos
from fairlead.protocols.exchange import Handler
from fairlead.protocols.streaming import WATCH

if TYPE_CHECKING:
    from fairlead.dataplane.surfaces.composing import Parts

SERVICE = "grpc.health.v1.Health"
_SERVING, _NOT_SERVING, _SERVICE_UNKNOWN = (b"\x08\x01", b"\x08\x02", b"\x08\x03")
EVERY_S = 1.0


def handlers(parts: "Parts", calls: Calls, services: list[str]) -> dict[str, Handler]:
    """Paths to handlers. `services` are those that have a health of their own: that of the worker."""
    known = frozenset(("", *services))

    async def check(data: bytes, walk: Walk) -> Answer:  # noqa: ARG001 - a method's signature
        service = _asked(data)
        if service not in known:
            raise NotFound(f"there is no service {service!r}; known: {', '.join(services)}")
        return _NOT_SERVING if calls.is_draining else await _status(parts.models)

    path = f"/{SERVICE}/Check"
    return {
        path: calls.unary(path, check),
        WATCH: streamed(calls, lambda stream, _request: _Watch(stream, parts.models, known)),
    }


def _asked(data: bytes) -> str:
    return str(protos.parse("grpc.health.v1.HealthCheckRequest", data).service)


async def _status(models: Models) -> bytes:
    return _SERVING if await models.all_ready() else _NOT_SERVING


class _Watch:
    """Says the status at once, and again whenever it is another."""

    def __init__(self, stream: Stream, models: Models, known: frozenset[str]) -> None:
        self._stream = stream
        self._models = models
        self._known = known
        self._said = b""
        self._timer: asyncio.TimerHandle | None = None
        self._is_asked = False

    def take(self, message: bytes) -> None:
        if self._is_asked:
            self._stream.finish(GrpcCode.INVALID_ARGUMENT, "Watch takes one request")
            return
        self._is_asked = True
        if _asked(message) not in self._known:
            self._said = _SERVICE_UNKNOWN
            self._stream.send(_SERVICE_UNKNOWN)
            return
        self._look()

    def end(self) -> None:
        if not self._is_asked:
            self._stream.finish(GrpcCode.INVALID_ARGUMENT, "Watch takes one request, got none")

    def gone(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def drain(self) -> None:
        if self._is_asked and self._said != _SERVICE_UNKNOWN:
            self._stream.send(_NOT_SERVING)
        self._stream.leave()
        self.gone()

    def _look(self) -> None:
        def done(status: bytes | None, error: Exception | None) -> None:
            status = _NOT_SERVING if error is not None or status is None else status
            if self._stream.is_over:
                return
            if status != self._said:
                self._said = status
                self._stream.send(status)
            self._timer = asyncio.get_running_loop().call_later(EVERY_S, self._look)

        drive(_status(self._models), done)
