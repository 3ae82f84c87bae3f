"""The loop that makes the world match the stored manifests, and the manifests' status match the world.

Two streams meet here: changes of resources go down (lower, then hand the plan to the back-end), observations come up
(status, pods and Events). It decides nothing about either: dialects say what a manifest means, the back-end says how
far it has got. A manifest that cannot be lowered fails alone, and what it ran before goes on running.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fairlead.backends.base import Backend, Notice
from fairlead.control.pods import pods_of
from fairlead.control.store import Store, WatchEvent
from fairlead.dialects.base import Dialect, Kind
from fairlead.dialects.catalog import Catalog
from fairlead.errors import FairleadError, Gone, NotFound
from fairlead.plan.model import Owner, Plan
from fairlead.plan.status import PlanStatus

_log = logging.getLogger(__name__)

Key = tuple[str, str, str]
"""Kind, namespace and name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """A kind that is reconciled, and who understands it."""

    kind: Kind
    dialect: Dialect


@dataclass(slots=True, kw_only=True)
class Reconciler:
    """`references` are the kinds that manifests refer to (Secrets and the like). `clock` gives RFC 3339 times; `node`
    is the name pods are shown on; `pod_kind` is the API's own Pod."""

    store: Store
    followed: Sequence[Followed]
    backend: Backend
    catalog: Catalog
    references: Sequence[Kind]
    pod_kind: Kind
    node: str
    clock: Callable[[], str]
    _plans: dict[Key, Plan] = field(default_factory=dict)

    async def run(self) -> None:
        """Run until cancelled."""
        listed = asyncio.Barrier(len(self.followed) + 1)
        async with asyncio.TaskGroup() as tasks:
            for each in self.followed:
                tasks.create_task(self._follow(each, listed))
            for kind in self.references:
                tasks.create_task(self._follow_reference(kind))
            tasks.create_task(self._report())
            await listed.wait()
            # Replicas whose resource was deleted while nobody watched are known to nobody: only now, with every
            # manifest applied, can the back-end tell them from the others.
            await self.backend.settle()

    async def _follow(self, followed: Followed, listed: asyncio.Barrier) -> None:
        is_first = True
        while True:
            try:
                async for event in self.store.watch(followed.kind):
                    if event.type == "BOOKMARK" and is_first:
                        is_first = False
                        await listed.wait()
                    elif event.type != "BOOKMARK":
                        await self._take(followed, event)
                return
            except Gone:
                _log.warning("%s: fell behind the changes, listing again", followed.kind.plural)
                await self._drop_deleted(followed)

    async def _follow_reference(self, kind: Kind) -> None:
        since = self.store.revision
        while True:
            try:
                async for event in self.store.watch(kind, since=since):
                    await self.backend.refresh(event.object["metadata"].get("namespace", ""))
                return
            except Gone:
                since = self.store.revision

    async def _drop_deleted(self, followed: Followed) -> None:
        present = {_key(doc) for doc in (await self.store.list(followed.kind)).items}
        for key in [key for key in self._plans if key[0] == followed.kind.kind and key not in present]:
            await self.backend.delete(self._plans.pop(key).owner)

    async def _take(self, followed: Followed, event: WatchEvent) -> None:
        try:
            if event.type == "DELETED":
                await self._delete(event.object)
            else:
                await self._apply(followed, event.object)
        except Exception as error:
            # A manifest must never stop the loop for the others, whatever it holds.
            _log.exception("%s %s/%s", *_key(event.object))
            await self._refuse(followed, event.object, f"internal error: {error}", "InternalError")

    async def _apply(self, followed: Followed, doc: Mapping[str, Any]) -> None:
        try:
            plan = followed.dialect.lower(doc, catalog=self.catalog)
        except FairleadError as error:
            await self._refuse(followed, doc, str(error), error.reason)
            return
        key = _key(doc)
        if self._plans.get(key) == plan:
            return
        known = key in self._plans
        self._plans[key] = plan
        await self.backend.apply(plan)
        for warning in () if known else plan.warnings:
            await self.store.record_event(doc, "NotUsed", warning, "Warning")

    async def _delete(self, doc: Mapping[str, Any]) -> None:
        plan = self._plans.pop(_key(doc), None)
        if plan is not None:
            await self.backend.delete(plan.owner)

    async def _refuse(self, followed: Followed, doc: Mapping[str, Any], why: str, reason: str) -> None:
        status = followed.dialect.failed_status(doc, why, now=self.clock())
        try:
            await self.store.update_status(followed.kind, *_key(doc)[1:], status)
        except NotFound:
            return
        await self.store.record_event(doc, reason, why, "Warning")

    async def _report(self) -> None:
        async for news in self.backend.observe():
            try:
                if isinstance(news, Notice):
                    await self._note(news)
                else:
                    await self._write_status(news)
            except NotFound:
                continue
            except Exception:
                _log.exception("reporting on %s/%s", news.owner.namespace, news.owner.name)

    async def _note(self, notice: Notice) -> None:
        doc = await self._document(notice.owner)
        if doc is not None:
            severity = "Warning" if notice.is_warning else "Normal"
            await self.store.record_event(doc, notice.reason, notice.message, severity)

    async def _write_status(self, observed: PlanStatus) -> None:
        owner = observed.owner
        plan = self._plans.get((owner.kind, owner.namespace, owner.name))
        followed = self._followed(owner)
        if plan is None or followed is None or plan.owner.uid != owner.uid:
            await self.store.mirror(self.pod_kind, (), owner_uid=owner.uid)
            return
        pods = pods_of(plan, observed, node=self.node)
        await self.store.mirror(self.pod_kind, pods, owner_uid=owner.uid)
        doc = await self.store.get(followed.kind, owner.namespace, owner.name)
        if doc["metadata"].get("generation", 0) > plan.owner.generation and self._is_refused(followed, doc):
            return
        status = followed.dialect.status(doc, plan, observed, now=self.clock())
        await self.store.update_status(followed.kind, owner.namespace, owner.name, status)

    def _is_refused(self, followed: Followed, doc: Mapping[str, Any]) -> bool:
        """Whether the newest manifest cannot be lowered; then its failure is what the status tells."""
        try:
            followed.dialect.lower(doc, catalog=self.catalog)
        except FairleadError:
            return True
        return False

    async def _document(self, owner: Owner) -> dict[str, Any] | None:
        followed = self._followed(owner)
        if followed is None:
            return None
        doc = await self.store.get(followed.kind, owner.namespace, owner.name)
        return doc if doc["metadata"].get("uid") == owner.uid else None

    def _followed(self, owner: Owner) -> Followed | None:
        return next((each for each in self.followed if each.kind.kind == owner.kind), None)


def _key(doc: Mapping[str, Any]) -> Key:
    metadata = doc["metadata"]
    return doc["kind"], metadata.get("namespace", ""), metadata["name"]
