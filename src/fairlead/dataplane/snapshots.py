"""What a worker has counted, with who it is, for the gateway that adds up the replicas of a machine."""

import msgspec

from fairlead.dataplane.metering import Meters
from fairlead.dataplane.spec import WorkerSpec
from fairlead.protocols.exposition import Family


class Snapshot(msgspec.Struct):
    """All families of one replica."""

    namespace: str
    service: str
    component: str
    revision: str
    replica: str
    families: list[Family] = []


def snapshot(spec: WorkerSpec, meters: Meters) -> bytes:
    """The worker now, as the gateway reads it."""
    families = [family for family in meters.families() if family.samples]
    return msgspec.msgpack.encode(
        Snapshot(spec.namespace, spec.service, spec.component, spec.revision.hash, spec.replica, families)
    )
