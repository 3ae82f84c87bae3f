"""A dialect's world made of documents that a test names."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from fairlead.dialects.base import Document
from fairlead.plan.model import Plan
from fairlead.plan.status import PlanStatus


@dataclass
class DocumentWorld:
    """Implements `dialects.base.World`."""

    documents: Iterable[Document] = ()
    plans: Iterable[Plan] = ()
    statuses: Iterable[PlanStatus] = field(default_factory=tuple)

    def get(self, kind: str, namespace: str, name: str) -> Document | None:
        return next((one for one in self.list(kind, namespace or None) if one["metadata"]["name"] == name), None)

    def list(self, kind: str, namespace: str | None = None) -> Sequence[Document]:
        found = [one for one in self.documents if one["kind"] == kind]
        if namespace is not None:
            found = [one for one in found if one["metadata"].get("namespace", "") in ("", namespace)]
        return sorted(found, key=lambda one: str(one["metadata"]["name"]))

    def plan(self, kind: str, namespace: str, name: str) -> Plan | None:
        wanted = (kind, namespace, name)
        return next(
            (one for one in self.plans if (one.owner.kind, one.owner.namespace, one.owner.name) == wanted), None
        )

    def observed(self, kind: str, namespace: str, name: str) -> PlanStatus | None:
        wanted = (kind, namespace, name)
        found = (one for one in self.statuses if (one.owner.kind, one.owner.namespace, one.owner.name) == wanted)
        return next(found, None)
