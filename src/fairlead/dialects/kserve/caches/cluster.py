"""Local model caches in a cluster, where we make none.

A cache there is volumes on nodes and a process on each of them that fills these. KServe has controllers of its own for
that, which run beside its operator and beside ours, and write the statuses of caches; what they tell is left alone. A
cache that nobody tells of says why it stays empty: every pod fetches its model then, as it does without a cache.
"""

from typing import Any

from fairlead.dialects.base import Document
from fairlead.dialects.kserve.caches.status import READY
from fairlead.dialects.kserve.config import InferenceServiceConfig
from fairlead.dialects.kserve.inference_service.conditions import Condition, write
from fairlead.plan.layout import Layout
from fairlead.plan.model import Owner

NOT_DONE = "CachesNotDone"
_TOLD_BY_OTHERS = ("nodeStatus", "copies")
_MESSAGE = (
    "caches on the nodes of a cluster are not made by this operator; pods fetch their models. A model that is to be "
    "fetched once goes into a PersistentVolumeClaim, with storageUri pvc://<claim>/<path>"
)
_WAITING = (
    "caches on the nodes of a cluster are made by KServe's local model controller and its agents, and none has told of "
    "this one yet; with localModel.enabled services wait for its volumes"
)


def lay_out(doc: Document) -> Layout:
    """Nothing."""
    meta = doc["metadata"]
    return Layout(
        owner=Owner(
            api_version=doc["apiVersion"],
            kind=doc["kind"],
            namespace=meta.get("namespace", ""),
            name=meta["name"],
            uid=meta.get("uid", ""),
            generation=meta.get("generation", 0),
        )
    )


def cluster_status(doc: Document, config: InferenceServiceConfig, *, now: str) -> dict[str, Any]:
    """What others tell, or that nobody does."""
    previous = doc.get("status") or {}
    if any(previous.get(key) for key in _TOLD_BY_OTHERS):
        return dict(previous)
    message = _WAITING if config.local_model.enabled else _MESSAGE
    missing = Condition(type=READY, is_true=False, reason=NOT_DONE, message=message)
    return {
        "conditions": write([missing], previous, now=now),
        "observedGeneration": doc["metadata"].get("generation", 0),
    }
