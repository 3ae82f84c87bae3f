"""What answers for routes: a gateway that accepts Gateway API routes, and an Ingress controller."""

from typing import Any

from support.cluster import hands
from support.cluster.controllers.base import Controller
from support.cluster.state import State

Document = dict[str, Any]
_CONTROLLER = "gateway.example.com/controller"
_SERVICES = ("", "services")


class Routes(Controller):
    """Accepts every HTTPRoute or GRPCRoute of every parent, but for those (`namespace/name`) that a test refuses."""

    def __init__(self, state: State, plural: str) -> None:
        super().__init__(state)
        self.key = ("gateway.networking.k8s.io", plural)
        self.refused: set[str] = set()

    def reconcile(self, document: Document) -> bool:
        """Say of each parent what became of the route there."""
        if hands.is_going(document):
            return False
        old = document.get("status") or {}
        before = {repr(item["parentRef"]): item for item in old.get("parents") or ()}
        references = document["spec"].get("parentRefs") or ()
        parents = [self._parent(document, item, before.get(repr(item))) for item in references]
        return hands.set_status(self.state, self.resource, document, {"parents": parents}, manager="gateway")

    def _parent(self, document: Document, reference: Document, old: Document | None) -> Document:
        now, generation = self.state.now(), document["metadata"]["generation"]
        name = f"{document['metadata']['namespace']}/{document['metadata']['name']}"
        how = (
            (False, "NotAllowedByListeners", "no listener takes it") if name in self.refused else (True, "Accepted", "")
        )
        missing = self._missing(document)
        resolved = (False, "BackendNotFound", f"no Service {missing[0]}") if missing else (True, "ResolvedRefs", "")
        conditions = [
            hands.condition(old, "Accepted", *how, now, observedGeneration=generation),
            hands.condition(old, "ResolvedRefs", *resolved, now, observedGeneration=generation),
        ]
        conditions = [{**item, "message": item.get("message", "")} for item in conditions]
        return {"parentRef": reference, "controllerName": _CONTROLLER, "conditions": conditions}

    def _missing(self, document: Document) -> list[str]:
        backends = [item for rule in document["spec"].get("rules") or () for item in rule.get("backendRefs") or ()]
        home = document["metadata"]["namespace"]
        return [
            item["name"]
            for item in backends
            if item.get("kind", "Service") == "Service"
            and self.state.storage.get(_SERVICES, item.get("namespace", home), item["name"]) is None
        ]


class Ingresses(Controller):
    """Gives every Ingress an address."""

    key = ("networking.k8s.io", "ingresses")

    def reconcile(self, document: Document) -> bool:
        """Its address."""
        if hands.is_going(document):
            return False
        status = {"loadBalancer": {"ingress": [{"ip": "203.0.113.10"}]}}
        return hands.set_status(self.state, self.resource, document, status, manager="ingress")
