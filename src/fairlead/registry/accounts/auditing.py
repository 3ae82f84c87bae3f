"""The audit log: one event for every change, written in the transaction that makes it.

So there is no change without its event and no event of a change that was undone. What failed is noted on its own.
"""

import json
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from fairlead.registry.callers import Caller
from fairlead.registry.db import Connection, events
from fairlead.registry.db.events import Event
from fairlead.registry.uids import new_uid

SUCCESS, FAILED = "success", "failed"
_NOTHING: Mapping[str, Any] = MappingProxyType({})


class Auditor:
    """Writes events. `info` is for what a reader wants to know beyond that it happened; never a secret."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock

    async def record(
        self,
        connection: Connection,
        caller: Caller,
        operation: str,
        resource_type: str,
        *,
        uid: str = "",
        name: str = "",
        cluster: str = "",
        status: str = SUCCESS,
        info: Mapping[str, Any] = _NOTHING,
    ) -> None:
        """Add one event to the transaction. `operation` is a past participle: created, pushed, deleted."""
        event = Event(
            uid=new_uid(self._clock),
            created_at=self._clock(),
            organization=caller.organization.uid,
            cluster=cluster,
            creator=caller.user.uid,
            api_token_name=caller.token_name,
            resource_type=resource_type,
            resource=uid,
            resource_name=name,
            operation_name=operation,
            status=status,
            info=json.dumps({**info, **({"address": caller.address} if caller.address else {})}),
        )
        await events.insert(connection, event)
