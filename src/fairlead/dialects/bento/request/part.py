"""The kind BentoRequest: a bento to be fetched, and an image to be made of it."""

from collections.abc import Mapping, Sequence
from typing import Any

from fairlead.dialects.base import Document, Happened, World
from fairlead.dialects.bento.conditions import is_true
from fairlead.dialects.bento.part import Part
from fairlead.dialects.bento.request import crd
from fairlead.dialects.bento.request import status as telling
from fairlead.dialects.bento.request.cluster.layout import lay_out
from fairlead.dialects.bento.request.cluster.status import cluster_status
from fairlead.dialects.bento.request.lower import lower
from fairlead.dialects.bento.request.records import records
from fairlead.dialects.bento.request.validate import read, validate
from fairlead.dialects.bento.site import Site
from fairlead.dialects.catalog import Catalog
from fairlead.dialects.clusters import Observed
from fairlead.errors import FairleadError
from fairlead.plan.layout import Layout
from fairlead.plan.model import Plan
from fairlead.plan.status import PlanStatus


class BentoRequestPart(Part):
    """BentoRequests."""

    kind = crd.BENTO_REQUEST

    def schema(self) -> dict[str, Any]:
        """The structural OpenAPI v3 schema."""
        return crd.open_api()

    def validate(self, doc: Document, old: Document | None, world: World) -> None:  # noqa: ARG002
        """Raise `InvalidManifest` with every problem."""
        validate(doc)

    def records(self, doc: Document, world: World) -> Sequence[Document]:
        """The Bento that it came to."""
        return records(read(doc), doc, world)

    def lower(self, doc: Document, catalog: Catalog, world: World) -> Plan:  # noqa: ARG002 - no images are known here
        """Its plan."""
        return lower(read(doc), world)

    def status(self, doc: Document, plan: Plan, observed: PlanStatus, now: str, world: World) -> dict[str, Any]:  # noqa: ARG002
        """Its status, of what was fetched for it."""
        return telling.status_of(read(doc), doc, observed, now=now)

    def failed_status(self, doc: Document, error: FairleadError, now: str, world: World) -> dict[str, Any]:  # noqa: ARG002
        """Its status when it cannot be lowered."""
        return telling.failed_status(doc, str(error), error.reason, now=now)

    def lay_out(self, doc: Document, site: Site) -> Layout:
        """How it lies in a cluster."""
        return lay_out(read(doc), doc, site)

    def cluster_status(self, doc: Document, layout: Layout, observed: Observed, now: str, site: Site) -> dict[str, Any]:  # noqa: ARG002
        """Its status, of the Job that makes its image."""
        return cluster_status(read(doc), doc, layout, observed, now=now)

    def events(self, doc: Document, status: Mapping[str, Any]) -> Sequence[Happened]:
        """That the bento is there, or cannot be had."""
        before = doc.get("status") or {}
        if is_true(status, telling.AVAILABLE) and not is_true(before, telling.AVAILABLE):
            return (Happened(reason="BentoAvailable", message=telling.GENERATED),)
        why = _failure(status)
        if why and why != _failure(before):
            return (Happened(reason="ReconcileError", message=why, is_warning=True),)
        return ()


def _failure(status: Mapping[str, Any]) -> str:
    conditions = status.get("conditions") or ()
    return next(
        (
            str(one.get("message"))
            for one in conditions
            if one.get("type") == telling.AVAILABLE and one.get("status") == "False"
        ),
        "",
    )
