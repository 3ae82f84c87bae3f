"""A world of given objects: what manifests refer to when there is no server to ask."""

from collections.abc import Iterable, Sequence

from fairlead.dialects.base import Document, World
from fairlead.plan.model import Plan
from fairlead.plan.status import PlanStatus


class GivenWorld(World):
    """Of several objects of one kind, namespace and name the first counts. Nothing of them runs."""

    def __init__(self, documents: Iterable[Document]) -> None:
        self._objects: dict[tuple[str, str, str], Document] = {}
        for document in documents:
            metadata = document["metadata"]
            key = (str(document["kind"]), str(metadata.get("namespace") or ""), str(metadata.get("name") or ""))
            self._objects.setdefault(key, document)

    def get(self, kind: str, namespace: str, name: str) -> Document | None:
        """One object."""
        return self._objects.get((kind, namespace, name))

    def list(self, kind: str, namespace: str | None = None) -> Sequence[Document]:
        """All objects of a kind, in the order of their names."""
        found = [key for key in self._objects if key[0] == kind and namespace in (None, key[1])]
        return [self._objects[key] for key in sorted(found, key=lambda key: (key[2], key[1]))]

    def plan(self, kind: str, namespace: str, name: str) -> Plan | None:  # noqa: ARG002
        """Nothing was lowered before."""
        return None

    def observed(self, kind: str, namespace: str, name: str) -> PlanStatus | None:  # noqa: ARG002
        """Nothing runs."""
        return None
