"""From a parsed document to a typed InferenceService."""

from fairlead.dialects.base import Document
from fairlead.dialects.kserve.inference_service.schema import GROUP, KIND, VERSION, InferenceService
from fairlead.dialects.reading import Identity, read_as

_IDENTITY = Identity(GROUP, (VERSION,), KIND)


def read(doc: Document) -> InferenceService:
    """The typed document. Raises `InvalidManifest` with every field of the wrong type."""
    return read_as(InferenceService, doc, _IDENTITY)
