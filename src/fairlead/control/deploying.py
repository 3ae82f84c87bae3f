"""The objects of this machine as a place for deployments of the registry (`registry.deploying.Place`).

What it writes goes through the same checks as what comes over the API, under a field manager of its own, and its
namespace is made as `fairlead apply` makes it.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import suppress
from copy import deepcopy
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from fairlead.control import faults
from fairlead.control.api import validation
from fairlead.control.api.admitting import Admission, admit
from fairlead.control.api.ownership import Writer, after_update
from fairlead.control.api.pod_logs import LogQuery, PodSource
from fairlead.control.api.resources import Resource, Resources
from fairlead.control.builder_lines import with_builder_lines
from fairlead.control.building_pods import build_log, builder_pods
from fairlead.control.ledger import Document
from fairlead.control.selectors import Requirement, Selector
from fairlead.control.store import NAMESPACE, Store
from fairlead.dialects.bento.deployment.lower import path_to
from fairlead.dialects.bento.network import MAGIC_DNS
from fairlead.errors import AlreadyExists, NotFound
from fairlead.registry.deploying.place import POD, REQUEST, LogPart

MANAGER = "fairlead-registry"
_ATTEMPTS = 8
# A replica that has just begun has written nothing yet.
_LOOKS_EVERY_S = 0.2


class StoredPlace:
    """Over the store. `now` gives times for field managers; `data_url` is where the gateway answers, `logs` where
    builders of images write."""

    def __init__(
        self,
        store: Store,
        resources: Resources,
        admission: Admission,
        pods: PodSource,
        *,
        now: Callable[[], str],
        data_url: str = "",
        logs: Path | None = None,
    ) -> None:
        self._store = store
        self._by_kind = {resource.kind.kind: resource for resource in resources if resource.stored is None}
        self._admission = admission
        self._pods = pods
        self._now = now
        self._data_url = data_url
        self._logs = logs

    async def get(self, kind: str, namespace: str, name: str) -> Document | None:
        """One object, if it is there."""
        with suppress(NotFound):
            return await self._store.get(self._by_kind[kind].storage, namespace, name)
        return None

    async def list(
        self, kind: str, namespace: str | None = None, labels: Mapping[str, str] | None = None
    ) -> Sequence[Document]:
        """All of a kind; pods of builders are made up from the requests that they work for."""
        listing = await self._store.list(self._by_kind[kind].storage, namespace, _selector(labels))
        if kind != POD:
            return listing.items
        requests = (await self._store.list(self._by_kind[REQUEST].storage, namespace)).items
        made_up = [pod for pod in builder_pods(requests) if _has(pod, labels)]
        return [*listing.items, *made_up]

    async def put(self, document: Mapping[str, Any]) -> Document:
        """Create an object with its namespace, or give it this spec (or data), annotations and labels."""
        resource = self._by_kind[document["kind"]]
        wanted = _conforming(resource, document)
        meta = wanted["metadata"]
        await self._have_namespace(meta["namespace"])
        for _ in range(_ATTEMPTS):
            try:
                return await self._store.change(
                    resource.storage, meta["namespace"], meta["name"], lambda old: self._changed(resource, old, wanted)
                )
            except NotFound:
                with suppress(AlreadyExists):
                    return await self._create(resource, wanted)
        raise faults.modified(resource.kind, meta["name"])

    async def _create(self, resource: Resource, wanted: Document) -> Document:
        new = admit(resource, wanted, None, self._admission)
        owned = after_update(None, new, resource.schema, self._writer(resource))
        return await self._store.create(resource.storage, owned, status=resource.first_status(new))

    def _changed(self, resource: Resource, old: Document, wanted: Document) -> Document:
        kept = {key: value for key, value in old.items() if key in ("metadata", "status")}
        meta = dict(kept["metadata"])
        for part in ("annotations", "labels"):
            if wanted["metadata"].get(part):
                meta[part] = {**(meta.get(part) or {}), **wanted["metadata"][part]}
        new = admit(resource, {**wanted, **kept, "metadata": meta}, old, self._admission)
        return after_update(old, new, resource.schema, self._writer(resource))

    def _writer(self, resource: Resource) -> Writer:
        return Writer(
            manager=MANAGER,
            api_version=resource.group_version(),
            now=self._now(),
            has_status=resource.kind.has_status,
        )

    async def _have_namespace(self, name: str) -> None:
        with suppress(NotFound):
            self._store.peek(NAMESPACE, "", name)
            return
        document: Document = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        resource = self._by_kind[NAMESPACE.kind]
        prepared = admit(resource, document, None, self._admission)
        with suppress(AlreadyExists):
            await self._store.create(NAMESPACE, prepared, status=resource.first_status(prepared))

    async def delete(self, kind: str, namespace: str, name: str) -> None:
        """Delete an object; nothing happens when it is not there."""
        with suppress(NotFound):
            await self._store.delete(self._by_kind[kind].storage, namespace, name)

    async def changes(self, kinds: Sequence[str], namespace: str | None = None) -> AsyncGenerator[None, None]:
        """One item at once, and one for each time that something changed since."""
        happened = asyncio.Event()
        watched = {*kinds, *((REQUEST,) if POD in kinds else ())}
        watches = [asyncio.create_task(self._watch(kind, namespace, happened)) for kind in sorted(watched)]
        try:
            while True:
                happened.clear()
                yield
                waiting = asyncio.create_task(happened.wait())
                ended, _ = await asyncio.wait([waiting, *watches], return_when=asyncio.FIRST_COMPLETED)
                if not happened.is_set() and ended - {waiting}:
                    waiting.cancel()
                    return
        finally:
            for task in watches:
                task.cancel()
            await asyncio.gather(*watches, return_exceptions=True)

    async def _watch(self, kind: str, namespace: str | None, happened: asyncio.Event) -> None:
        async for _ in self._store.watch(self._by_kind[kind].storage, namespace, since=self._store.revision):
            happened.set()

    async def log(self, namespace: str, pod: str, part: LogPart) -> AsyncGenerator[bytes, None]:
        """A replica's own log, or what is told of a bento on its way here."""
        requests = (await self._store.list(self._by_kind[REQUEST].storage, namespace)).items
        for made_up, request in zip(builder_pods(requests), requests, strict=True):
            if made_up["metadata"]["name"] == pod:
                told = build_log(self, request, part)
                path = self._logs / namespace / f"{pod}.log" if self._logs else None
                return with_builder_lines(told, path, part) if path else told
        query = LogQuery(follow=part.follows, tail_lines=part.tail_lines, timestamps=part.has_times)
        if part.follows and await self.get(POD, namespace, pod) is not None:
            return self._once_written(namespace, pod, query)
        return await self._pods.log(namespace, pod, query)

    async def _once_written(self, namespace: str, pod: str, query: LogQuery) -> AsyncGenerator[bytes, None]:
        """A replica's log from its first line on, which may be still to come; nothing if the replica goes before."""
        while True:
            with suppress(NotFound):
                lines = await self._pods.log(namespace, pod, query)
                break
            if await self.get(POD, namespace, pod) is None:
                return
            await asyncio.sleep(_LOOKS_EVERY_S)
        try:
            async for line in lines:
                yield line
        finally:
            await lines.aclose()

    def urls(self, document: Mapping[str, Any]) -> Sequence[str]:
        """Where a deployment answers: BentoML's clients want one address. A name below sslip.io needs the internet to
        be looked up, so unless somebody gave the machine a domain it is a path of the gateway's own."""
        url = (document.get("status") or {}).get("url")
        is_public = ((document.get("spec") or {}).get("ingress") or {}).get("enabled")
        if not (url and is_public):
            return []
        if not (urlsplit(url).hostname or "").endswith(f".{MAGIC_DNS}"):
            return [url]
        meta = document["metadata"]
        return [self._data_url.rstrip("/") + path_to(meta["namespace"], meta["name"])]


def _conforming(resource: Resource, document: Mapping[str, Any]) -> Document:
    """A copy as the schema knows it. Raises `InvalidManifest`."""
    pruned = deepcopy(dict(document))
    problems = validation.examine(resource.schema, pruned).problems
    if problems:
        raise faults.invalid(resource.kind, pruned["metadata"].get("name") or "", problems)
    return resource.fold(pruned)


def _selector(labels: Mapping[str, str] | None) -> Selector:
    return Selector(labels=tuple(Requirement(key, "in", (value,)) for key, value in (labels or {}).items()))


def _has(pod: Mapping[str, Any], labels: Mapping[str, str] | None) -> bool:
    return all(pod["metadata"]["labels"].get(key) == value for key, value in (labels or {}).items())
