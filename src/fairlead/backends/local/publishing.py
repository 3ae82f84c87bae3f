"""Hands the gateway its table, newest first: while one is on its way, changes collect in the next."""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import Protocol

from fairlead.errors import FairleadError
from fairlead.plan.routing import RouteTable

_log = logging.getLogger(__name__)
_FIRST_WAIT_S = 0.1
_LONGEST_WAIT_S = 2.0
_AGAIN_S = 15.0
"""The same table is handed over again this often: costs next to nothing, and heals a gateway that lost its own."""


class Publishes(Protocol):
    """What is needed of the gateway's client: returns when the gateway uses the table."""

    async def publish(self, table: RouteTable) -> None: ...


class Publisher:
    """`make` gives the table as it should be now; `published` is called with each one the gateway has taken."""

    def __init__(
        self, gateway: Publishes, *, make: Callable[[], RouteTable], published: Callable[[RouteTable], None]
    ) -> None:
        self._gateway, self._make, self._published = gateway, make, published
        self._wanted = asyncio.Event()
        self._last: RouteTable | None = None
        self._last_at = 0.0

    def want(self) -> None:
        """Something may have changed."""
        self._wanted.set()

    async def run(self) -> None:
        """Publish until cancelled. A gateway that does not answer is asked again."""
        wait_s = _FIRST_WAIT_S
        while True:
            await self._something_to_do()
            self._wanted.clear()
            table = self._make()
            if table == self._last and not self._is_old():
                self._published(table)
                continue
            try:
                await self._gateway.publish(table)
            except (FairleadError, OSError, EOFError, TimeoutError) as error:
                _log.warning("the gateway did not take its table: %s", error)
                self._wanted.set()
                await asyncio.sleep(wait_s)
                wait_s = min(_LONGEST_WAIT_S, wait_s * 2)
                continue
            wait_s = _FIRST_WAIT_S
            self._last, self._last_at = table, asyncio.get_running_loop().time()
            self._published(table)

    async def _something_to_do(self) -> None:
        if self._last is None:
            await self._wanted.wait()
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_AGAIN_S):
                await self._wanted.wait()

    def _is_old(self) -> bool:
        return asyncio.get_running_loop().time() - self._last_at >= _AGAIN_S
