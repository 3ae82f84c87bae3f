"""One reconcile: read an object and what it refers to, make its objects so, and say in its status how far that is.

Everything decided here is decided by pure functions; this is the order in which they are asked. Nothing that a manifest
holds, or that goes wrong with it, may stop the others: whatever is raised becomes the object's own status.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from fairlead.backends.kubernetes.operator import ownership
from fairlead.backends.kubernetes.operator.api import Api
from fairlead.backends.kubernetes.operator.cache import Cache, Change
from fairlead.backends.kubernetes.operator.changes import Changes, changes
from fairlead.backends.kubernetes.operator.discovery import Served
from fairlead.backends.kubernetes.operator.followed import Followed
from fairlead.backends.kubernetes.operator.images import FOLLOWS, Earlier, with_images_kept
from fairlead.backends.kubernetes.operator.looking import Looks
from fairlead.backends.kubernetes.operator.lookups import Followers, Look, Watching
from fairlead.backends.kubernetes.operator.recording import Recorder
from fairlead.backends.kubernetes.operator.resources import (
    DEPLOYMENT,
    KNATIVE_SERVICE,
    NAMESPACE,
    POD,
    ObjectKey,
    ResourceType,
    TypeKey,
    key_of,
)
from fairlead.backends.kubernetes.operator.revisions import numbered
from fairlead.backends.kubernetes.operator.writing import NotServed, Writer
from fairlead.backends.kubernetes.render import Written, rendered
from fairlead.dialects.access import refuse_access
from fairlead.dialects.base import World
from fairlead.dialects.catalog import Catalog
from fairlead.dialects.clusters import ClusterSettings, Observed
from fairlead.errors import Conflict, FairleadError, InvalidManifest, NotFound, Retryable
from fairlead.plan.layout import Layout

_log = logging.getLogger(__name__)

Json = dict[str, Any]

_EVENT_WORDS: Mapping[str, str] = {
    "HorizontalPodAutoscaler": "HPA",
    "PodDisruptionBudget": "PDB",
    "Mapping": "AmbassadorMapping",
}
"""What the upstream operator's Events call a kind, where that is not its name."""


