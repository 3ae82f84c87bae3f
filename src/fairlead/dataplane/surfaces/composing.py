"""All surfaces of one worker as one handler: which protocol a request speaks is told by its path and media type.

A worker serves the protocols its revision names. A surface is imported when a worker needs it, those of gRPC when the
first call arrives: protobuf costs more to import than a cold start may take.
"""

import importlib
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple, cast, runtime_checkable
from typing import Protocol as Seam

from fairlead.dataplane.graph.executor import Executor
from fairlead.dataplane.graph.remote_unit import RemoteUnit
from fairlead.dataplane.metering import Meters
from fairlead.dataplane.spec import WorkerSpec
from fairlead.dataplane.surfaces import docs
from fairlead.dataplane.surfaces.models import Models
from fairlead.dataplane.surfaces.openai.served import may_answer
from fairlead.dataplane.surfaces.routing_table import has_room
from fairlead.dataplane.surfaces.seldon.surface import SeldonSurface, refusal
from fairlead.plan.model import Protocol
from fairlead.protocols.exchange import Handler, Reply, Request, Response
from fairlead.protocols.jsontext import compact

if TYPE_CHECKING:
    from fairlead.dataplane.graph.server_unit import ServerUnit
    from fairlead.dataplane.surfaces.grpc.surface import GrpcSurface
    from fairlead.dataplane.surfaces.whole_server import WholeServer


class Parts(NamedTuple):
    """What a surface is made of."""

    spec: WorkerSpec
    executor: Executor
    meters: Meters
    models: Models


@runtime_checkable
class Draining(Seam):
    """A surface that tells its clients when its worker stops."""

    def drain(self) -> None: ...


class _Entry(NamedTuple):
    """Where a protocol's surface is: a module with `make(parts) -> Handler`, the start of the paths it takes, and whole
    paths that are its own."""

    module: str
    prefixes: tuple[str, ...]
    paths: tuple[str, ...] = ()


_PAGE = (docs.DESCRIPTION, *docs.paths_of(docs.FOLDER))
_ENTRIES: Mapping[Protocol, _Entry] = {
    Protocol.TENSORFLOW: _Entry(
        "fairlead.dataplane.surfaces.tensorflow.surface", ("/v1/models",), ("/api/v1.0/feedback", *_PAGE)
    ),
    Protocol.RAW: _Entry("fairlead.dataplane.surfaces.inference_graph.surface", ("/",)),
    Protocol.V1: _Entry("fairlead.dataplane.surfaces.v1.surface", ("/v1",), ("/", *_PAGE)),
    Protocol.V2: _Entry("fairlead.dataplane.surfaces.v2.surface", ("/v2",), ("/route", "/aggregate")),
}
_OPENAI = "fairlead.dataplane.surfaces.openai.surface"
_GRPC = "fairlead.dataplane.surfaces.grpc.surface"
_PROGRAMS = ("container", "command")
_WHOLE = "fairlead.dataplane.surfaces.whole_server"
_GRPC_PATH = re.compile(r"/\w+(?:\.\w+)+/\w+")
"""`/package.Service/Method`; no path of the other protocols looks like it."""


class Surfaces:
    """Answers every request of one worker. It never blocks and never raises."""

    def __init__(self, spec: WorkerSpec, executor: Executor, meters: Meters) -> None:
        self._parts = Parts(spec, executor, meters, Models(spec, executor))
        # Health, metrics and, for Seldon's own protocol, everything else.
        self._base: Handler = SeldonSurface(spec, executor, meters)
        self._grpc: GrpcSurface | None = None
        self._is_draining = False
        self._by_prefix: list[tuple[str, Handler]] = []
        self._by_path: dict[str, Handler] = {}
        # OpenAI's endpoints belong to units that can answer them, whatever protocols the revision names. A graph of
        # services is asked by any path.
        self._openai: Callable[[str], Handler | None] | None = None
        self._whole: WholeServer | None = None
        server = lone_server(spec, executor)
        if server is not None:
            self._whole = importlib.import_module(_WHOLE).make(self._parts, server)
        elif spec.revision.protocol is not Protocol.RAW and may_answer(executor):
            self._openai = importlib.import_module(_OPENAI).make(self._parts)
        spoken = dict.fromkeys((spec.revision.protocol, *spec.revision.also))
        for protocol in spoken:
            entry = _ENTRIES.get(protocol)
            if entry is not None:
                handler = _made(entry.module, self._parts)
                self._by_prefix += [(prefix, handler) for prefix in entry.prefixes]
                if Protocol.SELDON not in spoken and self._whole is None:  # whose surface has most of these paths too
                    self._by_path |= dict.fromkeys(entry.paths, handler)

    def __call__(self, request: Request, reply: Reply) -> None:
        """Take one request."""
        handler = self._by_path.get(request.path)
        if handler is None:
            handler = self._find(request.path)
            if has_room(self._by_path, request.path):
                self._by_path[request.path] = handler
        handler(request, reply)

    def _find(self, path: str) -> Handler:
        whole = self._whole
        if whole is not None and whole.takes(path) and (whole.takes_all or not _GRPC_PATH.fullmatch(path)):
            return whole
        if self._openai is not None and (found := self._openai(path)) is not None:
            return found
        for prefix, handler in self._by_prefix:
            if path.startswith(prefix):
                return handler
        return self._grpc_surface() if _GRPC_PATH.fullmatch(path) else self._base

    @property
    def server(self) -> "ServerUnit | None":
        """The server that all requests are handed to, and that counts them in its own way."""
        unit = next(iter(self._parts.executor.units.values()))
        return cast("ServerUnit", unit) if self._whole is not None and self._whole.takes_all else None

    @property
    def models(self) -> Models:
        """The models that it answers for."""
        return self._parts.models

    @property
    def model_names(self) -> tuple[str, ...]:
        """What its models are called. The units of a graph of services are no models of its own."""
        is_graph = self._parts.spec.revision.protocol is Protocol.RAW
        return () if is_graph else tuple(self._parts.models.names)

    def drain(self) -> None:
        """The worker stops: what would go on for ever is to end."""
        self._is_draining = True
        for _, handler in self._by_prefix:
            if isinstance(handler, Draining):
                handler.drain()
        if self._grpc is not None:
            self._grpc.drain()

    def _grpc_surface(self) -> Handler:
        if self._grpc is None:
            self._grpc = importlib.import_module(_GRPC).make(self._parts)
            if self._is_draining:
                self._grpc.drain()
        return self._grpc


def lone_server(spec: WorkerSpec, executor: Executor) -> "RemoteUnit | ServerUnit | None":
    """The container or program that is all of a revision, and answers for itself. A graph with a drawing is Seldon's,
    whose orchestrator has paths of its own."""
    revision = spec.revision
    first = next(iter(executor.units.values()))
    if first.unit.runtime == "bento":
        return cast("ServerUnit", first)
    if len(executor.units) > 1 or not isinstance(first, RemoteUnit) or first.unit.runtime not in _PROGRAMS:
        return None
    is_ours = revision.graph.drawing is not None or revision.protocol not in (Protocol.V1, Protocol.V2)
    return None if is_ours else first


def refusal_of(protocol: Protocol) -> Callable[[int, str], Response]:
    """What a server says when it cannot take a request, in the shape that clients of the protocol read."""
    return refusal if protocol is Protocol.SELDON else _error_object


def _error_object(status: int, message: str) -> Response:
    return Response(status, b"Content-Type: application/json\r\n", compact({"error": message}))


def _made(module: str, parts: Parts) -> Handler:
    make: Callable[[Parts], Handler] = importlib.import_module(module).make
    return make(parts)
