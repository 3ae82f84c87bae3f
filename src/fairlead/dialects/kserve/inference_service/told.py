"""What a document's status told last: the memory of roll-outs, which outlives every process."""

from collections.abc import Iterator, Mapping
from typing import Any

from fairlead.dialects.base import Document


def status_of(doc: Document) -> Mapping[str, Any]:
    """The whole status; empty when there is none yet."""
    status = doc.get("status")
    return status if isinstance(status, Mapping) else {}


def component(doc: Document, role: str) -> Mapping[str, Any]:
    """`status.components.<role>`."""
    components = status_of(doc).get("components")
    told = components.get(role) if isinstance(components, Mapping) else None
    return told if isinstance(told, Mapping) else {}


def has_url(doc: Document, role: str) -> bool:
    """Whether a component of Standard mode has been ready: its address is told from then on."""
    return bool(component(doc, role).get("url"))


def condition(doc: Document, type_: str) -> Mapping[str, Any]:
    """The condition of this type; empty when there is none."""
    return next((one for one in _objects(status_of(doc).get("conditions")) if one.get("type") == type_), {})


def is_true(doc: Document, type_: str) -> bool:
    """Whether this condition was true."""
    return condition(doc, type_).get("status") == "True"


RUNTIME_FIELDS = {"ServingRuntime": "servingRuntimeName", "ClusterServingRuntime": "clusterServingRuntimeName"}
"""Where a status names a runtime, by its kind."""
IS_NEW = "IsNew"
"""Ends the reason of an ingress that waits for a component which a service that is up did not have before."""


def is_in_service(doc: Document) -> bool:
    """Whether requests found the service, before a component came that may not be ready yet."""
    ingress = condition(doc, "IngressReady")
    return ingress.get("status") == "True" or str(ingress.get("reason")).endswith(IS_NEW)


def ready_canaries(doc: Document) -> frozenset[str]:
    """The canaries that were ready."""
    told = _objects(status_of(doc).get("canaryStatuses"))
    return frozenset(str(one.get("name")) for one in told if one.get("ready") is True)


def model_status(doc: Document) -> Mapping[str, Any]:
    """`status.modelStatus`."""
    told = status_of(doc).get("modelStatus")
    return told if isinstance(told, Mapping) else {}


def runtime(doc: Document) -> dict[str, str] | None:
    """The runtime that the status names."""
    for kind, field in RUNTIME_FIELDS.items():
        if name := status_of(doc).get(field):
            return {"kind": kind, "name": str(name)}
    return None


def _objects(value: object) -> Iterator[Mapping[str, Any]]:
    if isinstance(value, list | tuple):
        yield from (one for one in value if isinstance(one, Mapping))
