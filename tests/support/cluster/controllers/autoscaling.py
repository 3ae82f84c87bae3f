"""The controller of HorizontalPodAutoscalers: keeps targets within bounds and says what it sees."""

from typing import Any

from support.cluster import hands
from support.cluster.controllers.base import Controller
from support.cluster.state import State

Document = dict[str, Any]


class Autoscalers(Controller):
    """`wanted` is what the load would ask for, by namespace and name of the autoscaler; bounds apply."""

    key = ("autoscaling", "horizontalpodautoscalers")

    def __init__(self, state: State) -> None:
        super().__init__(state)
        self.wanted: dict[tuple[str, str], int] = {}

    def reconcile(self, document: Document) -> bool:
        """Scale the target, then the status."""
        if hands.is_going(document):
            return False
        metadata, spec = document["metadata"], document["spec"]
        target = self._target(document)
        if target is None:
            return self._report(document, 0, 0, is_able=False)
        current = target["spec"].get("replicas", 1)
        asked = self.wanted.get((metadata["namespace"], metadata["name"]), current)
        desired = min(max(asked, spec.get("minReplicas", 1)), spec["maxReplicas"])
        if desired != current and current:
            new = {**target, "spec": {**target["spec"], "replicas": desired}}
            resource = self.state.kinds.of_kind(target["apiVersion"], target["kind"])
            assert resource is not None
            return hands.change(self.state, resource, target, new)
        return self._report(document, (target.get("status") or {}).get("replicas", 0), desired, is_able=True)

    def _target(self, document: Document) -> Document | None:
        reference = document["spec"]["scaleTargetRef"]
        resource = self.state.kinds.of_kind(reference.get("apiVersion", "v1"), reference["kind"])
        if resource is None:
            return None
        return self.state.storage.get(resource.key, document["metadata"]["namespace"], reference["name"])

    def _report(self, document: Document, current: int, desired: int, *, is_able: bool) -> bool:
        old, now = document.get("status"), self.state.now()
        text = "the HPA controller was able to get the target's current scale"
        how = (True, "SucceededGetScale", text) if is_able else (False, "FailedGetScale", "the target was not found")
        status: Document = {"currentReplicas": current, "desiredReplicas": desired, "currentMetrics": None}
        status["conditions"] = [hands.condition(old, "AbleToScale", *how, now)]
        return hands.set_status(self.state, self.resource, document, status)
