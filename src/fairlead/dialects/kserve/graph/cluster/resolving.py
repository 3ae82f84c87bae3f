"""A graph as its router reads it: the manifest's spec, with the URL of every service that a step names."""

import json
from typing import Any

from fairlead.dialects.base import Document
from fairlead.dialects.kserve.graph.crd import SERVICE
from fairlead.dialects.kserve.graph.schema import GraphStep, InferenceGraph
from fairlead.dialects.kserve.graph.targets import ServiceMissing, holds_many, predict_path
from fairlead.dialects.kserve.inference_service.cluster.addresses import expected_address
from fairlead.dialects.kserve.site import Site

_READ_BY_ROUTERS = ("nodes", "routerTimeouts")


def resolved(graph: InferenceGraph, doc: Document, site: Site) -> str:
    """The JSON of a router's argument. What changes the graph alone is in it, so that a change of its scale starts no
    new router. Raises `ServiceMissing` and `NoProtocol`."""
    spec = graph.spec
    nodes: dict[str, Any] = {}
    for name, node in spec.nodes.items():
        written = doc["spec"]["nodes"][name]
        steps = [
            {**raw, **_url(step, graph.metadata.namespace, site)}
            for raw, step in zip(written.get("steps") or (), node.steps, strict=True)
        ]
        nodes[name] = {**written, "steps": steps}
    read = {**{key: doc["spec"][key] for key in _READ_BY_ROUTERS if doc["spec"].get(key)}, "nodes": nodes}
    return json.dumps(read, separators=(",", ":"), ensure_ascii=False, sort_keys=True)


def _url(step: GraphStep, namespace: str, site: Site) -> dict[str, str]:
    if not step.service_name:
        return {}
    return {"serviceUrl": service_url(step.service_name, namespace, site)}


def service_url(name: str, namespace: str, site: Site) -> str:
    """Where a step asks an InferenceService: as its status tells, or as it will be. Raises `ServiceMissing` and
    `NoProtocol`."""
    doc = site.world.get(SERVICE, namespace, name)
    if doc is None:
        raise ServiceMissing(name)
    told = ((doc.get("status") or {}).get("address") or {}).get("url")
    path = "" if holds_many(doc) else predict_path(doc, site.world)
    return f"{str(told or expected_address(doc, site)).rstrip('/')}{path}"
