"""What an installation brings along for its users: runtimes, settings, a storage container. The operator puts them
there when it starts, because its values decide what is in them, whoever installed it and by whatever tool.

They are there to be edited. An object that somebody else wrote, or changed since, is left as it is.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from fairlead.backends.kubernetes.install.cluster import Cluster, label_of
from fairlead.backends.kubernetes.operator import Operator
from fairlead.backends.kubernetes.operator.images import SEEDED
from fairlead.dialects.base import Document
from fairlead.errors import Conflict, FairleadError

_RETRY_S = 5.0
_log = logging.getLogger(__name__)


def seeded(seed: Document) -> dict[str, Any]:
    """A seed with its label."""
    metadata = seed["metadata"]
    return {**seed, "metadata": {**metadata, "labels": {**(metadata.get("labels") or {}), SEEDED: "true"}}}


def manager_in(namespace: str) -> str:
    """The field manager of the seeds of an installation. Of two installations the first has them."""
    return f"fairlead-seeds.{namespace}"


@dataclass(slots=True)
class Seeder:
    """A companion of the operator. Every replica does it, and all but the first find it done."""

    seeds: Sequence[Document]
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep
    _left: list[Document] = field(default_factory=list, init=False)
    _has_begun: bool = field(default=False, init=False)

    async def __call__(self, operator: Operator) -> None:
        """Put them there, however long it takes."""
        cluster = Cluster(operator.api.client)
        self._left, self._has_begun = [seeded(seed) for seed in self.seeds], True
        while self._left:
            try:
                await self._put(cluster, self._left[0], manager_in(operator.options.settings.namespace))
            except FairleadError as error:
                _log.warning("%s cannot be written, and is tried again: %s", label_of(self._left[0]), error)
                await self.pause(_RETRY_S)
            else:
                del self._left[0]

    def is_done(self) -> bool:
        """Whether all are there."""
        return self._has_begun and not self._left

    async def _put(self, cluster: Cluster, seed: Document, manager: str) -> None:
        try:
            verb = await cluster.apply(seed, manager=manager, is_forced=False)
        except Conflict as error:
            verb = f"kept as somebody made it: {error}"
        _log.log(logging.DEBUG if verb == "unchanged" else logging.INFO, "%s %s", label_of(seed), verb)
