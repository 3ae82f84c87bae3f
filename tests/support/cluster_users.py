"""People at work on a cluster, by a seed: they create, change, break and delete, and remember what they want.

What they remember is what a test holds the cluster against when they are done.
"""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from random import Random
from typing import Any

from support.cluster import Cluster, Fate
from support.isvc import isvc, model
from support.operators import sdep

Document = dict[str, Any]
OWNED = (
    "Deployment",
    "services.",
    "ConfigMap",
    "HorizontalPodAutoscaler",
    "PodDisruptionBudget",
    "HTTPRoute",
)
_NODES = ("classifier", "other")
_MARK, _MARK_ON_OBJECT = "people.example.com/mark", "people.example.com/mark-on-object"


@dataclass
class People:
    """`manifests` is what they want to have; `marks` are labels that they put on objects of the operator's."""

    cluster: Cluster
    random: Random
    names: tuple[str, ...]
    manifests: dict[tuple[str, str], Document] = field(default_factory=dict)
    marks: dict[tuple[str, str], tuple[str, str]] = field(default_factory=dict)

    async def act(self) -> None:
        """Do one thing."""
        action: Callable[[People], Any] = self.random.choice(_ACTIONS)
        await action(self)

    def _one(self) -> Document | None:
        return self.manifests[self.random.choice(sorted(self.manifests))] if self.manifests else None

    async def create(self) -> None:
        # Ways in bear the name of what they lead to, so that one name serves one kind.
        place = self.random.randrange(len(self.names))
        kind, name = ("SeldonDeployment", "InferenceService")[place % 2], self.names[place]
        if (kind, name) in self.manifests or self.cluster.find(kind, name) is not None:
            return
        document = sdep(name) if kind == "SeldonDeployment" else _isvc(name)
        self.manifests[kind, name] = document
        await self.cluster.create(deepcopy(document))

    async def scale(self) -> None:
        await self._change("replicas", "minReplicas", self.random.randint(1, 3))

    async def move_model(self) -> None:
        await self._change("modelUri", "storageUri", f"gs://models/{self.random.randint(1, 9)}")

    async def _change(self, in_seldon: str, in_kserve: str, value: Any) -> None:
        document = self._one()
        if document is None:
            return
        if document["kind"] == "SeldonDeployment":
            predictor = document["spec"]["predictors"][0]
            (predictor["graph"] if in_seldon == "modelUri" else predictor)[in_seldon] = value
        else:
            predictor = document["spec"]["predictor"]
            (predictor["model"] if in_kserve == "storageUri" else predictor)[in_kserve] = value
        await self._save(document)

    async def rename_node(self) -> None:
        document = self._one()
        if document is not None and document["kind"] == "SeldonDeployment":
            predictor = document["spec"]["predictors"][0]
            predictor["graph"]["name"] = name = self.random.choice(_NODES)
            for pod in predictor.get("componentSpecs", ()):
                pod["spec"]["containers"] = [{"name": name}]
            await self._save(document)

    async def autoscale(self) -> None:
        document = self._one()
        if document is None or document["kind"] != "SeldonDeployment":
            return
        predictor = document["spec"]["predictors"][0]
        if "componentSpecs" in predictor:
            del predictor["componentSpecs"]
        else:
            metric = {"type": "Resource", "resource": {"name": "cpu", "targetAverageUtilization": 70}}
            name = predictor["graph"]["name"]
            hpa = {"minReplicas": 1, "maxReplicas": 4, "metrics": [metric]}
            predictor["componentSpecs"] = [{"hpaSpec": hpa, "spec": {"containers": [{"name": name}]}}]
        await self._save(document)

    async def label(self) -> None:
        document = self._one()
        if document is not None:
            document["metadata"].setdefault("labels", {})[_MARK] = str(self.random.randint(1, 99))
            await self._save(document)

    async def _save(self, document: Document) -> None:
        live = self.cluster.get(document["kind"], document["metadata"]["name"])
        metadata = {**live["metadata"], "labels": document["metadata"].get("labels")}
        await self.cluster.replace({**live, "metadata": metadata, "spec": deepcopy(document["spec"])})

    async def delete(self) -> None:
        document = self._one()
        if document is not None and len(self.manifests) > 2:
            del self.manifests[document["kind"], document["metadata"]["name"]]
            policy = self.random.choice(("Background", "Foreground"))
            await self.cluster.delete(document, propagationPolicy=policy)

    def _object(self) -> Document | None:
        found = [item for kind in OWNED for item in self.cluster.objects(kind) if _is_owned(item)]
        return self.random.choice(found) if found else None

    async def break_object(self) -> None:
        found = self._object()
        if found is not None and found["kind"] == "Deployment":
            containers = found["spec"]["template"]["spec"]["containers"]
            containers[0]["image"] = "example.com/not/this:one"
            await self.cluster.merge(found, {"spec": {"replicas": 7, "template": {"spec": {"containers": containers}}}})
        elif found is not None and found["kind"] == "Service":
            await self.cluster.merge(found, {"spec": {"selector": {"app": "stolen"}}})

    async def delete_object(self) -> None:
        found = self._object()
        if found is not None:
            await self.cluster.delete(found)

    async def mark_object(self) -> None:
        found = self._object()
        if found is not None:
            value = str(self.random.randint(1, 99))
            await self.cluster.merge(found, {"metadata": {"labels": {_MARK_ON_OBJECT: value}}})
            kind = found["kind"] if found["kind"] != "Service" else "services."
            self.marks[kind, found["metadata"]["name"]] = (found["metadata"]["uid"], value)

    async def disturb(self) -> None:
        cluster = self.cluster
        self.random.choice((cluster.expire, cluster.cut_watches, cluster.end_watches, cluster.bookmark))()

    async def change_fates(self) -> None:
        self.cluster.world.pods.default = self.random.choice((Fate.READY, Fate.STARTING, Fate.CRASH, Fate.IMAGE_PULL))

    async def wait(self) -> None:
        self.cluster.settle()

    def lost_changes(self) -> list[str]:
        """What they said and is not so any more."""
        lost = []
        for (kind, name), document in self.manifests.items():
            live = self.cluster.get(kind, name)
            if live["spec"] != document["spec"]:
                lost.append(f"the specification of {kind} {name}")
            if (live["metadata"].get("labels") or {}) != (document["metadata"].get("labels") or {}):
                lost.append(f"the labels of {kind} {name}")
        for (kind, name), (uid, value) in self.marks.items():
            live = self.cluster.find(kind, name) or {"metadata": {}}
            if (
                live["metadata"].get("uid") == uid
                and (live["metadata"].get("labels") or {}).get(_MARK_ON_OBJECT) != value
            ):
                lost.append(f"the mark on {kind} {name}")
        return lost


