"""Standard mode: a Deployment, a Service and a scaler for each component."""

from fairlead.dialects.base import Document
from fairlead.dialects.kserve.site import Site
from fairlead.plan.layout import Layout
from fairlead.plan.model import Owner


def lay_out_standard(doc: Document, site: Site) -> Layout:  # noqa: ARG001
    """The layout without its ways in."""
    return Layout(owner=owner_of(doc))


def owner_of(doc: Document) -> Owner:
    """The document as the owner of its objects."""
    meta = doc["metadata"]
    return Owner(
        api_version=doc["apiVersion"],
        kind=doc["kind"],
        namespace=meta.get("namespace", ""),
        name=meta["name"],
        uid=meta.get("uid", ""),
        generation=meta.get("generation", 0),
    )
