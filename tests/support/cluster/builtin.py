"""What an API server does to built-in objects beyond their schema: addresses are allocated, texts become bytes, and
some fields cannot be changed.
"""

import base64
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from support.cluster.refusals import Cause

Document = dict[str, Any]
Key = tuple[str, str]
_SERVICES, _NAMESPACES, _SECRETS = ("", "services"), ("", "namespaces"), ("", "secrets")
_PODS = ("", "pods")


@dataclass
class Allocator:
    """Cluster IPs and node ports, never given twice."""

    next_ip: int = 10
    next_port: int = 30000
    taken: set[str] = field(default_factory=set)

    def ip(self) -> str:
        """The next free one of 10.96.0.0/12."""
        while True:
            self.next_ip += 1
            found = f"10.96.{self.next_ip // 250}.{self.next_ip % 250}"
            if found not in self.taken:
                self.taken.add(found)
                return found

    def port(self) -> int:
        """The next of those for nodes."""
        self.next_port += 1
        return self.next_port


def prepare(key: Key, new: Document, old: Document | None, allocator: Allocator) -> None:
    """Fill in what the server decides; changes `new`."""
    if key in _PREPARE:
        _PREPARE[key](new, old, allocator)


def _service(new: Document, old: Document | None, allocator: Allocator) -> None:
    spec = new["spec"]
    if spec.get("type") == "ExternalName":
        return
    before = (old or {}).get("spec", {})
    if not spec.get("clusterIP"):
        spec["clusterIP"] = before.get("clusterIP") or allocator.ip()
    allocator.taken.add(spec["clusterIP"])
    spec["clusterIPs"] = [spec["clusterIP"]]
    if spec.get("type") in ("NodePort", "LoadBalancer"):
        known = {(port["port"], port["protocol"]): port.get("nodePort") for port in before.get("ports") or ()}
        for port in spec.get("ports") or ():
            port.setdefault("nodePort", known.get((port["port"], port["protocol"])) or allocator.port())
    new.setdefault("status", {"loadBalancer": {}})


def _namespace(new: Document, _old: Document | None, _allocator: Allocator) -> None:
    metadata = new["metadata"]
    metadata["labels"] = {**(metadata.get("labels") or {}), "kubernetes.io/metadata.name": metadata["name"]}
    new.setdefault("spec", {}).setdefault("finalizers", ["kubernetes"])
    new.setdefault("status", {"phase": "Active"})


def _secret(new: Document, _old: Document | None, _allocator: Allocator) -> None:
    for name, text in (new.pop("stringData", None) or {}).items():
        new.setdefault("data", {})[name] = base64.b64encode(text.encode()).decode()


def _pod(new: Document, _old: Document | None, _allocator: Allocator) -> None:
    new.setdefault("status", {"phase": "Pending", "qosClass": "BestEffort"})
    new["spec"].setdefault("serviceAccountName", "default")
    new["spec"].setdefault("serviceAccount", new["spec"]["serviceAccountName"])
    new["spec"].setdefault("enableServiceLinks", True)
    new["spec"].setdefault("preemptionPolicy", "PreemptLowerPriority")
    new["spec"].setdefault("priority", 0)


def _job(new: Document, _old: Document | None, _allocator: Allocator) -> None:
    if new["spec"].get("manualSelector") or "selector" in new["spec"]:
        return
    uid = new["metadata"]["uid"]
    labels = {"batch.kubernetes.io/controller-uid": uid, "controller-uid": uid}
    labels |= {"batch.kubernetes.io/job-name": new["metadata"]["name"], "job-name": new["metadata"]["name"]}
    template = new["spec"]["template"].setdefault("metadata", {})
    template["labels"] = {**(template.get("labels") or {}), **labels}
    new["spec"]["selector"] = {"matchLabels": {"batch.kubernetes.io/controller-uid": uid}}


_PREPARE: dict[Key, Callable[[Document, Document | None, Allocator], None]] = {
    _SERVICES: _service,
    _NAMESPACES: _namespace,
    _SECRETS: _secret,
    _PODS: _pod,
    ("batch", "jobs"): _job,
}

_IMMUTABLE: dict[Key, tuple[str, ...]] = {
    ("apps", "deployments"): ("spec.selector",),
    ("apps", "replicasets"): ("spec.selector",),
    ("batch", "jobs"): ("spec.selector", "spec.template", "spec.completionMode"),
    _SECRETS: ("type",),
    ("", "persistentvolumeclaims"): ("spec.accessModes", "spec.storageClassName", "spec.selector"),
}
_ROLE_REFS = (("rbac.authorization.k8s.io", "rolebindings"), ("rbac.authorization.k8s.io", "clusterrolebindings"))


def changes_of_the_immutable(key: Key, new: Document, old: Document) -> list[Cause]:
    """Fields that cannot be changed once they are set."""
    found = [
        Cause(path, f"Invalid value: {_shown(_at(new, path))}: field is immutable")
        for path in _IMMUTABLE.get(key, ())
        if _at(new, path) != _at(old, path)
    ]
    if key in _ROLE_REFS and new.get("roleRef") != old.get("roleRef"):
        found.append(Cause("roleRef", f"Invalid value: {_shown(new.get('roleRef'))}: cannot change roleRef"))
    ip, was = _at(new, "spec.clusterIP"), _at(old, "spec.clusterIP")
    if key == _SERVICES and was and ip != was and _at(new, "spec.type") != "ExternalName":
        found.append(Cause("spec.clusterIPs[0]", f'Invalid value: ["{ip}"]: may not change once set'))
    for kind, parts in (("", "configmaps"), ("data", "binaryData")), (_SECRETS, ("data",)):
        if key == kind and old.get("immutable") and any(new.get(part) != old.get(part) for part in parts):
            found.append(Cause("data", "Forbidden: field is immutable when `immutable` is set"))
    return found


def _at(document: Document, path: str) -> Any:
    value: Any = document
    for part in path.split("."):
        value = (value or {}).get(part)
    return value


def _shown(value: Any) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value)
