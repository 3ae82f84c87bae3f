"""The kinds LLMInferenceService and LLMInferenceServiceConfig."""

from collections.abc import Mapping, Sequence
from typing import Any

from fairlead.dialects.base import Document, Happened, World
from fairlead.dialects.catalog import Catalog
from fairlead.dialects.clusters import Observed
from fairlead.dialects.kserve.llm import crd
from fairlead.dialects.kserve.llm import status as telling
from fairlead.dialects.kserve.llm.cluster.layout import lay_out
from fairlead.dialects.kserve.llm.cluster.status import cluster_status
from fairlead.dialects.kserve.llm.lower import lower
from fairlead.dialects.kserve.llm.schema import CONFIG_KIND, GROUP, KIND, VERSIONS, LlmService
from fairlead.dialects.kserve.llm.validate import validate
from fairlead.dialects.kserve.part import Part
from fairlead.dialects.kserve.site import Site
from fairlead.dialects.reading import Identity, read_as
from fairlead.errors import FairleadError
from fairlead.plan.layout import Layout
from fairlead.plan.model import Plan
from fairlead.plan.status import PlanStatus


class LlmServicePart(Part):
    """LLMInferenceServices. `external_url` is where a gateway can be reached."""

    kind = crd.LLM_INFERENCE_SERVICE

    def __init__(self, external_url: str = "") -> None:
        self._external_url = external_url

    def schema(self) -> dict[str, Any]:
        """The structural OpenAPI v3 schema."""
        return crd.open_api()

    def validate(self, doc: Document, old: Document | None, catalog: Catalog, world: World) -> None:  # noqa: ARG002
        """Raise `InvalidManifest` for what no configuration below it could mend."""
        validate(doc, _read(doc, KIND).spec)

    def lower(self, doc: Document, catalog: Catalog, world: World) -> Plan:
        """Its plan."""
        return lower(doc, catalog, world)

    def status(self, doc: Document, plan: Plan, observed: PlanStatus, now: str, world: World) -> dict[str, Any]:
        """Its status, of its plan's."""
        return telling.status_of(doc, plan, observed, world, external_url=self._external_url, now=now)

    def failed_status(self, doc: Document, error: FairleadError, now: str, world: World) -> dict[str, Any]:  # noqa: ARG002
        """Its status when it cannot be lowered."""
        return telling.failed_status(doc, error, now=now)

    def lay_out(self, doc: Document, site: Site) -> Layout:
        """How it lies in a cluster."""
        return lay_out(doc, site)

    def cluster_status(self, doc: Document, layout: Layout, observed: Observed, now: str, site: Site) -> dict[str, Any]:
        """Its status, of the objects that the cluster has."""
        return cluster_status(doc, layout, observed, site, now=now)

    def events(self, doc: Document, status: Mapping[str, Any]) -> Sequence[Happened]:
        """Becoming ready, and being so no more."""
        name, was, is_now = doc["metadata"]["name"], telling.is_ready(doc.get("status") or {}), telling.is_ready(status)
        if is_now and not was:
            return (Happened(reason=f"{KIND}Ready", message=f"{KIND} [{name}] is Ready"),)
        if was and not is_now:
            message = f"{KIND} [{name}] is no longer Ready because of: {telling.why_not(status)}"
            return (Happened(reason=f"{KIND}NotReady", message=message, is_warning=True),)
        return ()


class LlmConfigPart(Part):
    """LLMInferenceServiceConfigs. They run nothing by themselves."""

    kind = crd.LLM_INFERENCE_SERVICE_CONFIG

    def schema(self) -> dict[str, Any]:
        """The structural OpenAPI v3 schema."""
        return crd.config_open_api()

    def validate(self, doc: Document, old: Document | None, catalog: Catalog, world: World) -> None:  # noqa: ARG002
        """Raise `InvalidManifest` for what no service could use."""
        validate(doc, _read(doc, CONFIG_KIND).spec)


def _read(doc: Document, kind: str) -> LlmService:
    return read_as(LlmService, doc, Identity(GROUP, VERSIONS, kind))
