"""Bringing one owner's objects to what is wanted: each write looks first at what is there, and whose it is.

What belongs to somebody else is never touched. What the upstream operators left is taken over in place. A Deployment
whose selector cannot stay is replaced with its pods left running until the new ones are ready.
"""

import logging
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from fairlead.backends.kubernetes.operator import ownership
from fairlead.backends.kubernetes.operator.api import Api
from fairlead.backends.kubernetes.operator.cache import Cache, Change
from fairlead.backends.kubernetes.operator.changes import Changes, Sent
from fairlead.backends.kubernetes.operator.comparing import fingerprint, marked, project
from fairlead.backends.kubernetes.operator.discovery import Served
from fairlead.backends.kubernetes.operator.ownership import Whose
from fairlead.backends.kubernetes.operator.resources import (
    DEPLOYMENT,
    REPLICA_SET,
    SERVICE,
    ObjectKey,
    ResourceType,
    key_of,
)
from fairlead.errors import Conflict, InvalidManifest, Retryable
from fairlead.plan.model import Owner

_log = logging.getLogger(__name__)

Json = dict[str, Any]
REPLACED = "fairlead.dev/replaced-by"
"""Label of the ReplicaSets that a replaced Deployment left behind."""
_HAND_OVER = "fairlead-replicas"
_SOON_S = 2.0

Tell = Callable[[str, ObjectKey], Awaitable[None]]
"""Called with `Create`, `Update` or `Delete` and what it was done to."""


