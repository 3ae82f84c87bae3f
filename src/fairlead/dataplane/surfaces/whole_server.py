"""A worker in front of a server of somebody's own: a container or program that is all of the revision.

Such a server may answer any path in its own way (its models have names of their own, and many speak more than a
protocol of ours), so every request is handed on as it is, and so is the answer. What stays with the worker: its own
health and metrics, gRPC, copies for payload logs, and batches, which it gathers where the manifest asks for them.
"""

from time import perf_counter
from typing import TYPE_CHECKING

from fairlead.dataplane.graph.executor import Watcher
from fairlead.dataplane.surfaces.openai.copying import Copying
from fairlead.dataplane.surfaces.openai.passing import Passing, Server
from fairlead.errors import FairleadError
from fairlead.plan.model import Protocol
from fairlead.protocols.exchange import Reply, Request
from fairlead.protocols.jsontext import compact

if TYPE_CHECKING:
    from fairlead.dataplane.surfaces.composing import Parts

_OWN_PATHS = frozenset(("/metrics", "/prometheus"))


class WholeServer:
    """Hands every request to the server."""

    def __init__(self, parts: "Parts", server: Server) -> None:
        self._passing = Passing(server, parts.spec.revision.timeout_s, refused=_refused)
        self._meters = parts.meters
        self._watchers: list[Watcher] = parts.executor.watchers_of(server.unit.name)
        self._gathers = parts.spec.revision.batching is not None
        self.takes_all = parts.spec.revision.protocol is Protocol.RAW
        """It speaks no protocol of ours, so every path is its own."""

    def takes(self, path: str) -> bool:
        """Whether requests to this path go to the server, unless it is gRPC's."""
        return self.takes_all or (path not in _OWN_PATHS and not (self._gathers and path.endswith(":predict")))

    def __call__(self, request: Request, reply: Reply) -> None:
        """Take one request."""
        if self._watchers and request.method == "POST":
            reply = Copying(self._watchers, request).around(reply)
        started, verb = perf_counter(), request.method.lower()

        def count(status: int) -> None:
            self._meters.server("predictions", verb, str(status)).observe(perf_counter() - started)

        self._passing.pass_on(request, reply, count)


def make(parts: "Parts", server: Server) -> WholeServer:
    """The handler of a worker in front of this server."""
    return WholeServer(parts, server)


def _refused(error: FairleadError) -> bytes:
    return compact({"error": str(error)})
