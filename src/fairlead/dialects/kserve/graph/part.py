"""The kind InferenceGraph: services, asked one after the other, side by side, by chance or by condition."""

from collections.abc import Mapping, Sequence
from typing import Any

from fairlead.dialects.base import Document, Happened, World
from fairlead.dialects.catalog import Catalog
from fairlead.dialects.clusters import Observed
from fairlead.dialects.kserve.config import read_config
from fairlead.dialects.kserve.graph import crd
from fairlead.dialects.kserve.graph import status as telling
from fairlead.dialects.kserve.graph.addresses import addressed
from fairlead.dialects.kserve.graph.cluster.layout import lay_out
from fairlead.dialects.kserve.graph.cluster.status import cluster_status
from fairlead.dialects.kserve.graph.lower import lower
from fairlead.dialects.kserve.graph.schema import GROUP, KIND, VERSION, InferenceGraph
from fairlead.dialects.kserve.graph.validate import validate
from fairlead.dialects.kserve.part import Part
from fairlead.dialects.kserve.site import Site
from fairlead.dialects.reading import Identity, read_as
from fairlead.errors import FairleadError
from fairlead.plan.layout import Layout
from fairlead.plan.model import Plan
from fairlead.plan.status import PlanStatus

_IDENTITY = Identity(GROUP, (VERSION,), KIND)


class InferenceGraphPart(Part):
    """InferenceGraphs."""

    kind = crd.INFERENCE_GRAPH

    def __init__(self, external_url: str = "") -> None:
        self._external_url = external_url

    def schema(self) -> dict[str, Any]:
        """The structural OpenAPI v3 schema."""
        return crd.open_api()

    def validate(self, doc: Document, old: Document | None, catalog: Catalog, world: World) -> None:  # noqa: ARG002
        """Raise `InvalidManifest`, in the validating webhook's texts."""
        validate(_read(doc))

    def lower(self, doc: Document, catalog: Catalog, world: World) -> Plan:  # noqa: ARG002 - no images here
        """Its plan."""
        return lower(_read(doc), doc, world)

    def status(self, doc: Document, plan: Plan, observed: PlanStatus, now: str, world: World) -> dict[str, Any]:  # noqa: ARG002
        """Its status, of its plan's and its services'."""
        place = addressed(doc, read_config(world))
        return telling.status_of(_read(doc), doc, observed, world, place, url=self._external_url, now=now)

    def failed_status(self, doc: Document, error: FairleadError, now: str, world: World) -> dict[str, Any]:  # noqa: ARG002
        """Its status when it cannot be lowered."""
        return telling.failed_status(doc, error.reason, str(error), now=now)

    def lay_out(self, doc: Document, site: Site) -> Layout:
        """How it lies in a cluster."""
        return lay_out(_read(doc), doc, site)

    def cluster_status(self, doc: Document, layout: Layout, observed: Observed, now: str, site: Site) -> dict[str, Any]:  # noqa: ARG002
        """Its status, of the objects that the cluster has, and of its services."""
        return cluster_status(_read(doc), doc, observed, site, now=now)

    def events(self, doc: Document, status: Mapping[str, Any]) -> Sequence[Happened]:
        """Becoming ready, and being so no more."""
        name, before = doc["metadata"]["name"], doc.get("status") or {}
        was, is_now = telling.is_true(before, telling.READY), telling.is_true(status, telling.READY)
        if is_now and not was:
            return (Happened(reason="InferenceGraphReady", message=f"InferenceGraph [{name}] is Ready"),)
        if was and not is_now:
            message = f"InferenceGraph [{name}] is no longer Ready because of: {telling.why_not(status)}"
            return (Happened(reason="InferenceGraphNotReady", message=message, is_warning=True),)
        return ()


def _read(doc: Document) -> InferenceGraph:
    return read_as(InferenceGraph, doc, _IDENTITY)
