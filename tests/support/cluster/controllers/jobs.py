"""Jobs: one pod each, whose end is the job's."""

from typing import Any

from support.cluster import hands
from support.cluster.controllers.base import Controller
from support.cluster.metadata import generated_name

Document = dict[str, Any]
PODS = ("", "pods")


class Jobs(Controller):
    """The job controller. Its pods end when they are given such a fate (`Fate.SUCCEEDED`)."""

    key = ("batch", "jobs")

    def reconcile(self, document: Document) -> bool:
        """Make the pod, then follow it."""
        if hands.is_going(document) or document["spec"].get("suspend"):
            return False
        pods = list(self.owned(PODS, document))
        if not pods and not (document.get("status") or {}).get("conditions"):
            self._make(document)
            return True
        phases = [(pod.get("status") or {}).get("phase") for pod in pods]
        return self._report(document, phases)

    def _make(self, document: Document) -> None:
        template = document["spec"]["template"]
        name = generated_name(f"{document['metadata']['name']}-", self.state.random)
        metadata = {"name": name, "namespace": document["metadata"]["namespace"]}
        labels = (template.get("metadata") or {}).get("labels") or {}
        own = {f"{prefix}job-name": document["metadata"]["name"] for prefix in ("", "batch.kubernetes.io/")}
        metadata |= {"labels": {**labels, **own}}
        metadata |= {"ownerReferences": [hands.owner(self.resource, document)]}
        hands.create(self.state, self.resource_of(PODS), {"metadata": metadata, "spec": template["spec"]})

    def _report(self, document: Document, phases: list[str | None]) -> bool:
        old = document.get("status") or {}
        if any(item["type"] in ("Complete", "Failed") for item in old.get("conditions") or ()):
            return False
        now = self.state.now()
        status: Document = {"startTime": old.get("startTime", now)}
        if "Succeeded" in phases:
            status |= {"succeeded": 1, "ready": 0, "completionTime": now}
            status["conditions"] = [hands.condition(old, "Complete", True, "CompletionsReached", "", now)]
        elif "Failed" in phases:
            text = "Job has reached the specified backoff limit"
            status |= {"failed": 1, "ready": 0}
            status["conditions"] = [hands.condition(old, "Failed", True, "BackoffLimitExceeded", text, now)]
        else:
            status |= {"active": len(phases), "ready": sum(phase == "Running" for phase in phases)}
        return hands.set_status(self.state, self.resource, document, status)
