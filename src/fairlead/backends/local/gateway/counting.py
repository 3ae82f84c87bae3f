"""What the replicas of this machine counted, added up so that nothing is lost or counted twice.

A replica keeps its series for as long as its service is served: those of a process that ended stay at what it said
last, and a process that takes its place goes on from there. So sums over replicas are right, and rates over a sum never
jump. The replicas of one component that are gone are joined into one, `earlier-<n>`, when they are many; each time it
is a new series at its full height, which Prometheus takes for no increase. What a process counted after it was asked
last is lost when it is killed; one that drains is asked once more before it goes.

No I/O: `collecting` asks, and keeps the sums of ended processes on disk.
"""

import zlib
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import msgspec

from fairlead.dataplane.snapshots import Snapshot
from fairlead.protocols.exposition import Family, Labels, Sample

EARLIER = "earlier"
_MOST_GONE = 8
_OURS = ("namespace", "component", "revision", "replica")
_SUMMED = frozenset({"counter", "histogram", "untyped"})
_PROCESS = "worker_id"
"""Names the process, which `replica` outlives."""


class Identity(NamedTuple):
    """A replica, whatever processes it was."""

    namespace: str
    service: str
    component: str
    revision: str
    replica: str


class _Lines(NamedTuple):
    """One line's name and labels, to add up by."""

    name: str
    labels: tuple[tuple[str, str], ...]


class Sums(msgspec.Struct):
    """Families whose lines are sums, of processes that ended."""

    families: dict[str, tuple[str, str, list[Sample]]] = {}

    def add(self, families: Iterable[Family]) -> None:
        """Add what a process said last."""
        for family in families:
            kept = [sample for sample in family.samples if _is_sum(family, sample)]
            if kept:
                _, _, known = self.families.get(family.name, ("", "", []))
                self.families[family.name] = (family.kind, family.text, _added(known, kept))

    def as_families(self) -> list[Family]:
        """The same as families."""
        return [Family(name, kind, text, list(samples)) for name, (kind, text, samples) in self.families.items()]


class Replica(msgspec.Struct):
    """One replica's processes: the sums of those that ended, and what the last said, by the socket that is its own.
    What is not asked any more is kept small (measured: 1 KiB for a worker's hundred lines, 18 as they are sent),
    because deployments that come and go leave many behind."""

    ended: bytes = b""
    socket: str = ""
    last: list[Family] = []
    resting: bytes = b""
    """Its last words in place of `last`, until it speaks again: a connection may come back."""

    def sums(self) -> Sums:
        """Those of all its processes."""
        sums = msgspec.msgpack.decode(zlib.decompress(self.ended), type=Sums) if self.ended else Sums()
        if self.resting:
            sums.add(msgspec.msgpack.decode(zlib.decompress(self.resting), type=list[Family]))
        sums.add(self.last)
        return sums

    def hear(self, socket: str, families: list[Family]) -> bool:
        """Take what a process counts now; whether it took another's place."""
        is_next = bool(self.socket) and self.socket != socket
        if is_next:
            self.ended = _packed(self.sums())
        self.socket, self.last, self.resting = socket, families, b""
        return is_next

    def rest(self) -> None:
        """It is not connected."""
        if self.last:
            self.resting, self.last = _packed(self.last), []


class Ledger:
    """All replicas. `changes` counts what must not be forgotten: ends of processes."""

    def __init__(self) -> None:
        self._replicas: dict[Identity, Replica] = {}
        self.changes = 0

    def take(self, socket: str, told: Snapshot) -> None:
        """What the process behind this socket counts now."""
        identity = Identity(told.namespace, told.service, told.component, told.revision, told.replica)
        replica = self._replicas.setdefault(identity, Replica())
        self.changes += replica.hear(socket, told.families)

    def keep(self, services: set[tuple[str, str]], living: set[str]) -> None:
        """Forget services that are not among these, and join replicas that are gone where they are many."""
        self._replicas = {one: replica for one, replica in self._replicas.items() if one[:2] in services}
        gone: dict[tuple[str, str, str], list[Identity]] = {}
        for identity, replica in self._replicas.items():
            if replica.socket not in living:
                replica.rest()
                gone.setdefault(identity[:3], []).append(identity)
        for component, identities in gone.items():
            if len(identities) > _MOST_GONE:
                self._join(component, identities)

    def families(self, living: set[str]) -> list[Family]:
        """All of it with labels that say whose it is. Values that are no sums are shown only of who lives."""
        made: dict[str, Family] = {}
        for identity, replica in self._replicas.items():
            lives = replica.socket in living
            total = replica.sums()
            now = (_without_sums(family) for family in replica.last) if lives else ()
            for family in (*total.as_families(), *now):
                into = made.setdefault(family.name, Family(family.name, family.kind, family.text, []))
                into.samples += [
                    sample._replace(labels=_labelled(sample.labels, identity)) for sample in family.samples
                ]
        return list(made.values())

    def saved(self) -> bytes:
        """Everything, as bytes."""
        return msgspec.msgpack.encode(list(self._replicas.items()))

    def restore(self, saved: bytes) -> None:
        """Go on from there. Raises `msgspec.DecodeError`."""
        self._replicas = dict(msgspec.msgpack.decode(saved, type=list[tuple[Identity, Replica]]))

    def _join(self, component: tuple[str, str, str], identities: list[Identity]) -> None:
        joined = Sums()
        number = 0
        for identity in identities:
            joined.add(self._replicas.pop(identity).sums().as_families())
            before, _, count = identity.replica.rpartition("-")
            if before == EARLIER and identity.revision == EARLIER:
                number = int(count)
        self._replicas[Identity(*component, EARLIER, f"{EARLIER}-{number + 1}")] = Replica(_packed(joined))
        self.changes += 1


def _packed(value: Sums | list[Family]) -> bytes:
    return zlib.compress(msgspec.msgpack.encode(value), level=1)


def _is_sum(family: Family, sample: Sample) -> bool:
    if family.kind == "summary":
        return sample.name != family.name
    # When a process started and how much memory it has dies with it; so does the time it has used.
    return family.kind in _SUMMED and not family.name.startswith(("process_", "python_"))


def _without_sums(family: Family) -> Family:
    return Family(family.name, family.kind, family.text, [one for one in family.samples if not _is_sum(family, one)])


def _added(known: Iterable[Sample], more: Iterable[Sample]) -> list[Sample]:
    values: dict[_Lines, float] = {}
    for sample in (*known, *more):
        labels = {name: value for name, value in sample.labels.items() if name != _PROCESS}
        key = _Lines(sample.name, tuple(labels.items()))
        values[key] = values.get(key, 0) + sample.value
    return [Sample(key.name, dict(key.labels), value) for key, value in values.items()]


def _labelled(labels: Labels, identity: Identity) -> Labels:
    """The labels of a line with those that say whose it is. As in Prometheus, a label of the same name is moved out of
    the way; but `service` is a name that Seldon's metrics have had for ever, so there it stays what it is."""
    made = dict(_moved(labels, identity))
    made |= {name: getattr(identity, name) for name in _OURS}
    made.setdefault("service", identity.service)
    return made


def _moved(labels: Labels, identity: Identity) -> Iterator[tuple[str, str]]:
    for name, value in labels.items():
        if name == _PROCESS:
            continue
        is_other = name in _OURS and value != getattr(identity, name)
        yield (f"exported_{name}" if is_other else name), value
