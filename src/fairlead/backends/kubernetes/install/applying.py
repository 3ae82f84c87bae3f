"""Putting an installation into a cluster and taking it out again, step by step, saying what was done.

Both may be run again at any time: an installation that is as it should be changes nothing, and one that was
interrupted is finished.
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from fairlead.backends.kubernetes.install.cluster import Cluster, label_of, path_of
from fairlead.backends.kubernetes.install.installation import LEASE
from fairlead.backends.kubernetes.install.listing import Listing
from fairlead.backends.kubernetes.install.seeding import manager_in
from fairlead.errors import DeadlineExceeded

Json = dict[str, Any]
Say = Callable[[str], None]
_LOOK_EVERY_S = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Installer:
    """`now` is a monotonic clock, `sleep` waits; both in seconds."""

    cluster: Cluster
    say: Say
    now: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]]

    async def install(self, listing: Listing, *, timeout_s: float) -> None:
        """All of it, and wait until the operator is ready. Raises `DeadlineExceeded`."""
        deadline = self.now() + timeout_s
        await self._apply(listing.namespace)
        for definition in listing.definitions:
            await self._define(definition)
        for definition in listing.definitions:
            await self._wait(definition, _is_established, "to be served", deadline)
        for doc in listing.operator:
            await self._apply(doc)
        for doc in listing.operator:
            if doc["kind"] == "Deployment":
                await self._wait(doc, why_not_rolled_out, "to be ready", deadline)

    async def uninstall(self, listing: Listing, *, with_definitions: bool) -> None:
        """All but definitions, users' objects, what users made of the seeds, and claims, which hold what users put
        there. Webhooks first: they would refuse whatever comes after the operator is gone."""
        for doc in reversed(listing.operator):
            if doc["kind"] != "PersistentVolumeClaim":
                await self._delete(doc)
        namespace = listing.namespace["metadata"]["name"]
        await self._delete(
            {
                "apiVersion": "coordination.k8s.io/v1",
                "kind": "Lease",
                "metadata": {"name": LEASE, "namespace": namespace},
            }
        )
        for seed in listing.seeds:
            await self._unseed(seed, manager_in(namespace))
        if with_definitions:
            for definition in listing.definitions:
                await self._delete(definition)

    async def counted(self, listing: Listing) -> dict[str, int]:
        """How many objects of each kind there are that would go with their definitions."""
        found = {}
        for definition in listing.definitions:
            spec = definition["spec"]
            stored = next(version["name"] for version in spec["versions"] if version["storage"])
            names = spec["names"]
            listed = await self.cluster.get(f"/apis/{spec['group']}/{stored}/{names['plural']}")
            if items := (listed or {}).get("items"):
                found[names["kind"]] = len(items)
        return found

    async def _apply(self, doc: Mapping[str, Any]) -> None:
        self.say(f"{label_of(doc)} {await self.cluster.apply(doc)}")

    async def _define(self, definition: Json) -> None:
        """A definition that upstream left may name a conversion webhook, which `strategy: None` does not allow. Where
        ours names one it is kept, with the authorities that the operator has written there."""
        is_plain = definition["spec"]["conversion"]["strategy"] == "None"
        live = await self.cluster.get(path_of(definition)) if is_plain else None
        if live is not None and "webhook" in (live["spec"].get("conversion") or {}):
            none = {"op": "replace", "path": "/spec/conversion", "value": {"strategy": "None"}}
            await self.cluster.patch(path_of(definition), [none])
        await self._apply(definition)

    async def _unseed(self, doc: Mapping[str, Any], manager: str) -> None:
        live = await self.cluster.get(path_of(doc))
        if live is None:
            return
        others = sorted(_managers(live) - {manager})
        if others:
            self.say(f"{label_of(doc)} kept: {', '.join(others)} changed it")
        else:
            await self._delete(doc)

    async def _delete(self, doc: Mapping[str, Any]) -> None:
        if await self.cluster.delete(path_of(doc)):
            self.say(f"{label_of(doc)} deleted")

    async def _wait(self, doc: Mapping[str, Any], why_not: Callable[[Json], str], what: str, deadline: float) -> None:
        while True:
            live = await self.cluster.get(path_of(doc))
            reason = why_not(live) if live is not None else "it is gone"
            if not reason:
                return
            if self.now() >= deadline:
                raise DeadlineExceeded(f"{label_of(doc)} was waited for {what}: {reason}")
            await self.sleep(_LOOK_EVERY_S)


def _managers(live: Mapping[str, Any]) -> set[str]:
    """Who has written more than a status."""
    fields = live["metadata"].get("managedFields") or ()
    return {str(one.get("manager")) for one in fields if not one.get("subresource")}


def _is_established(live: Json) -> str:
    conditions = _conditions(live)
    if conditions.get("NamesAccepted", {}).get("status") == "False":
        return str(conditions["NamesAccepted"].get("message"))
    return "" if conditions.get("Established", {}).get("status") == "True" else "not established yet"


def why_not_rolled_out(live: Json) -> str:
    """Why a Deployment is not as its spec says; empty when it is."""
    status, wanted = live.get("status") or {}, live["spec"].get("replicas", 1)
    if status.get("observedGeneration", 0) < live["metadata"].get("generation", 0):
        return "its controller has not seen it yet"
    if (updated := status.get("updatedReplicas", 0)) < wanted:
        return f"{updated} of {wanted} replicas are new; {_told(live)}"
    if (available := status.get("availableReplicas", 0)) < wanted:
        return f"{available} of {wanted} replicas are available; {_told(live)}"
    return "replicas of before are still there" if status.get("replicas", 0) > wanted else ""


def _told(live: Json) -> str:
    words = (str(one["message"]) for one in _unhappy(live) if one.get("message"))
    place = live["metadata"].get("namespace")
    return next(words, f"`kubectl get pods -n {place}` says more")


def _unhappy(live: Json) -> Iterator[Json]:
    conditions = _conditions(live)
    for name, bad in (("ReplicaFailure", "True"), ("Progressing", "False")):
        if conditions.get(name, {}).get("status") == bad:
            yield conditions[name]


def _conditions(live: Json) -> dict[str, Json]:
    return {str(one.get("type")): one for one in (live.get("status") or {}).get("conditions") or ()}
