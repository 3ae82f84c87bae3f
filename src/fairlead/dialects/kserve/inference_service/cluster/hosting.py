"""Predictors that serve the models of others: whether one does, and the ConfigMap that tells its agent which."""

import json
from typing import Any

from fairlead.dialects.kserve.inference_service.cluster.draft import Draft
from fairlead.dialects.kserve.inference_service.runtime_defaults import MODELS
from fairlead.dialects.kserve.inference_service.template import PREDICTOR
from fairlead.dialects.kserve.trained_model.hosting import fitting
from fairlead.dialects.kserve.trained_model.parents import holds_models


def model_config_name(service: str) -> str:
    """The ConfigMap with the models that a server of others' holds."""
    return f"modelconfig-{service}-0"


def is_host(draft: Draft) -> bool:
    """Whether the predictor serves models of others (TrainedModels). One that mounts a volume of its own where models
    are has its model there."""
    if draft.template.role != PREDICTOR or draft.template.canary:
        return False
    has_own = any(one.get("mountPath", "").rstrip("/") == MODELS for one in draft.main.get("volumeMounts") or ())
    return not has_own and holds_models({"spec": {PREDICTOR: draft.template.spec}})


def model_config(draft: Draft) -> dict[str, Any]:
    """The models that there is room for, as the agent reads them."""
    template = draft.template
    metadata = {"name": template.service, "namespace": template.namespace, "annotations": template.annotations}
    service = {"metadata": metadata, "spec": {PREDICTOR: template.spec}}
    models = [
        {"modelName": one["metadata"]["name"], "modelSpec": dict(one["spec"]["model"])}
        for one in fitting(service, draft.site.world)
    ]
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": model_config_name(template.service), "namespace": template.namespace},
        "data": {"models.json": json.dumps(models, separators=(",", ":"))},
    }
