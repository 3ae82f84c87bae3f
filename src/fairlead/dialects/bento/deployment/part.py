"""The kind BentoDeployment: a bento that runs."""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from fairlead.dialects.base import Document, Happened, World
from fairlead.dialects.bento.conditions import is_true
from fairlead.dialects.bento.deployment import crd
from fairlead.dialects.bento.deployment import status as telling
from fairlead.dialects.bento.deployment.cluster.layout import lay_out
from fairlead.dialects.bento.deployment.cluster.status import cluster_status
from fairlead.dialects.bento.deployment.lower import AVAILABLE, hosts_of, lower, path_of
from fairlead.dialects.bento.deployment.records import records
from fairlead.dialects.bento.deployment.schema import BentoDeployment
from fairlead.dialects.bento.deployment.validate import check_version, read, validate
from fairlead.dialects.bento.deployment.versions import to_stored
from fairlead.dialects.bento.network import read_network
from fairlead.dialects.bento.part import Part
from fairlead.dialects.bento.site import Site
from fairlead.dialects.catalog import Catalog
from fairlead.dialects.clusters import Observed
from fairlead.errors import FairleadError
from fairlead.plan.layout import Layout
from fairlead.plan.model import Plan
from fairlead.plan.status import PlanStatus


class BentoDeploymentPart(Part):
    """BentoDeployments. `external_url` is where a gateway can be reached, `suffix` what host names end in where the
    ConfigMap `network` says nothing."""

    kind = crd.BENTO_DEPLOYMENT

    def __init__(self, external_url: str = "", suffix: str = "") -> None:
        self._external_url, self._suffix = external_url, suffix

    def schema(self) -> dict[str, Any]:
        """The structural OpenAPI v3 schema of the stored version."""
        return crd.open_api()

    def default(self, doc: Document, world: World) -> dict[str, Any]:  # noqa: ARG002
        """In the stored version."""
        check_version(doc)
        return to_stored(doc)

    def validate(self, doc: Document, old: Document | None, world: World) -> None:  # noqa: ARG002
        """Raise `InvalidManifest` with every problem."""
        validate(doc)

    def records(self, doc: Document, world: World) -> Sequence[Document]:
        """The BentoRequest of a tag."""
        return records(read(doc), doc, world)

    def lower(self, doc: Document, catalog: Catalog, world: World) -> Plan:  # noqa: ARG002 - no images are known here
        """Its plan."""
        return lower(read(doc), doc, read_network(world, suffix=self._suffix), world)

    def status(self, doc: Document, plan: Plan, observed: PlanStatus, now: str, world: World) -> dict[str, Any]:
        """Its status, of its plan's."""
        deployment = read(doc)
        return telling.status_of(deployment, doc, plan, observed, world, url=self._url(deployment, world), now=now)

    def failed_status(self, doc: Document, error: FairleadError, now: str, world: World) -> dict[str, Any]:
        """Its status when it cannot be lowered or laid out."""
        metadata = doc.get("metadata") or {}
        name = str((to_stored(doc).get("spec") or {}).get("bento") or "")
        namespace = str(metadata.get("namespace") or "")
        return telling.failed_status(doc, name, namespace, world, reason=error.reason, message=str(error), now=now)

    def lay_out(self, doc: Document, site: Site) -> Layout:
        """How it lies in a cluster."""
        return lay_out(read(doc), doc, site)

    def cluster_status(self, doc: Document, layout: Layout, observed: Observed, now: str, site: Site) -> dict[str, Any]:
        """Its status, of the objects that the cluster has."""
        return cluster_status(read(doc), doc, layout, observed, site, now=now)

    def events(self, doc: Document, status: Mapping[str, Any]) -> Sequence[Happened]:
        """That it answers, and that it does so no more."""
        name, before = doc["metadata"]["name"], doc.get("status") or {}
        was, is_now = is_true(before, AVAILABLE), is_true(status, AVAILABLE)
        if is_now and not was:
            return (Happened(reason="BentoDeploymentAvailable", message=f"BentoDeployment {name} is available"),)
        if was and not is_now:
            why = telling.message_in(status)
            message = f"BentoDeployment {name} is no longer available: {why}"
            return (Happened(reason="BentoDeploymentUnavailable", message=message, is_warning=True),)
        return ()

    def _url(self, deployment: BentoDeployment, world: World) -> str:
        """By its host name where it has one, by its path where it has not."""
        if not self._external_url:
            return ""
        base = urlsplit(self._external_url)
        hosts = hosts_of(deployment, read_network(world, suffix=self._suffix))
        port = f":{base.port}" if base.port else ""
        if hosts:
            return f"{base.scheme}://{hosts[0]}{port}"
        return f"{self._external_url.rstrip('/')}{path_of(deployment)}"
