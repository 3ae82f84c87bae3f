"""The rules of KServe's validating webhook for InferenceServices, in its words."""

from fairlead.dialects.kserve.inference_service.validating.rules import validate

__all__ = ["validate"]
