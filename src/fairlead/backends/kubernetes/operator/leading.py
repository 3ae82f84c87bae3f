"""One leader at a time, by a Lease: the others keep themselves ready and write nothing.

The times are those of the upstream operators (client-go's elector): a leader that could not renew for ten seconds
stops, five seconds before anybody else may take over. Whose clock is right does not matter: a lease is old when it
has not changed for its duration, as seen from here.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from fairlead.backends.kubernetes.operator.api import Api
from fairlead.backends.kubernetes.operator.resources import LEASE
from fairlead.errors import AlreadyExists, FairleadError

_log = logging.getLogger(__name__)

Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """Seconds: how long a lease holds, how long its holder may fail to renew it, and how often it tries."""

    lease_s: float = 15.0
    renew_s: float = 10.0
    retry_s: float = 2.0


@dataclass(slots=True, kw_only=True)
class Election:
    """`identity` is ours alone. `now` is a monotonic clock, `clock` gives RFC 3339 times with microseconds."""

    api: Api
    namespace: str
    name: str
    identity: str
    now: Callable[[], float]
    clock: Callable[[], str]
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    terms: Terms = field(default_factory=Terms)
    _seen: tuple[Any, float] = (None, 0.0)
    _held: Json | None = None

    async def win(self) -> None:
        """Return when we are the leader."""
        told = ""
        while True:
            try:
                if await self.attempt():
                    _log.info("this is the leader now (%s)", self.identity)
                    return
                holder = str(((self._seen[0] or {}).get("spec") or {}).get("holderIdentity") or "nobody")
            except FairleadError as error:
                holder = f"unknown: {error}"
            if holder != told:
                _log.info("waiting to lead; the leader is %s", holder)
                told = holder
            await self.sleep(self.terms.retry_s)

    async def hold(self) -> None:
        """Renew; return when we are the leader no more."""
        renewed_at = self.now()
        while self.now() - renewed_at < self.terms.renew_s:
            await self.sleep(self.terms.retry_s)
            try:
                # A call that hangs must not outlast the lease.
                async with asyncio.timeout(max(0.1, renewed_at + self.terms.renew_s - self.now())):
                    if not await self.attempt():
                        break
                renewed_at = self.now()
            except (FairleadError, TimeoutError) as error:
                _log.warning("the lease could not be renewed: %s", str(error) or "no answer in time")
        _log.error("this is not the leader any more")

    async def release(self) -> None:
        """Let another lead at once."""
        held, self._held = self._held, None
        if held is not None:
            spec = {**held["spec"], "holderIdentity": "", "leaseDurationSeconds": 1}
            try:
                await self.api.update(LEASE, {**held, "spec": spec})
            except FairleadError as error:
                _log.debug("the lease could not be released: %s", error)

    async def attempt(self) -> bool:
        """Take the lease or renew it: whether it is ours. Raises `Conflict` when it changed meanwhile."""
        lease = await self.api.get(LEASE, self.namespace, self.name)
        try:
            if lease is None:
                self._held = await self.api.create(LEASE, self._lease(None))
            elif self._may_take(lease):
                self._held = await self.api.update(LEASE, self._lease(lease))
            else:
                return False
        except AlreadyExists:
            return False  # somebody was quicker
        return True

    def _may_take(self, lease: Json) -> bool:
        spec = lease.get("spec") or {}
        if spec.get("holderIdentity") == self.identity:
            return True
        if self._seen[0] is None or self._seen[0].get("spec") != spec:
            self._seen = (lease, self.now())
        waited_s = self.now() - self._seen[1]
        return not spec.get("holderIdentity") or waited_s >= float(
            spec.get("leaseDurationSeconds") or self.terms.lease_s
        )

    def _lease(self, before: Json | None) -> Json:
        spec = dict((before or {}).get("spec") or {})
        is_renewal = spec.get("holderIdentity") == self.identity
        now = self.clock()
        spec |= {
            "holderIdentity": self.identity,
            "leaseDurationSeconds": int(self.terms.lease_s),
            "renewTime": now,
            "acquireTime": spec.get("acquireTime") or now if is_renewal else now,
            "leaseTransitions": int(spec.get("leaseTransitions") or 0) + (0 if is_renewal or before is None else 1),
        }
        metadata = (before or {}).get("metadata") or {"name": self.name, "namespace": self.namespace}
        return {"apiVersion": LEASE.api_version, "kind": LEASE.kind, "metadata": metadata, "spec": spec}
