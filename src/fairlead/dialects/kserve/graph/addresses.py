"""The names and the URL of a graph."""

from urllib.parse import urlsplit

from fairlead.dialects.base import Document
from fairlead.dialects.kserve.config import InferenceServiceConfig
from fairlead.dialects.kserve.inference_service.hosts import Ingress
from fairlead.dialects.kserve.inference_service.modes import deployment_mode
from fairlead.dialects.kserve.inference_service.routes import Addressed

STANDARD = "Standard"


def addressed(doc: Document, config: InferenceServiceConfig) -> Addressed:
    """A graph as routes and names see it."""
    ingress = config.ingress
    return Addressed(
        doc=doc,
        ingress=Ingress(
            domain=ingress.ingress_domain,
            domain_template=ingress.domain_template,
            additional_domains=tuple(ingress.additional_ingress_domains),
            scheme=ingress.url_scheme,
            is_disabled=ingress.disable_ingress_creation,
            has_virtual_host=True,  # a graph has none to disable: Knative's own name is its name
        ),
        is_knative=deployment_mode(doc, config.default_mode) != STANDARD,
    )


def url_of(place: Addressed, external_url: str) -> str:
    """Where clients find the graph: its name outside, at the gateway's port."""
    if place.is_internal or not place.has_outside:
        return f"http://{place.name}.{place.namespace}.svc.cluster.local"
    gateway = urlsplit(external_url)
    port = f":{gateway.port}" if gateway.port is not None else ""
    return f"{gateway.scheme or place.ingress.scheme}://{place.outside(place.name)}{port}"
