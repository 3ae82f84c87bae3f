"""The dialect's seam to the rest: four pure functions over a parsed document."""

from collections.abc import Mapping
from typing import Any

from fairlead.dialects.base import Document, Kind
from fairlead.dialects.catalog import Catalog
from fairlead.dialects.seldon import crd, reading, status
from fairlead.dialects.seldon.lower import lower
from fairlead.dialects.seldon.schema import KIND
from fairlead.dialects.seldon.validate import validate
from fairlead.plan.model import Plan
from fairlead.plan.status import PlanStatus


class SeldonDialect:
    """SeldonDeployments of `machinelearning.seldon.io`, versions v1, v1alpha2 and v1alpha3.

    `external_url` is where a gateway can be reached (`http://localhost:8080`); with it `status.address.url` works from
    outside, without it the field holds the name that a cluster would use.
    """

    kinds: tuple[Kind, ...] = (crd.SELDON_DEPLOYMENT,)

    def __init__(self, external_url: str = "") -> None:
        self._external_url = external_url

    def prune(self, doc: Document) -> dict[str, Any]:
        """The document with what its schema does not know removed."""
        return crd.prune(doc)

    def validate(self, doc: Document, *, catalog: Catalog) -> None:
        """Raise `InvalidManifest` with every problem, in the texts of the webhook."""
        validate(reading.read(doc), catalog=catalog)

    def lower(self, doc: Document, *, catalog: Catalog) -> Plan:
        """The plan of a valid document."""
        return lower(reading.read(doc), catalog=catalog)

    def status(self, doc: Document, plan: Plan, observed: PlanStatus, *, now: str) -> dict[str, Any]:
        """The document's new status."""
        del plan  # names and ports follow from the document alone
        previous = doc.get("status")
        previous = previous if isinstance(previous, Mapping) else {}
        return status.status_of(reading.read(doc), observed, previous, external_url=self._external_url, now=now)

    def failed_status(self, doc: Document, message: str, *, now: str) -> dict[str, Any]:
        """The status of a document that cannot be lowered."""
        return status.failed(doc, message, now=now)

    def open_api(self, kind: Kind) -> dict[str, Any]:
        """The structural OpenAPI v3 schema of a kind."""
        if kind.kind != KIND:
            raise ValueError(f"{kind.kind} is not a kind of this dialect; it has {KIND}")
        return crd.open_api()
