"""Documents of Yatai's kinds, and what a back-end tells of them."""

from typing import Any

from fairlead.dialects.base import Document
from fairlead.plan.bentos import BentoFacts, BentoStyle, ImageStatus, RunnerFacts
from fairlead.plan.model import Owner
from fairlead.plan.status import ModelState, ModelStatus, PlanStatus, Progress

TAG = "iris_classifier:gsb2nhd6tc4k"
MODEL = "iris_clf:aaa"
NAMESPACE = "models"
FACTS = BentoFacts(
    style=BentoStyle.OLD,
    service="iris_classifier",
    bentoml_version="1.1.11",
    runners=(RunnerFacts(name="iris_clf", type="SklearnRunnable", models=(MODEL,)),),
    models=(MODEL,),
)


def request(name: str = "iris", *, uid: str = "r-1", status: Document | None = None, **spec: Any) -> dict[str, Any]:
    """A BentoRequest."""
    doc = {
        "apiVersion": "resources.yatai.ai/v1alpha1",
        "kind": "BentoRequest",
        "metadata": {"name": name, "namespace": NAMESPACE, "uid": uid, "generation": 1},
        "spec": {"bentoTag": TAG, **spec},
    }
    return {**doc, "status": status} if status is not None else doc


def bento(name: str = "iris", *, owner: Document | None = None, **spec: Any) -> dict[str, Any]:
    """A Bento, of a request or of nobody."""
    metadata: dict[str, Any] = {"name": name, "namespace": NAMESPACE, "uid": "b-1"}
    if owner is not None:
        metadata["ownerReferences"] = [{"kind": owner["kind"], "name": name, "uid": owner["metadata"]["uid"]}]
    return {
        "apiVersion": "resources.yatai.ai/v1alpha1",
        "kind": "Bento",
        "metadata": metadata,
        "spec": {"tag": TAG, "image": "registry.lan/iris:1", **spec},
    }


def deployment(name: str = "iris", *, version: str = "v2alpha1", **spec: Any) -> dict[str, Any]:
    """A BentoDeployment."""
    return {
        "apiVersion": f"serving.yatai.ai/{version}",
        "kind": "BentoDeployment",
        "metadata": {"name": name, "namespace": NAMESPACE, "uid": "d-1", "generation": 1},
        "spec": spec or {"bento": "iris"},
    }


def owner_of(doc: Document) -> Owner:
    """Whose plan it is."""
    metadata = doc["metadata"]
    return Owner(
        api_version=doc["apiVersion"],
        kind=doc["kind"],
        namespace=metadata["namespace"],
        name=metadata["name"],
        uid=metadata["uid"],
        generation=metadata.get("generation", 1),
    )


def brought(
    doc: Document,
    state: ModelState = ModelState.READY,
    *,
    models: ModelState | None = ModelState.READY,
    facts: BentoFacts | None = FACTS,
    image: ImageStatus | None = None,
    progress: Progress | None = None,
    message: str = "",
    reason: str = "",
) -> PlanStatus:
    """How far what a request asked for is. Without a state for `models` nobody asked for them yet."""
    tag = doc["spec"]["bentoTag"]
    found = [
        ModelStatus(name=tag, state=state, facts=facts, image=image, progress=progress, message=message, reason=reason)
    ]
    if models is not None:
        found.append(ModelStatus(name=MODEL, state=models))
    return PlanStatus(owner=owner_of(doc), components=(), routed=True, prefetched=tuple(found))


def condition(status: Document, type_: str) -> dict[str, Any]:
    """One condition of a status."""
    return next((dict(one) for one in status["conditions"] if one["type"] == type_), {})
