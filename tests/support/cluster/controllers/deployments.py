"""Deployments make ReplicaSets, and ReplicaSets make pods.

A roll-out happens in passes: the new ReplicaSet is scaled up, and the old ones go when the new pods are available.
"""

import hashlib
from typing import Any

import orjson

from support.cluster import hands, pod_security
from support.cluster.controllers.base import Controller
from support.cluster.metadata import generated_name

Document = dict[str, Any]
DEPLOYMENTS, REPLICA_SETS, PODS = ("apps", "deployments"), ("apps", "replicasets"), ("", "pods")
_HASH = "pod-template-hash"
_REVISION = "deployment.kubernetes.io/revision"


def _template_hash(template: Document) -> str:
    return hashlib.sha256(orjson.dumps(template, option=orjson.OPT_SORT_KEYS)).hexdigest()[:10]


class Deployments(Controller):
    """The deployment controller. `late` are deployments whose progress deadline has passed."""

    key = DEPLOYMENTS

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.late: set[tuple[str, str]] = set()

    def reconcile(self, document: Document) -> bool:
        """Bring the ReplicaSets, then the status."""
        if hands.is_going(document):
            return False
        sets = list(self.owned(REPLICA_SETS, document))
        digest = _template_hash(document["spec"]["template"])
        new = next((item for item in sets if item["metadata"]["labels"].get(_HASH) == digest), None)
        if new is None:
            self._make(document, digest, len(sets) + 1)
            return True
        changed = self._scale(new, document["spec"]["replicas"])
        if _is_available(new, document["spec"]["replicas"]):
            changed |= sum(self._scale(item, 0) for item in sets if item is not new) > 0
        return changed or self._report(document, new, sets)

    def _make(self, document: Document, digest: str, revision: int) -> None:
        spec, name = document["spec"], f"{document['metadata']['name']}-{digest}"
        template = spec["template"]
        labels = {**(template["metadata"].get("labels") or {}), _HASH: digest}
        body = {
            "replicas": spec["replicas"],
            "selector": {"matchLabels": {**(spec["selector"].get("matchLabels") or {}), _HASH: digest}},
            "template": {**template, "metadata": {**template["metadata"], "labels": labels}},
        }
        metadata = {"name": name, "namespace": document["metadata"]["namespace"], "labels": labels}
        metadata |= {"annotations": {_REVISION: str(revision)}}
        metadata |= {"ownerReferences": [hands.owner(self.resource, document)]}
        hands.create(self.state, self.resource_of(REPLICA_SETS), {"metadata": metadata, "spec": body})

    def _scale(self, found: Document, replicas: int) -> bool:
        new = {**found, "spec": {**found["spec"], "replicas": replicas}}
        return hands.change(self.state, self.resource_of(REPLICA_SETS), found, new)

    def _report(self, document: Document, new: Document, sets: list[Document]) -> bool:
        wanted = document["spec"]["replicas"]
        counted = {
            name: sum((item.get("status") or {}).get(name, 0) for item in sets)
            for name in ("replicas", "readyReplicas", "availableReplicas")
        }
        updated = (new.get("status") or {}).get("replicas", 0)
        unavailable = max(0, max(wanted, counted["replicas"]) - counted["availableReplicas"])
        numbers = {**counted, "updatedReplicas": updated, "unavailableReplicas": unavailable}
        old = document.get("status") or {}
        conditions = self._conditions(document, new, counted["availableReplicas"] >= wanted)
        status = {"observedGeneration": document["metadata"]["generation"], "conditions": conditions}
        status |= {name: number for name, number in numbers.items() if number}
        if status == old:
            return False
        return hands.set_status(self.state, self.resource, document, status)

    def _conditions(self, document: Document, new: Document, is_available: bool) -> list[Document]:
        old, now = document.get("status"), self.state.now()
        text = "has minimum availability." if is_available else "does not have minimum availability."
        word = "Available" if is_available else "Unavailable"
        available = hands.condition(
            old, "Available", is_available, f"MinimumReplicas{word}", f"Deployment {text}", now, lastUpdateTime=now
        )
        name, set_name = document["metadata"]["name"], new["metadata"]["name"]
        is_late = (document["metadata"]["namespace"], name) in self.late
        if _is_available(new, document["spec"]["replicas"]):
            how = (True, "NewReplicaSetAvailable", f'ReplicaSet "{set_name}" has successfully progressed.')
        elif is_late:
            how = (False, "ProgressDeadlineExceeded", f'ReplicaSet "{set_name}" has timed out progressing.')
        else:
            how = (True, "ReplicaSetUpdated", f'ReplicaSet "{set_name}" is progressing.')
        progressing = hands.condition(old, "Progressing", *how, now, lastUpdateTime=now)
        failures = [
            item for item in (new.get("status") or {}).get("conditions") or () if item["type"] == "ReplicaFailure"
        ]
        return [
            _kept(old, item)
            for item in (available, progressing, *({**item, "lastUpdateTime": now} for item in failures))
        ]


