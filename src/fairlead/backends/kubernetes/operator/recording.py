"""Events: what happened to an object, for people. Repeats are counted up, and no object can flood the rest.

What an Event says and how repeats count is as with the upstream operators (client-go's recorder): the same event again
raises its count; an object that has much to tell is cut short until it has been quiet.
"""

import hashlib
import logging
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from fairlead.backends.kubernetes.operator.api import Api
from fairlead.backends.kubernetes.operator.limiting import Bucket
from fairlead.backends.kubernetes.operator.resources import EVENT, ObjectKey
from fairlead.errors import AlreadyExists, FairleadError

_log = logging.getLogger(__name__)

Json = dict[str, Any]
_REMEMBERED = 4096
_BURST = 25
_PER_S = 1 / 60
_LONGEST_NOTE = 1024


@dataclass(slots=True)
class Recorder:
    """Writes Events, and never fails for it: they are told, not promised. `clock` gives RFC 3339 times, `now` monotonic
    seconds."""

    api: Api
    clock: Callable[[], str]
    now: Callable[[], float]
    instance: str = ""
    _written: OrderedDict[str, Json] = field(default_factory=OrderedDict)
    _budgets: OrderedDict[str, Bucket] = field(default_factory=OrderedDict)

    async def tell(
        self, doc: Mapping[str, Any], reason: str, message: str, *, source: str, is_warning: bool = False
    ) -> None:
        """Something happened to this object."""
        event = self._event(
            doc, reason, message[:_LONGEST_NOTE], source=source, type_="Warning" if is_warning else "Normal"
        )
        name = event["metadata"]["name"]
        known = self._written.get(name)
        if self._is_flooding(f"{source}/{doc['metadata'].get('uid')}"):
            return
        try:
            self._remember(name, await (self._create(event) if known is None else self._count_up(known)))
        except FairleadError as error:
            _log.debug("an Event could not be written: %s", error)

    async def _create(self, event: Json) -> Json:
        try:
            return await self.api.create(EVENT, event)
        except AlreadyExists:
            # Told by an earlier process of ours, or by another.
            metadata = event["metadata"]
            known = await self.api.get(EVENT, metadata["namespace"], metadata["name"])
            return event if known is None else await self._count_up(known)

    async def _count_up(self, known: Json) -> Json:
        metadata, count = known["metadata"], int(known.get("count") or 1) + 1
        key = ObjectKey("", "Event", metadata["namespace"], metadata["name"])
        patch: list[Json] = [
            {"op": "add", "path": "/count", "value": count},
            {"op": "add", "path": "/lastTimestamp", "value": self.clock()},
        ]
        try:
            return await self.api.patch(EVENT, key, patch)
        except FairleadError:
            # The cluster forgets Events after an hour. Then this is a first time again.
            self._written.pop(metadata["name"], None)
            kept = {name: value for name, value in metadata.items() if name in ("name", "namespace")}
            again = {
                **known,
                "metadata": kept,
                "count": 1,
                "firstTimestamp": self.clock(),
                "lastTimestamp": self.clock(),
            }
            return await self.api.create(EVENT, again)

    def _event(self, doc: Mapping[str, Any], reason: str, message: str, *, source: str, type_: str) -> Json:
        metadata = doc["metadata"]
        parts = "\0".join((str(metadata.get("uid", "")), reason, message, type_, source))
        digest = hashlib.sha256(parts.encode()).hexdigest()[:16]
        now = self.clock()
        return {
            "apiVersion": "v1",
            "kind": "Event",
            # The API takes Events of cluster-wide objects in `default` alone.
            "metadata": {
                "name": f"{metadata['name'][:230]}.{digest}",
                "namespace": metadata.get("namespace") or "default",
            },
            "involvedObject": {
                "apiVersion": doc.get("apiVersion", ""),
                "kind": doc.get("kind", ""),
                "namespace": metadata.get("namespace", ""),
                "name": metadata["name"],
                "uid": metadata.get("uid", ""),
                "resourceVersion": metadata.get("resourceVersion", ""),
            },
            "reason": reason,
            "message": message,
            "type": type_,
            "source": {"component": source},
            "reportingComponent": source,
            "reportingInstance": self.instance,
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
        }

    def _remember(self, name: str, event: Json) -> None:
        self._written[name] = event
        self._written.move_to_end(name)
        if len(self._written) > _REMEMBERED:
            self._written.popitem(last=False)

    def _is_flooding(self, about: str) -> bool:
        budget = self._budgets.get(about)
        if budget is None:
            budget = self._budgets[about] = Bucket(per_s=_PER_S, burst=_BURST, now=self.now)
            if len(self._budgets) > _REMEMBERED:
                self._budgets.popitem(last=False)
        return not budget.spare()
