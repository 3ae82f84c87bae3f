"""Services, Ingresses and NetworkPolicies."""

import ipaddress
from collections.abc import Iterator
from typing import Any

from support.cluster.metadata import labels_problems
from support.cluster.refusals import Cause
from support.cluster.validation import words

Document = dict[str, Any]
_TYPES = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
_PATH_TYPES = ("Exact", "ImplementationSpecific", "Prefix")


def service(document: Document) -> Iterator[Cause]:
    """A Service: each port once, and with a name if there are several."""
    spec = document["spec"]
    ports = spec.get("ports") or ()
    yield from words.unsupported("spec.type", spec.get("type"), _TYPES)
    yield from labels_problems(spec.get("selector"), "spec.selector")
    if spec.get("type") == "ExternalName":
        if not spec.get("externalName"):
            yield words.required("spec.externalName")
        if spec.get("clusterIP"):
            yield words.forbidden("spec.clusterIPs", "may not be set for ExternalName services")
    elif not ports and spec.get("clusterIP") != "None":
        yield words.required("spec.ports")
    yield from _service_ports(ports)
    if spec.get("clusterIP") not in (None, "", "None"):
        try:
            ipaddress.ip_address(spec["clusterIP"])
        except ValueError:
            yield words.wrong("spec.clusterIPs[0]", spec["clusterIP"], "must be a valid IP address")


def _service_ports(ports: Any) -> Iterator[Cause]:
    names: set[str] = set()
    numbers: set[tuple[Any, Any]] = set()
    for place, item in enumerate(ports):
        at = f"spec.ports[{place}]"
        name = item.get("name", "")
        if not name and len(ports) > 1:
            yield words.required(f"{at}.name")
        elif name:
            yield from words.label(f"{at}.name", name)
            if name in names:
                yield words.duplicate(f"{at}.name", name)
        names.add(name)
        yield from words.port(f"{at}.port", item["port"])
        yield from words.port_or_name(f"{at}.targetPort", item.get("targetPort"))
        key = (item["port"], item.get("protocol"))
        if key in numbers:
            yield words.duplicate(at, {"port": item["port"], "protocol": item.get("protocol")})
        numbers.add(key)


def ingress(document: Document) -> Iterator[Cause]:
    """An Ingress: something to route, by paths of a known type."""
    spec = document.get("spec") or {}
    if not spec.get("rules") and not spec.get("defaultBackend"):
        yield words.wrong("spec", "", "either `defaultBackend` or `rules` must be specified")
    if spec.get("ingressClassName") is not None:
        yield from words.subdomain("spec.ingressClassName", spec["ingressClassName"])
    for place, rule in enumerate(spec.get("rules") or ()):
        at = f"spec.rules[{place}]"
        if rule.get("host"):
            yield from words.subdomain(f"{at}.host", rule["host"].removeprefix("*."))
        for number, path in enumerate((rule.get("http") or {}).get("paths") or ()):
            yield from _ingress_path(path, f"{at}.http.paths[{number}]")


def _ingress_path(path: Document, at: str) -> Iterator[Cause]:
    kind = path.get("pathType")
    yield from words.unsupported(f"{at}.pathType", kind, _PATH_TYPES)
    text = path.get("path", "")
    if kind in ("Exact", "Prefix") and not text.startswith("/"):
        yield words.wrong(f"{at}.path", text, "must be an absolute path")
    backend = path["backend"].get("service")
    if backend is not None:
        yield from words.label(f"{at}.backend.service.name", backend.get("name", ""))
        port = backend.get("port") or {}
        if len(port) != 1:
            yield words.required(f"{at}.backend", "port name or number is required")


def network_policy(document: Document) -> Iterator[Cause]:
    """A NetworkPolicy: peers are of one sort each."""
    for direction, side in (("ingress", "from"), ("egress", "to")):
        for place, rule in enumerate((document.get("spec") or {}).get(direction) or ()):
            for number, peer in enumerate(rule.get(side) or ()):
                at = f"spec.{direction}[{place}].{side}[{number}]"
                if not peer:
                    yield words.required(at, "must specify a peer")
                if "ipBlock" in peer and len(peer) > 1:
                    yield words.forbidden(at, "may not specify both ipBlock and another peer")
