"""The kind InferenceService: what each call of the dialect means for it."""

from collections.abc import Mapping, Sequence
from typing import Any

from fairlead.dialects.base import Document, Happened, World
from fairlead.dialects.catalog import Catalog
from fairlead.dialects.clusters import Observed
from fairlead.dialects.kserve.config import read_config
from fairlead.dialects.kserve.inference_service import crd, told
from fairlead.dialects.kserve.inference_service.cluster.layout import lay_out
from fairlead.dialects.kserve.inference_service.cluster.status import status_of as cluster_status_of
from fairlead.dialects.kserve.inference_service.defaults import with_defaults
from fairlead.dialects.kserve.inference_service.events import happened
from fairlead.dialects.kserve.inference_service.planning import lower
from fairlead.dialects.kserve.inference_service.reading import read
from fairlead.dialects.kserve.inference_service.records import records
from fairlead.dialects.kserve.inference_service.schema import Predictor
from fairlead.dialects.kserve.inference_service.status import status_of
from fairlead.dialects.kserve.inference_service.status_failed import failed
from fairlead.dialects.kserve.inference_service.validating import validate
from fairlead.dialects.kserve.inference_service.validating.walking import servers_of
from fairlead.dialects.kserve.part import Part
from fairlead.dialects.kserve.site import Site
from fairlead.dialects.kserve.storage_container.naming import check_container
from fairlead.errors import ConfigError, FairleadError
from fairlead.plan.layout import Layout
from fairlead.plan.model import Plan
from fairlead.plan.status import PlanStatus


class InferenceServicePart(Part):
    """InferenceServices. `external_url` is where a gateway can be reached."""

    kind = crd.INFERENCE_SERVICE

    def __init__(self, external_url: str = "") -> None:
        self._external_url = external_url

    def schema(self) -> dict[str, Any]:
        """The structural OpenAPI v3 schema."""
        return crd.open_api()

    def default(self, doc: Document, world: World) -> dict[str, Any]:
        """What the mutating webhook makes of it."""
        return with_defaults(doc, read_config(world), world)

    def validate(self, doc: Document, old: Document | None, catalog: Catalog, world: World) -> None:  # noqa: ARG002
        """Raise `InvalidManifest`, in the validating webhook's texts. What is being deleted may say anything."""
        isvc = read(doc)
        if (old or {}).get("metadata", {}).get("deletionTimestamp"):
            return
        validate(isvc, doc, read(old) if old is not None else None, read_config(world))

    def records(self, doc: Document, catalog: Catalog, world: World) -> Sequence[Document]:  # noqa: ARG002
        """The revisions of its components."""
        return records(doc, world=world)

    def lower(self, doc: Document, catalog: Catalog, world: World) -> Plan:
        """Its plan."""
        _check_container(read(doc).spec.predictor, world)
        return lower(doc, catalog=catalog, world=world)

    def status(self, doc: Document, plan: Plan, observed: PlanStatus, now: str, world: World) -> dict[str, Any]:
        """Its status, of its plan's."""
        return status_of(doc, plan, observed, world=world, external_url=self._external_url, now=now)

    def failed_status(self, doc: Document, error: FairleadError, now: str, world: World) -> dict[str, Any]:
        """Its status when it cannot be lowered."""
        return failed(doc, error, world=world, now=now)

    def lay_out(self, doc: Document, site: Site) -> Layout:
        """How it lies in a cluster."""
        _check_container(read(doc).spec.predictor, site.world)
        return lay_out(doc, site)

    def cluster_status(self, doc: Document, layout: Layout, observed: Observed, now: str, site: Site) -> dict[str, Any]:
        """Its status, of the objects that the cluster has of it."""
        try:
            return cluster_status_of(doc, layout, observed, site, now=now)
        except ConfigError as error:
            return failed(doc, error, world=site.world, now=now)

    def cluster_failed_status(self, doc: Document, error: FairleadError, now: str, world: World) -> dict[str, Any]:
        """Its status when it cannot be laid out. The mode is only told once something was: it never changes again, and
        the default of an installation is known to layouts alone."""
        status = self.failed_status(doc, error, now, world)
        if not told.status_of(doc).get("deploymentMode"):
            del status["deploymentMode"]
        return status

    def events(self, doc: Document, status: Mapping[str, Any]) -> Sequence[Happened]:
        """What a change of its status is worth telling."""
        return happened(doc, status)


def _check_container(predictor: Predictor, world: World) -> None:
    if predictor.storage_container_name:
        own = [server.storage_uri for _, server in servers_of(predictor, "") if server.storage_uri]
        uris = (*own, *(one.uri for one in predictor.storage_uris))
        check_container(predictor.storage_container_name, uris, world)