@dataclass(slots=True, kw_only=True)
class Reconciler:
    """`clock` gives RFC 3339 times. `hear` is told of statuses that were written, for those who look at them.
    `render` is the back-end's own, and an argument for tests of this module alone."""

    api: Api
    cache: Cache
    served: Served
    writer: Writer
    recorder: Recorder
    followed: Mapping[TypeKey, Followed]
    read: Mapping[str, TypeKey]
    cluster_wide: frozenset[str]
    settings: ClusterSettings
    catalog: Catalog
    clock: Callable[[], str]
    hear: Callable[[Change], None]
    controller_id: str = ""
    is_cluster_wide: bool = True
    render: Callable[[Layout, ClusterSettings], Written] = rendered
    followers: Followers = field(default_factory=Followers)
    looks: Looks = field(default_factory=Looks)
    _uids: dict[ObjectKey, str] = field(default_factory=dict)

    async def reconcile(self, key: ObjectKey) -> float | None:
        """Bring one object as far as can be done now; the seconds until it wants to be looked at again, if it does.
        Raises what may go better later."""
        followed, doc = self.followed[key.type], self.cache.get(key)
        if doc is None or not self._is_ours(followed, doc):
            self._forget(key)
            return None
        if doc["metadata"].get("deletionTimestamp"):
            await self._let_go(followed, key, doc)
            return None
        self._uids[key] = str(doc["metadata"].get("uid", ""))
        world = Watching(self.cache, self.read, self.cluster_wide)
        try:
            return await self._bring(followed, key, doc, world)
        finally:
            self.followers.follow(key, frozenset(world.looks))

    async def fail(self, key: ObjectKey, error: FairleadError) -> None:
        """Say in the object's status and by an Event that it cannot be had."""
        followed, doc = self.followed[key.type], self.cache.get(key)
        if doc is None or doc["metadata"].get("deletionTimestamp"):
            return
        await self._fail(followed, key, doc, error, Watching(self.cache, self.read, self.cluster_wide))

    async def _bring(self, followed: Followed, key: ObjectKey, doc: Json, world: Watching) -> float | None:
        if not followed.kind.is_planned:
            await self._derive(followed, key, doc, world)
            return None
        try:
            ready, layout, written = self._laid_out(followed, doc, world, self.settings)
        except Retryable as error:
            if error.reason != Retryable.reason:  # it waits for something that its user can make, by its name
                await self._fail(followed, key, doc, error, world)
            raise
        except FairleadError as error:
            await self._fail(followed, key, doc, error, world)
            return None
        for kind, name in layout.mentions:
            world.looks.add(Look(kind, "" if kind in self.cluster_wide else key.namespace, name))
        kept = replace(written, objects=self._with_images_kept(followed, doc, world, written))
        todo = await self._make(followed, doc, layout, kept)
        observed = await self._observed(followed, layout, is_ready=todo.is_ready)
        status = followed.dialect.cluster_status(
            ready, layout, observed, settings=self.settings, now=self.clock(), world=world
        )
        has_moved = await self._tell_status(followed, key, doc, status)
        for warning in written.warnings:
            await self._tell(followed, doc, "NotUsed", warning)
        if has_moved and followed.is_laid_out_by_status:
            return 0.0
        if has_moved and self._means_another(followed, {**doc, "status": status}, world, layout):
            return 0.0
        if not todo.is_ready and self._todo(layout, kept)[0].is_ready:
            return 0.0  # the answer to what we wrote last told so, and the watch brings no news of that
        if todo.is_ready or not followed.reads_pods:
            self.looks.forget(key)
            return None
        return self.looks.next_s(key, has_moved=has_moved)

    def _laid_out(
        self, followed: Followed, doc: Json, world: World, settings: ClusterSettings
    ) -> tuple[Json, Layout, Written]:
        dialect = followed.dialect
        ready = dialect.default(doc, world=world)
        dialect.validate(ready, catalog=self.catalog, world=world)
        refuse_access(ready)
        layout = dialect.lay_out(ready, settings=settings, catalog=self.catalog, world=world)
        return ready, layout, self.render(layout, settings)

    def _means_another(self, followed: Followed, doc: Json, world: World, layout: Layout) -> bool:
        """Whether with this status it is laid out otherwise: the shares of a roll-out follow from how far it has got.
        Of what we wrote ourselves the watch brings no news."""
        try:
            return self._laid_out(followed, doc, world, self.settings)[1] != layout
        except FairleadError:
            return True  # the next reconcile says so where it belongs

    def _with_images_kept(self, followed: Followed, doc: Json, world: World, written: Written) -> tuple[Json, ...]:
        image = self.settings.image

        def under(earlier: str) -> Sequence[Json]:
            settings = replace(self.settings, image=earlier)
            try:
                _, _, then = self._laid_out(followed, doc, Earlier(world, now=image, then=earlier), settings)
            except FairleadError:
                return ()
            return then.objects

        live = self.cache.owned(str(doc["metadata"].get("uid", "")))
        is_asked = (doc["metadata"].get("annotations") or {}).get(FOLLOWS) == "true"
        if is_asked or self.settings.value("image.rollout", default=False):
            return tuple(with_images_kept(written.objects, live, image))
        return tuple(with_images_kept(written.objects, live, image, under=under))

    def _todo(self, layout: Layout, written: Written) -> tuple[Changes, list[Mapping[str, Any]]]:
        """What there is to do by what is known now, and the objects that are wanted."""
        live = self.cache.owned(layout.owner.uid)
        objects, kept = numbered(written.objects, layout, live)
        live = {key: one for key, one in live.items() if key not in kept}
        wanted = [_fitting(one, live.get(key_of(one))) for one in objects if self._has(one)]
        late = [one for one in written.late if self._has(one)]
        frozen = _workloads_of(live) if layout.is_frozen else ()
        return changes(wanted, late, live, sent=self.writer.sent.get, frozen=frozen), wanted

    async def _make(self, followed: Followed, doc: Json, layout: Layout, written: Written) -> Changes:
        todo, wanted = self._todo(layout, written)

        async def tell(verb: str, key: ObjectKey) -> None:
            if followed.tells_objects:
                word = _EVENT_WORDS.get(key.kind, key.kind)
                past = {"Create": "Created", "Update": "Updated", "Delete": "Deleted"}[verb]
                await self._tell(followed, doc, f"{verb}{word}", f'{past} {word} "{key.name}"', is_warning=False)

        if not todo.is_empty:
            await self._check_it_stays(followed, doc)
        await self.writer.make(layout.owner, todo, tell)
        if todo.is_ready:
            await self.writer.clean_up({key_of(one) for one in wanted})
        missing = [key_of(one) for one in (*written.objects, *written.late) if not self._has(one)]
        if missing:
            raise NotServed(missing)
        return todo

    async def _check_it_stays(self, followed: Followed, doc: Json) -> None:
        """The objects of an owner that is being deleted may go before we hear of it; they are not to be made again."""
        kind, metadata = self._kind(followed), doc["metadata"]
        fresh = await self.api.get(kind, metadata.get("namespace") or "", metadata["name"])
        if fresh is None:
            change = self.cache.drop(key_of(doc), str(metadata.get("uid", "")))
        elif fresh["metadata"].get("uid") == metadata.get("uid") and not fresh["metadata"].get("deletionTimestamp"):
            return
        else:
            change = self.cache.take(kind.key, fresh)
        if change is not None:
            self.hear(change)
        raise Again(f"{key_of(doc)} is about to go")

    def _kind(self, followed: Followed) -> ResourceType:
        return self.served.get(followed.type.key) or followed.type

    def _has(self, doc: Mapping[str, Any]) -> bool:
        return self.served.get(key_of(doc).type) is not None

    async def _observed(self, followed: Followed, layout: Layout, *, is_ready: bool) -> Observed:
        objects = self.cache.owned(layout.owner.uid)
        by_name: dict[tuple[str, str], Json] = {}
        for key, found in objects.items():
            # Knative's Service has the kind of the core's, and may have the name of one too.
            by_name["KnativeService" if key.type == KNATIVE_SERVICE.key else key.kind, key.name] = found
        wants_pods = followed.reads_pods and (followed.reads_ready_pods or not is_ready)
        return Observed(objects=by_name, pods=await self._pods(layout) if wants_pods else ())

    async def _pods(self, layout: Layout) -> tuple[Json, ...]:
        found: dict[str, Json] = {}
        for workload in layout.workloads:
            live = self.cache.get(ObjectKey(*DEPLOYMENT.key, layout.owner.namespace, workload.name))
            selector = ownership.selector_of(live) if live is not None else {}
            if selector:
                await self._collect(layout.owner.namespace, selector, found)
        for on_demand in layout.on_demand:
            # The label that Knative gives the pods of a service, and that we give those of our own.
            await self._collect(layout.owner.namespace, {"serving.knative.dev/service": on_demand.name}, found)
        for task in layout.tasks:
            # The label that a Job gives its pods.
            await self._collect(layout.owner.namespace, {"job-name": task.name}, found)
        newest_first = sorted(
            found.values(), key=lambda pod: str(pod["metadata"].get("creationTimestamp", "")), reverse=True
        )
        return tuple(newest_first)

    async def _collect(self, namespace: str, labels: Mapping[str, str], found: dict[str, Json]) -> None:
        selector = ",".join(f"{name}={value}" for name, value in sorted(labels.items()))
        for pod in (await self.api.list(POD, namespace, labels=selector))[0]:
            found[pod["metadata"]["name"]] = pod

    async def _derive(self, followed: Followed, key: ObjectKey, doc: Json, world: Watching) -> None:
        status = followed.dialect.derived_status(doc, now=self.clock(), world=world)
        if status is not None and followed.kind.has_status:
            await self._tell_status(followed, key, doc, status)

    async def _fail(self, followed: Followed, key: ObjectKey, doc: Json, error: FairleadError, world: Watching) -> None:
        status = followed.dialect.cluster_failed_status(doc, error, now=self.clock(), world=world)
        if await self._write_status(followed, key, doc, status):
            await self._tell(followed, doc, error.reason, error.lasting)

    async def _tell_status(self, followed: Followed, key: ObjectKey, doc: Json, status: Json) -> bool:
        """Whether it is another one."""
        happened = followed.dialect.events(doc, status)
        is_new = await self._write_status(followed, key, doc, status)
        if is_new:
            if followed.tells_objects:
                text = f'Updated {followed.kind.kind} "{key.name}"'
                await self._tell(followed, doc, "Updated", text, is_warning=False)
            for one in happened:
                await self._tell(followed, doc, one.reason, one.message, is_warning=one.is_warning)
        return is_new

    async def _write_status(self, followed: Followed, key: ObjectKey, doc: Json, status: Json) -> bool:
        """Whether there was anything to write. An object that changed meanwhile is read again by whoever raises: it
        keeps what its user wrote, and this status was about another one."""
        if (doc.get("status") or {}) == status:
            return False
        kind = self._kind(followed)
        try:
            made = await self.api.update(kind, {**doc, "status": status}, subresource="status")
        except Conflict as conflict:
            fresh = await self.api.get(kind, key.namespace, key.name)
            if fresh is not None and (change := self.cache.take(kind.key, fresh)) is not None:
                self.hear(change)
            raise Again(str(conflict)) from conflict
        except NotFound:
            return False  # deleted meanwhile
        change = self.cache.take(kind.key, made)
        if change is not None:
            self.hear(change)
        return True

    async def _tell(self, followed: Followed, doc: Json, reason: str, message: str, *, is_warning: bool = True) -> None:
        await self.recorder.tell(doc, reason, message, source=followed.source, is_warning=is_warning)

    async def _let_go(self, followed: Followed, key: ObjectKey, doc: Json) -> None:
        """The garbage collector takes what the object owned. A finalizer of the upstream operator would hold it for
        ever."""
        finalizers = list(doc["metadata"].get("finalizers") or ())
        left = [one for one in finalizers if one not in followed.left_finalizers]
        if left != finalizers:
            operations = [
                {"op": "test", "path": "/metadata/finalizers", "value": finalizers},
                {"op": "replace", "path": "/metadata/finalizers", "value": left},
            ]
            try:
                await self.api.patch(self._kind(followed), key, operations)
            except (NotFound, InvalidManifest) as error:
                _log.debug("%s: its finalizers changed meanwhile: %s", key, error)

    def _is_ours(self, followed: Followed, doc: Json) -> bool:
        labels: Mapping[str, str] = {}
        if self.is_cluster_wide:
            namespace = self.cache.get(ObjectKey(*NAMESPACE.key, "", doc["metadata"].get("namespace") or ""))
            labels = (namespace or {}).get("metadata", {}).get("labels") or {}
        return followed.is_for(doc, self.controller_id, labels)

    def _forget(self, key: ObjectKey) -> None:
        self.followers.follow(key, frozenset())
        self.looks.forget(key)
        uid = self._uids.pop(key, "")
        if uid:
            self.writer.forget(self.cache.owned(uid))


class Again(Retryable):
    """The object is another one by now: look at once."""

    reason = "Conflict"

    def __init__(self, message: str) -> None:
        super().__init__(message, after_s=0.0)


def _workloads_of(live: Mapping[ObjectKey, Json]) -> frozenset[ObjectKey]:
    """Those that are there and stay."""
    return frozenset(
        key for key, doc in live.items() if key.type == DEPLOYMENT.key and not doc["metadata"].get("deletionTimestamp")
    )


def _fitting(wanted: Mapping[str, Any], live: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """The wanted object as it can be had where there is one already."""
    if live is None or key_of(wanted).type != DEPLOYMENT.key:
        return wanted
    return ownership.with_selector_of(live, wanted)
