"""Follows the objects of one kind that a selector names: a list, then a watch from there, and again.

For duties that look at a few objects of a cluster. The operator's own watches are for all objects of many kinds, and
cannot leave any out.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx2
import orjson

from fairlead.backends.kubernetes.operator.api import Api, refusal
from fairlead.backends.kubernetes.operator.resources import ResourceType
from fairlead.errors import FairleadError, Forbidden, Gone, NotFound

_log = logging.getLogger(__name__)

Json = dict[str, Any]
_LONGEST_S = 290
"""After so long a watch is begun anew; less than servers and proxies take for forgotten."""
_SILENCE_S = 330.0
_FIRST_PAUSE_S = 0.5
_LAST_PAUSE_S = 30.0


@dataclass(slots=True, kw_only=True)
class Follower:
    """`objects` are what there is now, by namespace and name; `changed` is called after each change of them."""

    api: Api
    kind: ResourceType
    changed: Callable[[], None]
    namespace: str = ""
    labels: str = ""
    fields: str = ""
    objects: dict[tuple[str, str], Json] = field(default_factory=dict)
    is_known: bool = False
    """Whether everything was listed once. What may not be read, or is not served, counts as nothing."""

    async def run(self) -> None:
        """Follow until cancelled."""
        pause_s = _FIRST_PAUSE_S
        while True:
            try:
                version = await self._list()
                pause_s = _FIRST_PAUSE_S
                while True:
                    version = await self._watch(version)
            except Gone:
                continue
            except (Forbidden, NotFound) as error:
                if not self.is_known:
                    _log.warning("%s are not looked at: %s", self.kind.plural, error)
                self._replace([])
                pause_s = _LAST_PAUSE_S
            except (FairleadError, httpx2.HTTPError) as error:
                _log.info("%s are listed again: %s", self.kind.plural, error or type(error).__name__)
            await asyncio.sleep(pause_s)
            pause_s = min(_LAST_PAUSE_S, pause_s * 2)

    async def _list(self) -> str:
        found, version = await self.api.list(self.kind, self.namespace, labels=self.labels, fields=self.fields)
        self._replace(found)
        return version

    def _replace(self, found: list[Json]) -> None:
        self.objects = {_place(doc): doc for doc in found}
        self.is_known = True
        self.changed()

    async def _watch(self, version: str) -> str:
        async for event in self._events(version):
            kind, doc = event.get("type"), event.get("object") or {}
            if kind == "ERROR":
                raise refusal(int(doc.get("code") or 500), orjson.dumps(doc))
            version = str(doc["metadata"].get("resourceVersion") or version)
            if kind == "BOOKMARK":
                continue
            if kind == "DELETED":
                self.objects.pop(_place(doc), None)
            else:
                self.objects[_place(doc)] = doc
            self.changed()
        return version

    async def _events(self, version: str) -> AsyncIterator[Json]:
        params = {
            "watch": "true",
            "resourceVersion": version,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(_LONGEST_S),
        }
        params |= {"labelSelector": self.labels} if self.labels else {}
        params |= {"fieldSelector": self.fields} if self.fields else {}
        path = self.kind.path(self.namespace)
        patience = httpx2.Timeout(10.0, read=_SILENCE_S)
        async with self.api.client.stream("GET", path, params=params, timeout=patience) as answer:
            if answer.status_code >= 300:
                raise refusal(answer.status_code, await answer.aread())
            async for line in answer.aiter_lines():
                if line:
                    yield orjson.loads(line)


def _place(doc: Mapping[str, Any]) -> tuple[str, str]:
    metadata = doc["metadata"]
    return str(metadata.get("namespace") or ""), str(metadata["name"])
