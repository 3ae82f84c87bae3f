"""What KServe writes on the command line of a transformer or explainer: the model's name and where the predictor is."""

from collections.abc import Mapping
from typing import Any

from fairlead.dialects.kserve.config import ExplainerConfig
from fairlead.dialects.kserve.inference_service.flags import has_flag
from fairlead.dialects.kserve.inference_service.runtime_defaults import MODELS
from fairlead.dialects.kserve.inference_service.schema import PREDICTOR_CONTAINER, ArtExplainer
from fairlead.dialects.kserve.inference_service.template import PREDICTOR, ComponentTemplate

Json = Mapping[str, Any]

_PORT = "8080"


def predictor_host(template: ComponentTemplate) -> str:
    """The name of the predictor inside the cluster, without a port."""
    return f"{template.service}-{PREDICTOR}.{template.namespace}"


def with_arguments(container: Json, template: ComponentTemplate) -> dict[str, Any]:
    """A container of one's own with the flags that it does not have yet."""
    args = list(container.get("args") or ())
    words = [*(container.get("command") or ()), *args]
    wanted = {"model_name": template.service, "predictor_host": predictor_host(template), "http_port": _PORT}
    if template.spec.get("containerConcurrency"):
        wanted["workers"] = str(template.spec["containerConcurrency"])
    for name, value in wanted.items():
        if not has_flag(words, name):
            args += [f"--{name}", value]
    return {**container, "args": args}


def art_container(template: ComponentTemplate, config: ExplainerConfig) -> dict[str, Any]:
    """The container of the Adversarial Robustness Toolbox's explainer."""
    written = template.spec["art"]
    art = ArtExplainer.model_validate(written)
    args = ["--model_name", template.service, "--http_port", _PORT, "--predictor_host", predictor_host(template)]
    if template.spec.get("containerConcurrency"):
        args += ["--workers", str(template.spec["containerConcurrency"])]
    if art.storage_uri or art.storage is not None:
        args += ["--storage_uri", MODELS]
    args += ["--adversary_type", art.type]
    for name in sorted(art.config):
        args += [f"--{name}", art.config[name]]
    own = ("type", "storageUri", "storage", "runtimeVersion", "config", "name")
    fields = {key: value for key, value in written.items() if key not in own}
    version = art.runtime_version or config.default_image_version
    return {
        "image": f"{config.image}:{version}",
        **fields,
        "name": PREDICTOR_CONTAINER,
        "args": [*args, *(written.get("args") or ())],
    }