@dataclass(slots=True)
class Writer:
    """`sent` is what this process applied. `left` are the Deployments whose replaced pods still run. `hear` is told of
    every object that is another one now."""

    api: Api
    cache: Cache
    served: Served
    sent: dict[ObjectKey, Sent] = field(default_factory=dict)
    left: set[ObjectKey] = field(default_factory=set)
    hear: Callable[[Change], None] = lambda _change: None

    async def make(self, owner: Owner, changes: Changes, tell: Tell) -> None:
        """Do all of it, in order. Raises at the first that cannot be done."""
        for key in changes.first:
            await self._delete(owner, key, tell)
        for doc in changes.write:
            await self._put(owner, dict(doc), tell)
        for key in changes.last:
            await self._delete(owner, key, tell)

    async def find_left(self, namespaces: Collection[str]) -> None:
        """Learn what an earlier process replaced and did not live to clean up. Without namespaces: in all."""
        for namespace in namespaces or ("",):
            for doc in (await self.api.list(REPLICA_SET, namespace, labels=REPLACED))[0]:
                metadata = doc["metadata"]
                self.left.add(ObjectKey(*DEPLOYMENT.key, metadata["namespace"], metadata["labels"][REPLACED]))

    async def clean_up(self, keys: set[ObjectKey]) -> None:
        """These Deployments are ready: what they replaced can go."""
        for key in keys & self.left:
            old, _ = await self.api.list(REPLICA_SET, key.namespace, labels=f"{REPLACED}={key.name}")
            for doc in old:
                if ownership.controller_of(doc) is None:
                    await self.api.delete(REPLICA_SET, key_of(doc), uid=doc["metadata"]["uid"])
            self.left.discard(key)

    def forget(self, keys: Mapping[ObjectKey, Any]) -> None:
        """Objects whose owner is no more."""
        for key in keys:
            self.sent.pop(key, None)
            self.left.discard(key)

    async def _put(self, owner: Owner, wanted: Json, tell: Tell) -> None:
        key = key_of(wanted)
        kind = self._kind(key)
        live = await self.api.get(kind, key.namespace, key.name)
        if live is not None:
            self._may_write(owner, key, live)
            if not await self._prepared(kind, key, live, wanted):
                return await self._replace(kind, key, live)
            try:
                made = await self._apply(kind, wanted, uid=live["metadata"]["uid"])
            except InvalidManifest as refusal:
                if not _is_about_immutable(key, refusal):
                    raise
                # A Service that turns headless, or back: no pod notices, and the name is gone for a moment only.
                await self.api.delete(kind, key, uid=live["metadata"]["uid"])
                made = await self._apply(kind, wanted)
        else:
            made = await self._apply(kind, wanted)
        self.sent[key] = Sent(fingerprint(wanted), project(made, wanted))
        self._hear(self.cache.take(kind.key, made))
        await tell("Create" if live is None else "Update", key)
        return None

    def _kind(self, key: ObjectKey) -> ResourceType:
        kind = self.served.get(key.type)
        if kind is None:
            raise NotServed([key])
        return kind

    def _may_write(self, owner: Owner, key: ObjectKey, live: Json) -> None:
        if live["metadata"].get("deletionTimestamp"):
            raise Retryable(f"{key} is being deleted; it is made anew when it is gone", after_s=_SOON_S)
        judged = ownership.whose(live, owner)
        if judged is Whose.LEAVING:
            raise Retryable(
                f"{key} belongs to an earlier {owner.kind} of this name and is about to go", after_s=_SOON_S
            )
        if judged is Whose.ANOTHERS:
            theirs = ownership.controller_of(live) or {}
            raise Conflict(
                f"{key} is there already and belongs to {theirs.get('kind')} {theirs.get('name')}; rename one of the"
                " two, or delete it if nobody needs it"
            )
        if judged is Whose.NOBODYS:
            _log.info("%s: taking over, nobody owns it", key)

    async def _prepared(self, kind: ResourceType, key: ObjectKey, live: Json, wanted: Json) -> bool:
        """Make room for an apply; false when only another object will do."""
        if kind.key == DEPLOYMENT.key and ownership.selector_of(live) != ownership.selector_of(wanted):
            return False
        if patch := ownership.takeover(live):
            _log.info("%s: taking over from the operator that made it", key)
            live = await self.api.patch(kind, key, patch)
        replicas = ownership.replicas_to_hand_over(live, wanted)
        if replicas is not None:
            holding = {
                "apiVersion": wanted["apiVersion"],
                "kind": wanted["kind"],
                "metadata": {"name": key.name, "namespace": key.namespace},
                "spec": {"replicas": replicas},
            }
            await self.api.apply(kind, holding, manager=_HAND_OVER)
        return True

    async def _apply(self, kind: ResourceType, wanted: Json, *, uid: str = "") -> Json:
        doc = marked(wanted)
        if uid:
            # So that it is this object and not another of its name that came in between.
            doc = {**doc, "metadata": {**doc["metadata"], "uid": uid}}
        return await self.api.apply(kind, doc)

    async def _replace(self, kind: ResourceType, key: ObjectKey, live: Json) -> None:
        """Let a Deployment go and leave its pods; the new one is made when it is gone, and they go when that is
        ready."""
        selector = live["spec"]["selector"].get("matchLabels") or {}
        labels = ",".join(f"{name}={value}" for name, value in selector.items())
        _log.info("%s: its selector changes, so it is replaced; its pods stay until the new ones are ready", key)
        for doc in (await self.api.list(REPLICA_SET, key.namespace, labels=labels))[0]:
            if (ownership.controller_of(doc) or {}).get("uid") == live["metadata"]["uid"]:
                mark = [{"op": "add", "path": f"/metadata/labels/{REPLACED.replace('/', '~1')}", "value": key.name}]
                await self.api.patch(REPLICA_SET, key_of(doc), mark)
        self.left.add(key)
        await self.api.delete(kind, key, uid=live["metadata"]["uid"], leaves_pods=True)
        raise Retryable(f"{key} is being replaced", after_s=0.2)

    async def _delete(self, owner: Owner, key: ObjectKey, tell: Tell) -> None:
        doc = self.cache.get(key)
        if doc is None or ownership.whose(doc, owner) is not Whose.OURS:
            return
        await self.api.delete(self._kind(key), key, uid=doc["metadata"]["uid"])
        self.sent.pop(key, None)
        self._hear(self.cache.drop(key, doc["metadata"]["uid"]))
        await tell("Delete", key)

    def _hear(self, change: Change | None) -> None:
        if change is not None:
            self.hear(change)


class NotServed(Conflict):
    """Objects of kinds that this cluster does not have."""

    reason = "KindNotServed"

    def __init__(self, keys: list[ObjectKey]) -> None:
        kinds = sorted({f"{key.kind} ({key.group})" for key in keys})
        super().__init__(
            f"this cluster does not have {', '.join(kinds)}: install what brings it, or do without, by the manifest"
            " or the operator's values"
        )


def _is_about_immutable(key: ObjectKey, refusal: InvalidManifest) -> bool:
    text = str(refusal)
    return key.type == SERVICE.key and any(words in text for words in ("immutable", "may not change", "clusterIP"))
