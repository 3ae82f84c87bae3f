"""Knative Serving, as far as who made a Service sees it: revisions that become ready (or do not), traffic and a URL."""

from typing import Any

from support.cluster import hands
from support.cluster.controllers.base import Controller
from support.cluster.state import State

Document = dict[str, Any]
_GROUP = "serving.knative.dev"
_REVISIONS = (_GROUP, "revisions")


class KnativeServices(Controller):
    """The controller of Knative Services. `failing` revisions never become ready."""

    key = (_GROUP, "services")

    def __init__(self, state: State) -> None:
        super().__init__(state)
        self.failing: set[str] = set()
        self.domain = "example.com"
        self._templates: dict[str, list[Document]] = {}

    def reconcile(self, document: Document) -> bool:
        """A revision for each new template, then the status."""
        if hands.is_going(document):
            return False
        uid, template = document["metadata"]["uid"], document["spec"]["template"]
        templates = self._templates.setdefault(uid, [])
        if not templates or templates[-1] != template:
            templates.append(template)
        names = [self._name(document, place, item) for place, item in enumerate(templates, 1)]
        made = sum(self._make(document, name, item) for name, item in zip(names, templates, strict=True))
        return made > 0 or self._report(document, names)

    def _name(self, document: Document, place: int, template: Document) -> str:
        asked = (template.get("metadata") or {}).get("name")
        return str(asked or f"{document['metadata']['name']}-{place:05d}")

    def _make(self, document: Document, name: str, template: Document) -> bool:
        namespace = document["metadata"]["namespace"]
        if self.state.kinds.by_key(_REVISIONS) is None or self.state.storage.get(_REVISIONS, namespace, name):
            return False
        labels = {
            **((template.get("metadata") or {}).get("labels") or {}),
            f"{_GROUP}/service": document["metadata"]["name"],
        }
        metadata = {"name": name, "namespace": namespace, "labels": labels}
        metadata |= {"ownerReferences": [hands.owner(self.resource, document)]}
        body = {"metadata": metadata, "spec": template.get("spec") or {}}
        hands.create(self.state, self.resource_of(_REVISIONS), body, manager="controller")
        return True

    def _report(self, document: Document, names: list[str]) -> bool:
        metadata, now, old = document["metadata"], self.state.now(), document.get("status")
        ready = [name for name in names if name not in self.failing]
        is_ready = bool(ready) and ready[-1] == names[-1]
        host = f"{metadata['name']}.{metadata['namespace']}"
        text = f'Revision "{names[-1]}" failed with message: the container ended with an error.'
        how = (True, "", "") if is_ready else (False, "RevisionFailed", text)
        conditions = [
            hands.condition(old, kind, *(how if kind != "RoutesReady" or not ready else (True, "", "")), now)
            for kind in ("ConfigurationsReady", "Ready", "RoutesReady")
        ]
        status: Document = {"observedGeneration": metadata["generation"], "conditions": conditions}
        status |= {"latestCreatedRevisionName": names[-1], "url": f"http://{host}.{self.domain}"}
        if ready:
            status |= {"latestReadyRevisionName": ready[-1], "traffic": self._traffic(document, ready[-1])}
            status |= {"address": {"url": f"http://{host}.svc.cluster.local"}}
        return hands.set_status(self.state, self.resource, document, status, manager="controller")

    def _traffic(self, document: Document, latest: str) -> list[Document]:
        wanted = document["spec"].get("traffic") or [{"latestRevision": True, "percent": 100}]
        found = []
        for item in wanted:
            is_latest = item.get("latestRevision", "revisionName" not in item)
            entry = {**item, "latestRevision": is_latest, "revisionName": item.get("revisionName") or latest}
            if item.get("tag"):
                metadata = document["metadata"]
                entry["url"] = f"http://{item['tag']}-{metadata['name']}.{metadata['namespace']}.{self.domain}"
            found.append(entry)
        return found
