"""AdmissionReviews as an API server sends them, and a reviewer of all dialects."""

from typing import Any

from fairlead.backends.kubernetes.webhooks.reviewing import Reviewer
from fairlead.dialects.base import Document
from fairlead.dialects.bento import BentoDialect
from fairlead.dialects.catalog import Catalog
from fairlead.dialects.kserve import KServeDialect
from fairlead.dialects.seldon import SeldonDialect
from support.stored_docs import DocumentWorld

SELDON = "/validate-machinelearning-seldon-io-v1-seldondeployment"
ISVC = "/validate-serving-kserve-io-v1beta1-inferenceservice"
ISVC_DEFAULTS = "/mutate-serving-kserve-io-v1beta1-inferenceservice"


def review(doc: Any, *, old: Any = None, operation: str = "", **fields: Any) -> dict[str, Any]:
    """The question about an object, which replaces `old`."""
    request = {
        "uid": "705ab4f5-6393-11e8-b7cc-42010a800002",
        "operation": operation or ("UPDATE" if old else "CREATE"),
        "object": doc,
        "oldObject": old,
        "dryRun": False,
        **fields,
    }
    return {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}


def reviewer(*stored: Document) -> Reviewer:
    """One that sees these objects."""
    world = DocumentWorld(stored)
    return Reviewer(dialects=(SeldonDialect(), KServeDialect(), BentoDialect()), catalog=Catalog(), world=lambda: world)


def answered(path: str, doc: Any, *stored: Document, **fields: Any) -> dict[str, Any]:
    """The response about an object."""
    response: dict[str, Any] = reviewer(*stored).answer(path, review(doc, **fields))["response"]
    return response
