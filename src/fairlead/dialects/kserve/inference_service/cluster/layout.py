"""The layout of an InferenceService: what runs, as its mode has it, and the ways in."""

from dataclasses import replace

from fairlead.dialects.base import Document
from fairlead.dialects.kserve.inference_service.cluster.addresses import addresses_of
from fairlead.dialects.kserve.inference_service.cluster.knative import lay_out_knative
from fairlead.dialects.kserve.inference_service.cluster.standard import lay_out_standard
from fairlead.dialects.kserve.inference_service.cluster.standard_ways import routing_of, standard_ways, unsaid
from fairlead.dialects.kserve.inference_service.modes import is_knative
from fairlead.dialects.kserve.site import Site
from fairlead.plan.layout import Layout


def lay_out(doc: Document, site: Site) -> Layout:
    """The layout of a defaulted document. Raises `InvalidManifest` for what cannot be laid out."""
    if is_knative(doc, site.config.default_mode):
        return lay_out_knative(doc, site)
    layout = lay_out_standard(doc, site)
    if not layout.workloads:
        return layout
    addresses = addresses_of(doc, site)
    return replace(
        layout,
        exposures=standard_ways(addresses, layout.services),
        routing=routing_of(site),
        warnings=(*layout.warnings, *unsaid(addresses)),
    )
