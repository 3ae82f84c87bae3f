"""What a worker has counted, with who it is, for the gateway that adds up the replicas of a machine. In front of a
server that counts in its own way, what that one counted too."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import msgspec

from fairlead.dataplane.graph.driving import drive
from fairlead.dataplane.metering import Meters
from fairlead.dataplane.spec import WorkerSpec
from fairlead.errors import UnitFailed
from fairlead.protocols.exposition import Family, read

if TYPE_CHECKING:
    from fairlead.dataplane.graph.server_unit import ServerUnit

_WITHIN_S = 1.5
"""The gateway waits a little longer than this for what its replicas counted."""

Tell = Callable[[bytes], None]


class Snapshot(msgspec.Struct):
    """All families of one replica."""

    namespace: str
    service: str
    component: str
    revision: str
    replica: str
    families: list[Family] = []


def counted_by(spec: WorkerSpec, meters: Meters, server: "ServerUnit | None") -> Callable[[Tell], None]:
    """What hands the counts to whoever asks. Those of a server are at `/metrics`; one that does not answer in time has
    none."""

    def at_once(tell: Tell) -> None:
        tell(snapshot(spec, meters))

    def with_the_servers(tell: Tell) -> None:
        assert server is not None
        drive(_of_server(server), lambda more, _: tell(snapshot(spec, meters, more or ())))

    return at_once if server is None else with_the_servers


async def _of_server(server: "ServerUnit") -> list[Family]:
    try:
        answer = await server.peer.call("GET", "/metrics", [], b"", timeout_s=_WITHIN_S)
    except UnitFailed:
        return []
    return read(answer.body.decode("utf-8", "replace")) if answer.status == 200 else []


def snapshot(spec: WorkerSpec, meters: Meters, more: Iterable[Family] = ()) -> bytes:
    """The worker now, as the gateway reads it."""
    families = [family for family in (*meters.families(), *more) if family.samples]
    return msgspec.msgpack.encode(
        Snapshot(spec.namespace, spec.service, spec.component, spec.revision.hash, spec.replica, families)
    )
