"""Which of our images a workload runs: the one that it was made with, until something else about its pods changes.

An upgrade brings another image, and every pod of every model would start anew for it at once. So a workload remembers
the image that was ours when its pods were made, and what these pods were. As long as the same pods come out under that
image they keep it; pods that change for another reason have today's. Everything is pure.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fairlead.backends.kubernetes.operator.comparing import fingerprint
from fairlead.backends.kubernetes.operator.resources import DEPLOYMENT, KNATIVE_SERVICE, ObjectKey, key_of
from fairlead.backends.kubernetes.render.own_gateway import LABEL
from fairlead.dialects.base import Document, World
from fairlead.plan.model import Plan
from fairlead.plan.status import PlanStatus

IMAGE = "fairlead.dev/image"
"""Annotation of a workload: the installation's image that its pods were made under."""
PODS = "fairlead.dev/pods"
"""Annotation of a workload: the fingerprint of its pods as they are under that image."""
FOLLOWS = "fairlead.dev/image-rollout"
"""Annotation of a resource: `true` has its pods made anew for every new image."""
SEEDED = "fairlead.dev/seeded"
"""Label of what an installation brought along: it is right, and when it comes there may be nobody yet whom an API
server could ask about it."""

Json = Mapping[str, Any]
Objects = Mapping[ObjectKey, Json]


def earlier_images(live: Objects, image: str) -> list[str]:
    """The images, other than this one, that an owner's workloads were made under."""
    return sorted({_annotation(doc, IMAGE) for key, doc in live.items() if _is_workload(key)} - {"", image})


def with_images_kept(
    wanted: Iterable[Json],
    live: Objects,
    image: str,
    *,
    under: Callable[[str], Sequence[Json]] = lambda _: (),
) -> list[dict[str, Any]]:
    """Today's objects, with the earlier form of each workload whose pods are what they were. `under` gives the objects
    as they would be under another image; without it everything follows this one."""
    earlier = {one: {key_of(doc): doc for doc in under(one)} for one in earlier_images(live, image)}
    return [dict(_chosen(doc, live, image, earlier)) for doc in wanted]


def _chosen(doc: Json, live: Objects, image: str, earlier: Mapping[str, Objects]) -> Json:
    key = key_of(doc)
    if not _is_workload(key):
        return doc
    there = _there(key, doc, live)
    if there is not None:
        before = _annotation(there, IMAGE)
        same = earlier.get(before, {}).get(key)
        if same is not None and _pods(same) == _annotation(there, PODS):
            return _remembering(same, before)
    return _remembering(doc, image)


def _there(key: ObjectKey, doc: Json, live: Objects) -> Json | None:
    """The workload that there is; of one in revisions, which are rendered as the first, the newest."""
    name = _label(doc, LABEL)
    if not name:
        return live.get(key)
    revisions = [one for other, one in live.items() if other.type == key.type and _label(one, LABEL) == name]
    return max(revisions, key=lambda one: str(one["metadata"]["name"]), default=None)


def _remembering(doc: Json, image: str) -> Json:
    metadata = doc["metadata"]
    annotations = {**(metadata.get("annotations") or {}), IMAGE: image, PODS: _pods(doc)}
    return {**doc, "metadata": {**metadata, "annotations": annotations}}


def _pods(doc: Json) -> str:
    return fingerprint(doc["spec"]["template"])


def _is_workload(key: ObjectKey) -> bool:
    return key.type in (DEPLOYMENT.key, KNATIVE_SERVICE.key)


def _label(doc: Json, name: str) -> str:
    return str((doc["metadata"].get("labels") or {}).get(name, ""))


def _annotation(doc: Json, name: str) -> str:
    return str((doc["metadata"].get("annotations") or {}).get(name, ""))


@dataclass(frozen=True, slots=True)
class Earlier:
    """The world as it was under another image: what we brought along ourselves names that one."""

    world: World
    now: str
    then: str

    def get(self, kind: str, namespace: str, name: str) -> Document | None:
        """One object."""
        found = self.world.get(kind, namespace, name)
        return None if found is None else self._before(found)

    def list(self, kind: str, namespace: str | None = None) -> Sequence[Document]:
        """All objects of a kind."""
        return [self._before(one) for one in self.world.list(kind, namespace)]

    def plan(self, kind: str, namespace: str, name: str) -> Plan | None:
        """What the world says."""
        return self.world.plan(kind, namespace, name)

    def observed(self, kind: str, namespace: str, name: str) -> PlanStatus | None:
        """What the world says."""
        return self.world.observed(kind, namespace, name)

    def _before(self, doc: Document) -> Document:
        is_seed = (doc["metadata"].get("labels") or {}).get(SEEDED) == "true"
        return {name: self._replaced(value) for name, value in doc.items()} if is_seed else doc

    def _replaced(self, value: Any) -> Any:
        if isinstance(value, Mapping):
            return {name: self._replaced(one) for name, one in value.items()}
        if isinstance(value, list | tuple):
            return [self._replaced(one) for one in value]
        return self.then if value == self.now else value
