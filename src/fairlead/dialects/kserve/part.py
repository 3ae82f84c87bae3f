"""What each kind of KServe's brings to the dialect. A kind is a folder (or a module) with a class of this shape; the
defaults here are those of a kind that is stored and read by others, and asks for nothing itself."""

from collections.abc import Mapping, Sequence
from typing import Any

from fairlead.dialects.base import Document, Happened, Kind, World
from fairlead.dialects.catalog import Catalog
from fairlead.dialects.clusters import Observed
from fairlead.dialects.kserve.site import Site
from fairlead.errors import FairleadError, InvalidManifest, Problem, Where
from fairlead.plan.layout import Layout
from fairlead.plan.model import Plan
from fairlead.plan.status import PlanStatus


class Part:
    """One kind. Everything is pure."""

    kind: Kind

    def schema(self) -> dict[str, Any]:
        """The structural OpenAPI v3 schema."""
        raise NotImplementedError

    def seeds(self) -> Sequence[Document]:
        """Objects that are there from the start."""
        return ()

    def default(self, doc: Document, world: World) -> dict[str, Any]:  # noqa: ARG002
        """What the mutating webhook makes of it."""
        return dict(doc)

    def validate(self, doc: Document, old: Document | None, catalog: Catalog, world: World) -> None:
        """Raise `InvalidManifest`, in the validating webhook's texts."""

    def records(self, doc: Document, catalog: Catalog, world: World) -> Sequence[Document]:  # noqa: ARG002
        """What is stored beside it."""
        return ()

    def lower(self, doc: Document, catalog: Catalog, world: World) -> Plan:  # noqa: ARG002
        """Its plan."""
        problem = Problem(where=Where(path="kind"), field="kind", message="nothing is run for this kind by itself")
        raise InvalidManifest([problem])

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
        problem = Problem(where=Where(path="kind"), field="kind", message="nothing is made for this kind in a cluster")
        raise InvalidManifest([problem])

    def cluster_status(self, doc: Document, layout: Layout, observed: Observed, now: str, site: Site) -> dict[str, Any]:
        """Its status, of the objects that the cluster has of it."""
        raise NotImplementedError

    def cluster_failed_status(self, doc: Document, error: FairleadError, now: str, world: World) -> dict[str, Any]:
        """Its status when it cannot be laid out, or its objects were refused."""
        return self.failed_status(doc, error, now, world)

    def events(self, doc: Document, status: Mapping[str, Any]) -> Sequence[Happened]:  # noqa: ARG002
        """What a change of its status is worth telling."""
        return ()
