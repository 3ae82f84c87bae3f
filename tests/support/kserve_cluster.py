"""KServe's dialect before a cluster: layouts of documents, and statuses of objects that a test names."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fairlead.dialects.base import Document
from fairlead.dialects.catalog import Catalog
from fairlead.dialects.clusters import ClusterSettings, Observed
from fairlead.dialects.kserve import KServeDialect
from fairlead.plan.layout import Layout
from support.isvc import Stored

KNATIVE = ClusterSettings(has_knative=True)
OWN_GATEWAY = ClusterSettings(has_own_gateway=True)
THEN, NOW = "2024-01-01T00:00:00Z", "2024-01-02T00:00:00Z"


@dataclass
class Cluster:
    """An installation, and what is stored beside the document that a test is about."""

    settings: ClusterSettings = ClusterSettings()  # noqa: RUF009 (frozen)
    stored: tuple[Document, ...] = ()

    def layout(self, doc: Document) -> Layout:
        """How a document lies there."""
        return KServeDialect().lay_out(doc, settings=self.settings, catalog=Catalog(), world=Stored(*self.stored))

    def status(self, doc: Document, *objects: Document, pods: tuple[Document, ...] = (), now: str = NOW) -> Any:
        """The status of a document whose objects are these."""
        observed = Observed(objects={key_of(one): one for one in objects}, pods=pods)
        layout = self.layout(doc)
        world = Stored(*self.stored)
        return KServeDialect().cluster_status(doc, layout, observed, settings=self.settings, now=now, world=world)


def key_of(doc: Document) -> tuple[str, str]:
    """Where an object stands among those that were observed."""
    is_knative = str(doc["apiVersion"]).startswith("serving.knative.dev/")
    return ("KnativeService" if is_knative else doc["kind"]), doc["metadata"]["name"]


def settings_map(**sections: str) -> Document:
    """The ConfigMap of KServe's settings."""
    metadata = {"name": "inferenceservice-config", "namespace": "kserve"}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": sections}


def deployment(name: str, *, available: str = "True", reason: str = "", message: str = "") -> Document:
    """A Deployment that is up, or is not for a reason."""
    condition = {"type": "Available", "status": available, "reason": reason, "message": message}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "models", "generation": 1},
        "status": {"conditions": [condition], "observedGeneration": 1, "readyReplicas": int(available == "True")},
    }


def route(name: str, *, accepted: str | None = "True", message: str = "") -> Document:
    """An HTTPRoute that a gateway took, refused, or has not looked at."""
    conditions = [{"type": "Accepted", "status": accepted, "reason": "NoMatchingParent", "message": message}]
    status = {"parents": [{"conditions": conditions}]} if accepted is not None else {}
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": name},
        "status": status,
    }


def condition(status: Mapping[str, Any], type_: str) -> dict[str, Any]:
    """One condition of a status."""
    return next((one for one in status["conditions"] if one["type"] == type_), {})


def truths(status: Mapping[str, Any]) -> dict[str, str]:
    """The conditions of a status by type."""
    return {one["type"]: one["status"] for one in status["conditions"]}
