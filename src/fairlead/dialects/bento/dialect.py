"""The dialect's seam to the rest: every call goes to the part whose kind the document is of."""

from collections.abc import Mapping, Sequence
from typing import Any

from fairlead.dialects.base import ALONE, Document, Happened, Kind, World
from fairlead.dialects.bento.bento.part import BentoPart
from fairlead.dialects.bento.deployment.part import BentoDeploymentPart
from fairlead.dialects.bento.network import MAGIC_DNS, NAMESPACE
from fairlead.dialects.bento.part import Part
from fairlead.dialects.bento.request.part import BentoRequestPart
from fairlead.dialects.bento.site import Site
from fairlead.dialects.catalog import Catalog
from fairlead.dialects.clusters import ClusterSettings, Observed
from fairlead.dialects.openapi import pruned
from fairlead.errors import FairleadError, InvalidManifest, Problem, Where
from fairlead.plan.layout import Layout
from fairlead.plan.model import Plan
from fairlead.plan.status import PlanStatus

LOOPBACK = "127.0.0.1"
SHARED = frozenset({NAMESPACE})
"""The namespace whose ConfigMap holds for all others."""


class BentoDialect:
    """The resources of `resources.yatai.ai` and `serving.yatai.ai`. `external_url` is where a gateway can be reached
    (`http://localhost:8080`), `address` the machine's for host names (`<name>-<namespace>.<address>.sslip.io`)."""

    def __init__(
        self, external_url: str = "", *, address: str = LOOPBACK, settings: ClusterSettings | None = None
    ) -> None:
        suffix = f"{address.replace(':', '-')}.{MAGIC_DNS}"
        deployments = BentoDeploymentPart(external_url, suffix)
        self._settings = settings
        self._parts: dict[str, Part] = {part.kind.kind: part for part in (BentoRequestPart(), BentoPart(), deployments)}
        self.kinds: tuple[Kind, ...] = tuple(part.kind for part in self._parts.values())

    def seeds(self) -> Sequence[Document]:
        """Nothing is there from the start."""
        return ()

    def default(self, doc: Document, *, world: World = ALONE) -> dict[str, Any]:
        """The document in the stored version."""
        return self._part(doc).default(doc, world)

    def records(self, doc: Document, *, catalog: Catalog, world: World = ALONE) -> Sequence[Document]:  # noqa: ARG002
        """What is stored beside it."""
        return self._part(doc).records(doc, world)

    def prune(self, doc: Document) -> dict[str, Any]:
        """The document with what its schema does not know removed."""
        part = self._part(doc)
        form = part.kind.form(str(doc.get("apiVersion") or "").rpartition("/")[2])
        return pruned(doc, form.schema() if form is not None else part.schema())

    def validate(self, doc: Document, *, catalog: Catalog, old: Document | None = None, world: World = ALONE) -> None:  # noqa: ARG002
        """Raise `InvalidManifest` with every problem."""
        self._part(doc).validate(doc, old, world)

    def lower(self, doc: Document, *, catalog: Catalog, world: World = ALONE) -> Plan:
        """The plan of a valid document."""
        return self._part(doc).lower(doc, catalog, world)

    def status(
        self, doc: Document, plan: Plan, observed: PlanStatus, *, now: str, world: World = ALONE
    ) -> dict[str, Any]:
        """The document's new status."""
        return self._part(doc).status(doc, plan, observed, now, world)

    def failed_status(self, doc: Document, error: FairleadError, *, now: str, world: World = ALONE) -> dict[str, Any]:
        """The status of a document that cannot be lowered."""
        return self._part(doc).failed_status(doc, error, now, world)

    def derived_status(self, doc: Document, *, now: str, world: World = ALONE) -> dict[str, Any] | None:
        """The status of an object without a plan."""
        return self._part(doc).derived_status(doc, now, world)

    def lay_out(self, doc: Document, *, settings: ClusterSettings, catalog: Catalog, world: World = ALONE) -> Layout:
        """How a valid document lies in a cluster."""
        return self._part(doc).lay_out(doc, Site(settings=settings, world=world, catalog=catalog))

    def cluster_status(
        self,
        doc: Document,
        layout: Layout,
        observed: Observed,
        *,
        settings: ClusterSettings,
        now: str,
        world: World = ALONE,
    ) -> dict[str, Any]:
        """The document's new status, of the objects that the cluster has."""
        return self._part(doc).cluster_status(doc, layout, observed, now, Site(settings=settings, world=world))

    def cluster_failed_status(
        self, doc: Document, error: FairleadError, *, now: str, world: World = ALONE
    ) -> dict[str, Any]:
        """The status of a document that cannot be laid out, or whose objects were refused."""
        return self._part(doc).failed_status(doc, error, now, world)

    def events(self, doc: Document, status: Mapping[str, Any]) -> Sequence[Happened]:
        """What a change of status is worth telling."""
        return self._part(doc).events(doc, status)

    def open_api(self, kind: Kind) -> dict[str, Any]:
        """The structural OpenAPI v3 schema of a kind, in the stored version."""
        return self._parts[kind.kind].schema()

    def _part(self, doc: Document) -> Part:
        kind = doc.get("kind")
        part = self._parts.get(kind) if isinstance(kind, str) else None
        if part is None:
            message = f"{kind!r} is not a kind of this dialect; it has {', '.join(self._parts)}"
            raise InvalidManifest([Problem(where=Where(path="kind"), field="kind", message=message)])
        return part