_ACTIONS: tuple[Callable[[People], Any], ...] = (
    People.create,
    People.create,
    People.scale,
    People.move_model,
    People.rename_node,
    People.autoscale,
    People.label,
    People.delete,
    People.break_object,
    People.delete_object,
    People.mark_object,
    People.disturb,
    People.change_fates,
    People.wait,
    People.wait,
)


def _isvc(name: str) -> Document:
    document = isvc({"minReplicas": 1, **model()})
    return {**document, "metadata": {"name": name, "namespace": "default"}}


def _is_owned(document: Document) -> bool:
    return "ownerReferences" in document["metadata"]


def owned_objects(cluster: Cluster) -> dict[str, Document]:
    """What the operator made, without what differs from one cluster to the next and what autoscalers decide."""
    scaled = {item["spec"]["scaleTargetRef"]["name"] for item in cluster.objects("HorizontalPodAutoscaler")}
    return {
        f"{item['kind']} {item['metadata']['name']}": _bare(item, is_scaled=item["metadata"]["name"] in scaled)
        for kind in OWNED
        for item in cluster.state.storage.all(cluster.resource(kind).key)
        if _is_owned(item)
    }


_OF_THIS_CLUSTER = ("clusterIP", "clusterIPs")


def _bare(document: Document, *, is_scaled: bool) -> Document:
    metadata = document["metadata"]
    labels = {key: value for key, value in (metadata.get("labels") or {}).items() if key != _MARK_ON_OBJECT}
    owners = [{key: value for key, value in item.items() if key != "uid"} for item in metadata["ownerReferences"]]
    body = {key: value for key, value in document.items() if key not in ("metadata", "status")}
    if document["kind"] == "Service":
        body["spec"] = {key: value for key, value in body["spec"].items() if key not in _OF_THIS_CLUSTER}
    if document["kind"] == "Deployment" and is_scaled:
        body["spec"] = {key: value for key, value in body["spec"].items() if key != "replicas"}
    return {**body, "metadata": {"labels": labels, "ownerReferences": owners}}


def orphans(cluster: Cluster) -> list[str]:
    """Objects whose owner is not there."""
    state = cluster.state
    return [
        f"{item['kind']} {item['metadata']['name']}"
        for _, item in state.storage.everything()
        for owner in item["metadata"].get("ownerReferences") or ()
        if state.storage.by_uid(owner["uid"]) is None
    ]
