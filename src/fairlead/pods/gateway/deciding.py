"""How many replicas each revision has: the scaler of one machine, over Deployments.

Only the gateway that leads has one. It begins with the replicas that it finds, so a new leader goes on where the last
one was; what it decides is written to the `scale` of a Deployment, again and again until it is so.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from fairlead.backends.kubernetes.operator.api import Api
from fairlead.backends.kubernetes.operator.resources import DEPLOYMENT
from fairlead.backends.local.gateway.messages import ComponentScale, Scales
from fairlead.backends.local.scaling.scaler import Scaler
from fairlead.backends.local.scaling.showing import scales_of
from fairlead.backends.local.scaling.telling import Told
from fairlead.backends.local.scaling.watching import Key, Load, Seen
from fairlead.errors import FairleadError, NotFound
from fairlead.plan.model import Component
from fairlead.pods.gateway.tables import Workload

_log = logging.getLogger(__name__)
_AGAIN_S = 1.0


@dataclass(slots=True, kw_only=True)
class Decider:
    """`clock` is in seconds and never goes back."""

    api: Api
    clock: Callable[[], float] = time.monotonic
    _scaler: Scaler = field(init=False)
    _components: dict[Key, Component] = field(default_factory=dict)
    _has: dict[Key, int] = field(default_factory=dict)
    _wanted: dict[Key, int] = field(default_factory=dict)
    _is_due: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self._scaler = Scaler(scale=self._scale, tell=_tell, clock=self.clock)

    def take(self, workloads: Iterable[Workload]) -> None:
        """What there is now."""
        found: dict[Key, Component] = {}
        for workload in workloads:
            for key, component, seen in workload.seen():
                found[key] = component
                self._look_at(key, component, seen)
        for key in self._components.keys() - found.keys():
            self._scaler.forget(key)
            self._wanted.pop(key, None)
            self._has.pop(key, None)
        self._components = found

    def _look_at(self, key: Key, component: Component, seen: Seen) -> None:
        if self._components.get(key) != component:
            self._scaler.follow(key, component)
        self._scaler.saw(key, seen)
        self._has[key] = seen.desired
        self._note(key)

    def heard(self, loads: Iterable[Load]) -> None:
        """What the gateways measured."""
        self._scaler.heard(loads)

    def scales(self) -> Scales:
        """For the metrics."""
        made: tuple[ComponentScale, ...] = tuple(scales_of(self._scaler.everything()))
        return Scales(made, (), is_whole=True)

    async def write(self) -> None:
        """Write what was decided until cancelled."""
        while True:
            await self._is_due.wait()
            self._is_due.clear()
            due = [(key, replicas) for key, replicas in self._wanted.items() if self._has.get(key) != replicas]
            if not all([await self._write_one(key, replicas) for key, replicas in due]):
                await asyncio.sleep(_AGAIN_S)
                self._is_due.set()

    def _scale(self, key: Key, replicas: int, why: str) -> None:
        _log.debug("%s: %d replicas: %s", key[1], replicas, why)
        self._wanted[key] = replicas
        self._note(key)

    def _note(self, key: Key) -> None:
        """Somebody else may have written another number since; ours counts."""
        verdict = self._wanted.get(key)
        if verdict is not None and verdict != self._has.get(key):
            self._is_due.set()

    async def _write_one(self, key: Key, replicas: int) -> bool:
        """Whether it need not be tried again."""
        _, namespace, _ = key[0].split("/", 2)
        metadata = {"name": key[1], "namespace": namespace}
        scale = {"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": metadata, "spec": {"replicas": replicas}}
        try:
            await self.api.update(DEPLOYMENT, scale, subresource="scale")
        except NotFound:
            return True
        except FairleadError as error:
            _log.warning("%s could not be scaled to %d: %s", key[1], replicas, error)
            return False
        self._has[key] = replicas
        return True


def _tell(key: Key, told: Told) -> None:
    _log.log(logging.WARNING if told.is_warning else logging.INFO, "%s: %s: %s", key[1], told.reason, told.message)
