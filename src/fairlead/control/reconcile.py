"""The loop that makes the world match the stored manifests, and the manifests' status match the world.

Two streams meet here: changes of resources go down (lower, then hand the plan to the back-end), observations come up
(status, pods and Events). It decides nothing about either: dialects say what a manifest means, the back-end says how
far it has got. A manifest that cannot be lowered fails alone, and what it ran before goes on running. A manifest that
refers to others is looked at again when one of those changes.
"""

import asyncio
import hashlib
import logging
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import orjson

from fairlead.backends.base import Backend, Notice
from fairlead.control.kept_plans import KeptPlans
from fairlead.control.lanes import Lanes
from fairlead.control.pods import pods_of
from fairlead.control.records import Records
from fairlead.control.store import Store, WatchEvent
from fairlead.control.world import Key, StoredWorld
from fairlead.dialects.access import access_of
from fairlead.dialects.base import Dialect, Kind
from fairlead.dialects.catalog import Catalog
from fairlead.errors import FairleadError, Gone, NotFound
from fairlead.plan.model import Owner
from fairlead.plan.status import PlanStatus

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """A kind that is reconciled, and who understands it."""

    kind: Kind
    dialect: Dialect


@dataclass(slots=True, kw_only=True)
class Reconciler:
    """`references` are the kinds that a back-end looks up (Secrets and the like), `world` is where dialects look things
    up. `clock` gives RFC 3339 times; `node` is the name pods are shown on; `pod_kind` is the API's own Pod."""

    store: Store
    world: StoredWorld
    followed: Sequence[Followed]
    backend: Backend
    catalog: Catalog
    references: Sequence[Kind]
    pod_kind: Kind
    node: str
    clock: Callable[[], str]
    kept: KeptPlans
    _locks: dict[Key, asyncio.Lock] = field(default_factory=lambda: defaultdict(asyncio.Lock))
    _records: Records = field(init=False)

    def __post_init__(self) -> None:
        self._records = Records(store=self.store, kinds=[each.kind for each in self.followed])

    async def run(self) -> None:
        """Run until cancelled."""
        planned = [each for each in self.followed if each.kind.is_planned]
        listed = asyncio.Barrier(len(planned) + 1)
        async with asyncio.TaskGroup() as tasks:
            for each in planned:
                tasks.create_task(self._follow(each, listed, Lanes(tasks)))
            for kind in self.references:
                tasks.create_task(self._follow_reference(kind))
            tasks.create_task(self._report(Lanes(tasks)))
            await listed.wait()
            # Replicas whose resource was deleted while nobody watched are known to nobody: only now, with every
            # manifest applied, can the back-end tell them from the others.
            await self.backend.settle()
            self.kept.sweep(self.world.plans)
            for name in {name for each in self.followed for name in each.kind.reads}:
                tasks.create_task(self._follow_read(name))
            for each in self.followed:
                if not each.kind.is_planned and each.kind.reads:
                    tasks.create_task(self._follow_unplanned(each))

    async def _follow(self, followed: Followed, listed: asyncio.Barrier, lanes: Lanes[Key]) -> None:
        is_first = True
        to_apply: set[Key] = set()
        while True:
            try:
                async for event in self.store.watch(followed.kind):
                    if event.type != "BOOKMARK":
                        await self._enqueue(followed, event, lanes, to_apply)
                    elif is_first:
                        is_first = False
                        await lanes.idle()
                        await listed.wait()
                return
            except Gone:
                _log.warning("%s: fell behind the changes, listing again", followed.kind.plural)
                await lanes.idle()
                await self._drop_deleted(followed)

    async def _enqueue(self, followed: Followed, event: WatchEvent, lanes: Lanes[Key], to_apply: set[Key]) -> None:
        """An object that is going to be applied is so as it is by then, however often it changes meanwhile."""
        key = _key(event.object)
        if event.type == "DELETED":
            to_apply.discard(key)  # what comes after this is another object
            await lanes.put(key, partial(self._take, followed, event))
        elif key not in to_apply:
            to_apply.add(key)

            async def apply() -> None:
                to_apply.discard(key)
                await self._take(followed, event)

            await lanes.put(key, apply)

    async def _follow_reference(self, kind: Kind) -> None:
        since = self.store.revision
        while True:
            try:
                async for event in self.store.watch(kind, since=since):
                    await self.backend.refresh(event.object["metadata"].get("namespace", ""))
                return
            except Gone:
                since = self.store.revision

    async def _follow_read(self, name: str) -> None:
        """Look again at what refers to an object of this kind when it changes."""
        kind = self.world.kind(name)
        seen: dict[tuple[str, str], bytes] = {}
        is_listed = False
        while kind is not None:
            try:
                async for event in self.store.watch(kind):
                    if event.type == "BOOKMARK":
                        is_listed = True
                    elif _is_news(kind, event, seen) and is_listed:
                        await self._look_again(name, event.object["metadata"].get("namespace", ""))
                return
            except Gone:
                continue

    async def _look_again(self, changed: str, namespace: str) -> None:
        # What is installed for everybody lives in a namespace of its own, or in none.
        is_for_all = not namespace or namespace in self.world.shared_namespaces
        for followed in self.followed:
            if changed not in followed.kind.reads:
                continue
            for doc in self.world.list(followed.kind.kind, None if is_for_all else namespace):
                if followed.kind.is_planned:
                    if await self._apply_safely(followed, doc):
                        await self._tell_again(_key(doc))
                else:
                    await self._derive(followed, doc)

    async def _tell_again(self, key: Key) -> None:
        """Write the status of a plan that has not changed: what it says may follow from others."""
        observed = self.world.observed(*key)
        if observed is not None:
            await self._write_safely(observed)

    async def _follow_unplanned(self, followed: Followed) -> None:
        while True:
            try:
                async for event in self.store.watch(followed.kind):
                    if event.type in ("ADDED", "MODIFIED"):
                        await self._derive(followed, event.object)
                return
            except Gone:
                continue

    async def _drop_deleted(self, followed: Followed) -> None:
        present = {_key(doc) for doc in (await self.store.list(followed.kind)).items}
        gone = [key for key in self.world.plans if key[0] == followed.kind.kind and key not in present]
        for key in gone:
            plan = self.world.forget(key)
            if plan is not None:
                await self.backend.delete(plan.owner)

    async def _take(self, followed: Followed, event: WatchEvent) -> None:
        before = self.world.plans.get(_key(event.object))
        if event.type == "DELETED":
            await self._delete(event.object)
        else:
            await self._apply_safely(followed, event.object)
        if before is not None and self.world.plans.get(_key(event.object)) != before:
            await self._let_in(_key(event.object))

    async def _let_in(self, key: Key) -> None:
        """Look again at what gave way to a resource that is another now."""
        behind = [
            mine for mine, plan in self.world.plans.items() if any(_key_of_owner(one) == key for one in plan.behind)
        ]
        for mine in behind:
            followed, doc = self._of_kind(mine[0]), self.world.get(*mine)
            if followed is not None and doc is not None and await self._apply_safely(followed, doc):
                await self._tell_again(mine)

    async def _apply_safely(self, followed: Followed, doc: Mapping[str, Any]) -> bool:
        """A manifest must never stop the loop for the others, whatever it holds. Whether it can be lowered."""
        try:
            async with self._locks[_key(doc)]:
                current = self.world.get(*_key(doc))
                if current is not None and current["metadata"].get("uid") == doc["metadata"].get("uid"):
                    return await self._apply(followed, current)
        except Exception as error:
            _log.exception("%s %s/%s", *_key(doc))
            await self._refuse(followed, doc, FairleadError(f"internal error: {error}"), "InternalError")
        return False

    async def _apply(self, followed: Followed, doc: Mapping[str, Any]) -> bool:
        dialect, world = followed.dialect, self.world
        try:
            wanted = dialect.records(doc, catalog=self.catalog, world=world)
            await self._records.keep(doc, wanted)
            plan = replace(dialect.lower(doc, catalog=self.catalog, world=world), access=access_of(doc))
        except FairleadError as error:
            await self._go_on(doc)
            await self._refuse(followed, doc, error, error.reason)
            return False
        key = _key(doc)
        known = world.plans.get(key)
        if known == plan:
            return True
        world.plans[key] = plan
        self.kept.keep(key, plan)
        await self.backend.apply(plan)
        for warning in plan.warnings if known is None else set(plan.warnings) - set(known.warnings):
            await self.store.record_event(doc, "NotUsed", warning, "Warning")
        return True

    async def _go_on(self, doc: Mapping[str, Any]) -> None:
        """Let a resource whose manifest cannot be lowered run as it did before this process started."""
        key = _key(doc)
        if key not in self.world.plans:
            earlier = self.kept.find(key, uid=doc["metadata"].get("uid", ""))
            if earlier is not None:
                self.world.plans[key] = earlier
                await self.backend.apply(earlier)

    async def _delete(self, doc: Mapping[str, Any]) -> None:
        key = _key(doc)
        async with self._locks[key]:
            self.kept.forget(key)
            plan = self.world.forget(key)
            if plan is not None:
                await self.backend.delete(plan.owner)
        self._locks.pop(key, None)

    async def _refuse(self, followed: Followed, doc: Mapping[str, Any], error: FairleadError, reason: str) -> None:
        status = followed.dialect.failed_status(doc, error, now=self.clock(), world=self.world)
        try:
            await self.store.update_status(followed.kind, *_key(doc)[1:], status)
        except NotFound:
            return
        await self.store.record_event(doc, reason, error.lasting, "Warning")

    async def _report(self, lanes: Lanes[Key]) -> None:
        async for news in self.backend.observe():
            owner = news.owner
            await lanes.put((owner.kind, owner.namespace, owner.name), partial(self._write_safely, news))

    async def _write_safely(self, news: Notice | PlanStatus) -> None:
        """A status that cannot be told must not stop the loop for the others."""
        try:
            if isinstance(news, Notice):
                await self._note(news)
            else:
                await self._write_status(news)
        except NotFound:
            return
        except Exception:
            _log.exception("reporting on %s/%s", news.owner.namespace, news.owner.name)

    async def _note(self, notice: Notice) -> None:
        doc = await self._document(notice.owner)
        if doc is not None:
            severity = "Warning" if notice.is_warning else "Normal"
            await self.store.record_event(doc, notice.reason, notice.message, severity)

    async def _write_status(self, observed: PlanStatus) -> None:
        owner = observed.owner
        plan = self.world.plans.get((owner.kind, owner.namespace, owner.name))
        followed = self._followed(owner)
        if plan is None or followed is None or plan.owner.uid != owner.uid:
            await self.store.mirror(self.pod_kind, (), owner_uid=owner.uid)
            return
        self.world.observe(observed)
        pods = pods_of(plan, observed, node=self.node)
        await self.store.mirror(self.pod_kind, pods, owner_uid=owner.uid)
        doc = await self.store.get(followed.kind, owner.namespace, owner.name)
        if doc["metadata"].get("generation", 0) > plan.owner.generation:
            # The manifest's newest version is about to become a plan, or was refused and its failure is told.
            return
        status = followed.dialect.status(doc, plan, observed, now=self.clock(), world=self.world)
        happened = followed.dialect.events(doc, status)
        await self.store.update_status(followed.kind, owner.namespace, owner.name, status)
        for one in happened:
            await self.store.record_event(doc, one.reason, one.message, "Warning" if one.is_warning else "Normal")
        await self._derive_beside(followed.dialect, owner)

    async def _derive_beside(self, dialect: Dialect, owner: Owner) -> None:
        """Objects whose status follows from this plan's."""
        for each in self.followed:
            if each.dialect is dialect and not each.kind.is_planned and owner.kind in each.kind.reads:
                for doc in self.world.list(each.kind.kind, owner.namespace if each.kind.is_namespaced else None):
                    await self._derive(each, doc)
        # Records are many, and only their owner's status says something of them.
        recorded = {
            (each.kind.group, each.kind.plural): each
            for each in self.followed
            if each.dialect is dialect and each.kind.is_read_only and not each.kind.is_planned
        }
        for group, plural, doc in self.store.peek_owned(owner.uid) if recorded else ():
            if (record := recorded.get((group, plural))) is not None:
                await self._derive(record, doc)

    async def _derive(self, followed: Followed, doc: Mapping[str, Any]) -> None:
        try:
            status = followed.dialect.derived_status(doc, now=self.clock(), world=self.world)
            if status is not None:
                await self.store.update_status(followed.kind, *_key(doc)[1:], status)
        except NotFound:
            return
        except Exception:
            _log.exception("the status of %s %s/%s", *_key(doc))

    async def _document(self, owner: Owner) -> dict[str, Any] | None:
        followed = self._followed(owner)
        if followed is None:
            return None
        doc = await self.store.get(followed.kind, owner.namespace, owner.name)
        return doc if doc["metadata"].get("uid") == owner.uid else None

    def _followed(self, owner: Owner) -> Followed | None:
        return self._of_kind(owner.kind)

    def _of_kind(self, kind: str) -> Followed | None:
        return next((each for each in self.followed if each.kind.kind == kind), None)


def _is_news(kind: Kind, event: WatchEvent, seen: dict[tuple[str, str], bytes]) -> bool:
    """Whether a change says something to those who read the kind: what it asks for, and its status where they look at
    that. `seen` keeps what each object said last."""
    metadata = event.object["metadata"]
    place = metadata.get("namespace", ""), metadata["name"]
    if event.type == "DELETED":
        return seen.pop(place, None) is not None
    left_out = {"metadata"} if kind.is_watched_with_status else {"metadata", "status"}
    said = {name: value for name, value in event.object.items() if name not in left_out}
    said["labels"] = metadata.get("labels"), metadata.get("annotations"), metadata.get("uid")
    mark = hashlib.sha256(orjson.dumps(said, option=orjson.OPT_SORT_KEYS)).digest()
    if seen.get(place) == mark:
        return False
    seen[place] = mark
    return True


def _key(doc: Mapping[str, Any]) -> Key:
    metadata = doc["metadata"]
    return doc["kind"], metadata.get("namespace", ""), metadata["name"]


def _key_of_owner(owner: Owner) -> Key:
    return owner.kind, owner.namespace, owner.name