def _kept(old: Document | None, condition: Document) -> Document:
    """The old condition where only the time of the update differs."""
    for before in (old or {}).get("conditions") or ():
        if {**before, "lastUpdateTime": ""} == {**condition, "lastUpdateTime": ""}:
            return dict(before)
    return condition


def _is_available(found: Document, wanted: int) -> bool:
    return bool((found.get("status") or {}).get("availableReplicas", 0) >= wanted)


class ReplicaSets(Controller):
    """The controller of ReplicaSets."""

    key = REPLICA_SETS

    def reconcile(self, document: Document) -> bool:
        """As many pods as wanted, then the status."""
        if hands.is_going(document):
            return False
        pods = list(self.owned(PODS, document))
        wanted = document["spec"]["replicas"]
        refusal = self._refusal(document)
        if refusal and wanted > len(pods):
            return self._report(document, pods, refusal)
        for _ in range(wanted - len(pods)):
            self._make(document)
        for pod in sorted(pods, key=_is_ready)[: max(0, len(pods) - wanted)]:
            self.remove(PODS, pod)
        return len(pods) != wanted or self._report(document, pods)

    def _make(self, document: Document) -> None:
        name = generated_name(f"{document['metadata']['name']}-", self.state.random)
        template = document["spec"]["template"]
        kept = {key: value for key, value in template["metadata"].items() if key in ("labels", "annotations")}
        metadata = {**kept, "name": name, "namespace": document["metadata"]["namespace"]}
        metadata |= {"generateName": f"{document['metadata']['name']}-"}
        metadata |= {"ownerReferences": [hands.owner(self.resource, document)]}
        hands.create(self.state, self.resource_of(PODS), {"metadata": metadata, "spec": template["spec"]})

    def _refusal(self, document: Document) -> str:
        namespace = self.state.storage.get(("", "namespaces"), "", document["metadata"]["namespace"])
        return pod_security.refusal_of(namespace, pod_security.ENFORCE, document["spec"]["template"]["spec"])

    def _report(self, document: Document, pods: list[Document], refusal: str = "") -> bool:
        ready = sum(map(_is_ready, pods))
        status = {"replicas": len(pods), "observedGeneration": document["metadata"]["generation"]}
        status |= {"fullyLabeledReplicas": len(pods)} if pods else {}
        status |= {"readyReplicas": ready, "availableReplicas": ready} if ready else {}
        if refusal:
            text = f'pods "{document["metadata"]["name"]}-" is forbidden: {refusal}'
            old, now = document.get("status"), self.state.now()
            status["conditions"] = [hands.condition(old, "ReplicaFailure", True, "FailedCreate", text, now)]
        return hands.set_status(self.state, self.resource, document, status)


def _is_ready(pod: Document) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return any(item["type"] == "Ready" and item["status"] == "True" for item in conditions)
