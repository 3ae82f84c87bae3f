"""Tells the gateway who may ask deployments that do not answer everybody.

The registry's tokens are looked at every second, while some deployment asks for them: one that is revoked, here or by
another process, is out within that. Keys of issuers are fetched again each minute; an issuer that does not answer
keeps those it had.
"""

import asyncio
import hashlib
import logging
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Protocol

import orjson

from fairlead.backends.local.gateway.messages import Admit, KnownIssuer, KnownToken
from fairlead.errors import FairleadError
from fairlead.plan.access import Access, AccessMode
from fairlead.registry.accounts.discovery import Issuer
from fairlead.registry.accounts.people import DEFAULT
from fairlead.registry.callers import ALL_SCOPES
from fairlead.registry.db import tokens
from fairlead.registry.db.engine import Database

if TYPE_CHECKING:
    import aiohttp

_log = logging.getLogger("fairlead.control")
_TOKENS_S, _KEYS_S, _AGAIN_S = 1.0, 60.0, 15.0
SCOPES = (ALL_SCOPES, "read_cluster")
"""Any of these lets a token ask deployments."""


class Admits(Protocol):
    """What is needed of the gateway's client."""

    async def admit(self, admitted: Admit) -> None: ...


Known = Callable[[], Awaitable[Sequence[KnownToken]]]


class Doorkeeper:
    """`wanted` says what deployments ask for now, `known` which tokens there are."""

    def __init__(
        self, gateway: Admits, wanted: Callable[[], Iterable[Access]], known: Known, clock: Callable[[], float]
    ) -> None:
        self._gateway, self._wanted, self._known, self._clock = gateway, wanted, known, clock
        self._keys: dict[str, bytes] = {}
        self._last: Admit | None = None
        self._last_at = 0.0

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._follow_issuers())
            while True:
                try:
                    await self.tell()
                except FairleadError as error:
                    _log.warning("the gateway was not told who may ask: %s", error)
                    self._last = None
                await asyncio.sleep(_TOKENS_S)

    async def tell(self) -> None:
        """Tell the gateway once, if there is something to tell. The same again now and then heals a gateway that lost
        what it was told."""
        modes = {access.mode for access in self._wanted()}
        if modes <= {AccessMode.NONE} and self._last is None:
            return
        listed = tuple(await self._known()) if AccessMode.TOKEN in modes else ()
        issuers = tuple(KnownIssuer(issuer=url, keys=keys) for url, keys in sorted(self._keys.items()))
        admitted = Admit(listed, issuers)
        if admitted != self._last or self._clock() - self._last_at >= _AGAIN_S:
            await self._gateway.admit(admitted)
            self._last, self._last_at = admitted, self._clock()

    async def _follow_issuers(self) -> None:
        async with AsyncExitStack() as stack:
            issuers: dict[str, Issuer] = {}
            while True:
                urls = {access.issuer for access in self._wanted() if access.mode is AccessMode.JWT}
                for url in sorted(urls - issuers.keys()):
                    issuers[url] = Issuer(url, await stack.enter_async_context(_session()), self._clock)
                for url in urls:
                    await self._fetch(issuers[url])
                self._keys = {url: keys for url, keys in self._keys.items() if url in urls}
                await asyncio.sleep(_TOKENS_S)

    async def _fetch(self, issuer: Issuer) -> None:
        is_new = issuer.url not in self._keys
        try:
            self._keys[issuer.url] = orjson.dumps(await issuer.jwks(_KEYS_S))
        except FairleadError as error:
            if is_new:
                _log.warning("the keys of %s cannot be fetched: %s", issuer.url, error)
        except Exception:
            # An issuer is somebody else's: whatever it answers must not keep the others waiting.
            _log.exception("the keys of %s cannot be fetched", issuer.url)


def _session() -> "aiohttp.ClientSession":
    # Here, since it is a tenth of control's start, and few have issuers.
    import aiohttp

    return aiohttp.ClientSession()


def tokens_of(database: Database, owners: Collection[str], clock: Callable[[], float]) -> Known:
    """The tokens of the organization whose resources run here, and the owner's own."""
    own = [KnownToken(digest=hashlib.sha256(text.encode()).digest()) for text in owners if text]

    async def known() -> Sequence[KnownToken]:
        async with database.read() as connection:
            found = await tokens.in_force(connection, DEFAULT, clock(), SCOPES)
        return [
            *own,
            *(
                KnownToken(digest=bytes.fromhex(each.digest), namespaces=each.namespaces, expires_at=each.expires_at)
                for each in found
            ),
        ]

    return known
