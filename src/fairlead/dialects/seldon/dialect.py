"""The dialect's seam to the rest: four pure functions over a parsed document."""

from collections.abc import Mapping, Sequence
from typing import Any

from fairlead.dialects.base import ALONE, Document, Happened, Kind, World
from fairlead.dialects.catalog import Catalog
from fairlead.dialects.clusters import ClusterSettings, Observed
from fairlead.dialects.openapi import pruned
from fairlead.dialects.seldon import crd, reading, status
from fairlead.dialects.seldon.cluster import catalog_of, cluster_status, lay_out
from fairlead.dialects.seldon.lower import lower
from fairlead.dialects.seldon.schema import KIND
from fairlead.dialects.seldon.validate import validate
from fairlead.errors import FairleadError
from fairlead.plan.layout import Layout
from fairlead.plan.model import Plan
from fairlead.plan.status import PlanStatus


class SeldonDialect:
    """SeldonDeployments of `machinelearning.seldon.io`, versions v1, v1alpha2 and v1alpha3.

    `external_url` is where a gateway can be reached (`http://localhost:8080`); with it `status.address.url` works from
    outside, without it the field holds the name that a cluster would use. `settings` are those of a cluster, where an
    installation may have servers of its own, which the rules must know.
    """

    kinds: tuple[Kind, ...] = (crd.SELDON_DEPLOYMENT,)

    def __init__(self, external_url: str = "", *, settings: ClusterSettings | None = None) -> None:
        self._external_url = external_url
        self._settings = settings

    def seeds(self) -> Sequence[Document]:
        """Nothing is there from the start."""
        return ()

    def default(self, doc: Document, *, world: World = ALONE) -> dict[str, Any]:  # noqa: ARG002
        """As it is: defaults are filled in when it is lowered, and stored manifests stay what their authors wrote."""
        return dict(doc)

    def records(self, doc: Document, *, catalog: Catalog, world: World = ALONE) -> Sequence[Document]:  # noqa: ARG002
        """Nothing is kept: a new version replaces the old one."""
        return ()

    def prune(self, doc: Document) -> dict[str, Any]:
        """The document with what its schema does not know removed."""
        return pruned(doc, crd.open_api())

    def validate(
        self,
        doc: Document,
        *,
        catalog: Catalog,
        old: Document | None = None,  # noqa: ARG002
        world: World = ALONE,
    ) -> None:
        """Raise `InvalidManifest` with every problem, in the texts of the webhook."""
        known = catalog if self._settings is None else catalog_of(self._settings, catalog, world)
        validate(reading.read(doc), catalog=known)

    def lower(self, doc: Document, *, catalog: Catalog, world: World = ALONE) -> Plan:  # noqa: ARG002
        """The plan of a valid document."""
        return lower(reading.read(doc), catalog=catalog)

    def status(
        self,
        doc: Document,
        plan: Plan,  # noqa: ARG002 (names and ports follow from the document alone)
        observed: PlanStatus,
        *,
        now: str,
        world: World = ALONE,  # noqa: ARG002
    ) -> dict[str, Any]:
        """The document's new status."""
        previous = doc.get("status")
        previous = previous if isinstance(previous, Mapping) else {}
        return status.status_of(reading.read(doc), observed, previous, external_url=self._external_url, now=now)

    def failed_status(
        self,
        doc: Document,
        error: FairleadError,
        *,
        now: str,
        world: World = ALONE,  # noqa: ARG002
    ) -> dict[str, Any]:
        """The status of a document that cannot be lowered."""
        return status.failed(doc, str(error), now=now)

    def lay_out(self, doc: Document, *, settings: ClusterSettings, catalog: Catalog, world: World = ALONE) -> Layout:
        """How a valid document lies in a cluster."""
        return lay_out(doc, settings=settings, catalog=catalog, world=world)

    def cluster_status(
        self,
        doc: Document,
        layout: Layout,
        observed: Observed,
        *,
        settings: ClusterSettings,
        now: str,
        world: World = ALONE,  # noqa: ARG002
    ) -> dict[str, Any]:
        """The document's new status, from what a cluster has of its layout."""
        return cluster_status(doc, layout, observed, settings=settings, now=now)

    def cluster_failed_status(
        self,
        doc: Document,
        error: FairleadError,
        *,
        now: str,
        world: World = ALONE,  # noqa: ARG002
    ) -> dict[str, Any]:
        """The status of a document that cannot be laid out, or whose objects were refused."""
        return status.failed(doc, str(error), now=now)

    def derived_status(self, doc: Document, *, now: str, world: World = ALONE) -> None:
        """Every object has a plan."""

    def events(self, doc: Document, status: Mapping[str, Any]) -> Sequence[Happened]:  # noqa: ARG002
        """Nothing beyond what the back-end tells."""
        return ()

    def open_api(self, kind: Kind) -> dict[str, Any]:
        """The structural OpenAPI v3 schema of a kind."""
        if kind.kind != KIND:
            raise ValueError(f"{kind.kind} is not a kind of this dialect; it has {KIND}")
        return crd.open_api()
