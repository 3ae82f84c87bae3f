"""What each kind brings to the dialect. A kind is a folder with a class of this shape; the defaults here are those of a
kind that is stored and read by others, and asks for nothing itself."""

from collections.abc import Mapping, Sequence
from typing import Any

from fairlead.dialects.base import Document, Happened, Kind, World
from fairlead.dialects.bento.site import Site
from fairlead.dialects.catalog import Catalog
from fairlead.dialects.clusters import Observed
from fairlead.errors import FairleadError, InvalidManifest, Problem, Where
from fairlead.plan.layout import Layout
from fairlead.plan.model import Plan
from fairlead.plan.status import PlanStatus


class Part:
    """One kind. Everything is pure."""

    kind: Kind

    def schema(self) -> dict[str, Any]:
        """The structural OpenAPI v3 schema of the stored version."""
        raise NotImplementedError

    def default(self, doc: Document, world: World) -> dict[str, Any]:  # noqa: ARG002
        """What the mutating webhook makes of it, in the stored version."""
        return dict(doc)

    def validate(self, doc: Document, old: Document | None, world: World) -> None:
        """Raise `InvalidManifest` with every problem."""
        raise NotImplementedError

    def records(self, doc: Document, world: World) -> Sequence[Document]:  # noqa: ARG002
        """What is stored beside it."""
        return ()

    def lower(self, doc: Document, catalog: Catalog, world: World) -> Plan:  # noqa: ARG002
        """Its plan."""
        raise _nothing("nothing is run for this kind by itself")

    def status(self, doc: Document, plan: Plan, observed: PlanStatus, now: str, world: World) -> dict[str, Any]:
        """Its status, of its plan's."""
        raise NotImplementedError

    def failed_status(self, doc: Document, error: FairleadError, now: str, world: World) -> dict[str, Any]:
        """Its status when it cannot be lowered."""
        raise NotImplementedError

    def derived_status(self, doc: Document, now: str, world: World) -> dict[str, Any] | None:  # noqa: ARG002
        """Its status when it has no plan."""
        return None

    def lay_out(self, doc: Document, site: Site) -> Layout:  # noqa: ARG002
        """How it lies in a cluster."""
        raise _nothing("nothing is made for this kind in a cluster")

    def cluster_status(self, doc: Document, layout: Layout, observed: Observed, now: str, site: Site) -> dict[str, Any]:
        """Its status, of the objects that the cluster has of it."""
        raise NotImplementedError

    def events(self, doc: Document, status: Mapping[str, Any]) -> Sequence[Happened]:  # noqa: ARG002
        """What a change of its status is worth telling."""
        return ()


def _nothing(message: str) -> InvalidManifest:
    return InvalidManifest([Problem(where=Where(path="kind"), field="kind", message=message)])
