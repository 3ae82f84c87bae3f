"""Asks every replica what it counted and answers with the whole machine's metrics.

Somebody who scrapes this gateway scrapes everything. Replicas are asked at that moment, over the connections that carry
requests; one that does not answer in time is shown with what it said last.
"""

import asyncio
import logging
import os
from collections.abc import Callable
from pathlib import Path

import msgspec

from fairlead.backends.local.gateway.counting import Ledger
from fairlead.backends.local.gateway.metering import Meters
from fairlead.backends.local.gateway.switchboard import Switchboard
from fairlead.dataplane import process_metrics
from fairlead.dataplane.snapshots import Snapshot
from fairlead.protocols.exchange import Reply, Response
from fairlead.protocols.exposition import CONTENT_TYPE, Family, write

log = logging.getLogger(__name__)

_PATIENCE_S = 2.0


class Collector:
    """Everything that is counted on this machine. `path` is a file for what replicas counted that are gone."""

    def __init__(self, switchboard: Switchboard, meters: Meters, path: Path) -> None:
        self._switchboard = switchboard
        self._meters = meters
        self._path = path
        self._ledger = Ledger()
        self._saved_changes = 0
        self._known: set[str] = set()

    def load(self) -> None:
        """Go on from what an earlier gateway kept."""
        try:
            self._ledger.restore(self._path.read_bytes())
        except FileNotFoundError:
            return
        except (OSError, msgspec.DecodeError, ValueError) as error:
            log.warning("what replicas counted before (%s) cannot be read: %s", self._path, error)

    def answer(self, reply: Reply) -> None:
        """All metrics, as soon as the replicas have told theirs."""
        links = [(replica.path, replica.link) for replica in self._switchboard.replicas() if replica.link is not None]
        waiting = {path for path, _ in links}
        timer: asyncio.TimerHandle | None = None
        has_answered = False

        def finish() -> None:
            nonlocal has_answered
            if not has_answered:
                has_answered = True
                if timer is not None:
                    timer.cancel()
                reply(Response(200, b"Content-Type: %b\r\n" % CONTENT_TYPE, self._render()))

        def told(path: str) -> Callable[[bytes | None], None]:
            def take(body: bytes | None) -> None:
                self.take(path, body)
                waiting.discard(path)
                if not waiting:
                    finish()

            return take

        if links:
            timer = asyncio.get_running_loop().call_later(_PATIENCE_S, finish)
        for path, link in links:
            link.ask_counts(told(path))
        if not links:
            finish()

    def take(self, path: str, body: bytes | None) -> None:
        """What the process behind a socket counted; nothing if it is gone or does not count."""
        if not body:
            return
        try:
            told = msgspec.msgpack.decode(body, type=Snapshot)
        except msgspec.DecodeError as error:
            log.warning("the replica at %s counts what cannot be read: %s", path, error)
            return
        self._ledger.take(path, told)

    def farewell(self, path: str, body: bytes | None) -> None:
        """What a process counted that is about to end."""
        self.take(path, body)
        self._tidy()

    def save(self) -> None:
        """Keep what must outlive this process, if there is anything new."""
        living = self._living()
        if self._ledger.changes == self._saved_changes and self._known <= living:
            return
        fresh = self._path.with_name(f"{self._path.name}.{os.getpid()}")
        try:
            fresh.write_bytes(self._ledger.saved())
            fresh.replace(self._path)
        except OSError as error:
            fresh.unlink(missing_ok=True)
            log.warning("what replicas counted cannot be written to %s: %s", self._path, error)
            return
        self._saved_changes, self._known = self._ledger.changes, living

    def _render(self) -> bytes:
        living = self._tidy()
        self.save()
        self._known |= living
        own = [*self._meters.families(), *(_of_gateway(family) for family in process_metrics.families())]
        return write(_joined([*own, *self._ledger.families(living)]))

    def _tidy(self) -> set[str]:
        """Keep little of who is gone; gives the sockets of those who are not."""
        services = {(key.namespace, key.service) for key in self._switchboard.servings}
        living = self._living()
        self._ledger.keep(services, living)
        return living

    def _living(self) -> set[str]:
        return {replica.path for replica in self._switchboard.replicas() if replica.link is not None}


def _of_gateway(family: Family) -> Family:
    samples = [one._replace(labels={**one.labels, "component": "gateway"}) for one in family.samples]
    return Family(family.name, family.kind, family.text, samples)


def _joined(families: list[Family]) -> list[Family]:
    """Each name once, as the format wants it."""
    made: dict[str, Family] = {}
    for family in families:
        if family.name in made:
            made[family.name].samples += family.samples
        else:
            made[family.name] = family
    return list(made.values())
