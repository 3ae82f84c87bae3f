"""What a dialect promises: the kinds it reads, and pure functions from manifests to plans and from a plan's
status back to the manifest's own status. The control plane knows dialects through this seam alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from fairlead.dialects.catalog import Catalog
from fairlead.plan.model import Plan
from fairlead.plan.status import PlanStatus

Document = Mapping[str, Any]
"""A manifest as parsed YAML or JSON."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A printer column: `path` is a JSONPath as CRDs write it (`.status.state`)."""

    name: str
    type: str
    path: str
    priority: int = 0
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A resource type as the API serves it. The first of `versions` is stored; the others are the same schema
    under another name."""

    group: str
    versions: tuple[str, ...]
    kind: str
    plural: str
    singular: str
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    is_namespaced: bool = True
    has_status: bool = True
    scale_path: str = ""
    """JSONPath of the replica count that the `scale` subresource reads and writes; empty for none."""
    scale_status_path: str = ""
    is_read_only: bool = False
    columns: tuple[Column, ...] = ()


class Dialect(Protocol):
    """One folder under `dialects/`. Everything is pure: no network, clock or environment."""

    kinds: tuple[Kind, ...]

    def prune(self, doc: Document) -> dict[str, Any]:
        """The document with what its schema does not know removed, as the cluster's API server would store it."""
        ...

    def validate(self, doc: Document, *, catalog: Catalog) -> None:
        """Raise `InvalidManifest` with every problem, in the texts of the dialect's own webhook."""
        ...

    def lower(self, doc: Document, *, catalog: Catalog) -> Plan:
        """The plan of a valid document."""
        ...

    def status(self, doc: Document, plan: Plan, observed: PlanStatus, *, now: str) -> dict[str, Any]:
        """The document's new `status`; `now` is an RFC 3339 time for transitions. Equal inputs give equal output,
        and an unchanged condition keeps its transition time."""
        ...

    def failed_status(self, doc: Document, message: str, *, now: str) -> dict[str, Any]:
        """The status of a document that cannot be lowered."""
        ...

    def open_api(self, kind: Kind) -> dict[str, Any]:
        """The structural OpenAPI v3 schema of a kind."""
        ...


def find_kind(kinds: Sequence[Kind], group: str, plural: str) -> Kind | None:
    """The kind with this group and plural."""
    return next((kind for kind in kinds if kind.group == group and kind.plural == plural), None)
