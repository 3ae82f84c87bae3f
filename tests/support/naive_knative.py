"""Knative Serving as far as an InferenceService sees it: a revision for each change of a template, traffic to those
that are ready. Plain and synchronous."""

from dataclasses import dataclass, field
from typing import Any

from fairlead.dialects.base import Document
from fairlead.plan.layout import OnDemandWorkload, PodTemplate, Share


@dataclass
class NaiveKnative:
    """One Service. Its newest revision comes up when the test says so."""

    name: str
    namespace: str = "models"
    revisions: list[PodTemplate] = field(default_factory=list)
    ready: set[str] = field(default_factory=set)
    failed: set[str] = field(default_factory=set)
    generation: int = 0
    asked: OnDemandWorkload | None = None

    def apply(self, workload: OnDemandWorkload) -> None:
        """What an operator writes."""
        if self.asked != workload:
            self.asked, self.generation = workload, self.generation + 1
        if not self.revisions or self.revisions[-1] != workload.pod:
            self.revisions.append(workload.pod)

    def come_up(self) -> None:
        """The newest revision is ready."""
        self.ready.add(self.created)
        self.failed.discard(self.created)

    def fail(self) -> None:
        """The newest revision will not come up."""
        if self.created not in self.ready:
            self.failed.add(self.created)

    @property
    def created(self) -> str:
        return self._name(len(self.revisions))

    @property
    def latest_ready(self) -> str:
        names = [self._name(index + 1) for index in range(len(self.revisions))]
        return next((name for name in reversed(names) if name in self.ready), "")

    def traffic(self) -> list[dict[str, Any]]:
        """Where requests go. Knative leaves targets that are not ready out until they are."""
        assert self.asked is not None
        found = [self._target(share) for share in self.asked.traffic or (Share(percent=100),)]
        return found if all(target["revisionName"] for target in found) else []

    def service(self) -> Document:
        """The object as it is read back."""
        host = f"{self.name}.{self.namespace}.example.com"
        return {
            "apiVersion": "serving.knative.dev/v1",
            "kind": "Service",
            "metadata": {"name": self.name, "namespace": self.namespace, "generation": self.generation},
            "status": {
                "observedGeneration": self.generation,
                "latestCreatedRevisionName": self.created,
                "latestReadyRevisionName": self.latest_ready,
                "url": f"http://{host}",
                "address": {"url": f"http://{self.name}.{self.namespace}.svc.cluster.local"},
                "traffic": self.traffic(),
                "conditions": self._conditions(),
            },
        }

    def _conditions(self) -> list[dict[str, Any]]:
        configured: dict[str, Any] = {"type": "ConfigurationsReady", "status": "Unknown"}
        if self.created in self.ready:
            configured["status"] = "True"
        elif self.created in self.failed:
            message = f'Revision "{self.created}" failed with message: no such image.'
            configured |= {"status": "False", "reason": "RevisionFailed", "message": message}
        routed: dict[str, Any] = {"type": "RoutesReady", "status": "True" if self.traffic() else "Unknown"}
        worst = next((one for one in (configured, routed) if one["status"] != "True"), configured)
        return [configured, {**worst, "type": "Ready"}, routed]

    def _target(self, share: Share) -> dict[str, Any]:
        name = share.revision or self.latest_ready
        target: dict[str, Any] = {"revisionName": name, "latestRevision": not share.revision, "percent": share.percent}
        return {**target, "tag": share.tag, "url": f"http://{share.tag}-{self.name}"} if share.tag else target

    def _name(self, number: int) -> str:
        return f"{self.name}-{number:05d}" if number else ""
