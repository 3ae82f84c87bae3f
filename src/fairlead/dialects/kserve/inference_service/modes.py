"""How an InferenceService is deployed: in Knative's mode, with revisions and a scale of zero, or in Standard mode.

What the status says comes first, since the mode of a service never changes; then the annotation, then the default.
"""

from fairlead.dialects.base import Document
from fairlead.dialects.kserve.config import LEGACY_MODES
from fairlead.dialects.kserve.inference_service import told
from fairlead.errors import Permanent

ANNOTATION = "serving.kserve.io/deploymentMode"
KNATIVE, STANDARD, MODEL_MESH = "Knative", "Standard", "ModelMesh"


class KnativeMissing(Permanent):
    """A service of Knative's mode in a cluster that has neither Knative nor our own gateway."""

    reason = "ServerlessModeRejected"
    event = "It is not possible to use Knative deployment mode when Knative Services are not available"

    def __init__(self, name: str, *, kind: str = "InferenceService") -> None:
        super().__init__(
            f"the resolved deployment mode of {kind} '{name}' is Knative, but Knative Serving is not available"
        )


def deployment_mode(doc: Document, default: str) -> str:
    """The mode by its present name."""
    annotations = doc.get("metadata", {}).get("annotations") or {}
    said = told.status_of(doc).get("deploymentMode") or annotations.get(ANNOTATION) or default
    return LEGACY_MODES.get(said, said)


def is_knative(doc: Document, default: str) -> bool:
    """Whether it has revisions."""
    return deployment_mode(doc, default) == KNATIVE
