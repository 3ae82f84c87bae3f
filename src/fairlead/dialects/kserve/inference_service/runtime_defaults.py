"""What the choice of a runtime adds to a model: KServe fills these in once it knows which server it will be.

A server is known by the annotation `serving.kserve.io/server-type` of its runtime, or else by the name of a runtime
that every installation has.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fairlead.dialects.kserve.inference_service.schema import Model

MLSERVER, TRITON, TORCHSERVE = "mlserver", "tritonserver", "torchserve"
MODEL_CLASS, SERVICE_ENVELOPE = "modelClass", "serviceEnvelope"
MODELS = "/mnt/models"
IMPLEMENTATIONS: Mapping[str, str] = {
    "sklearn": "mlserver_sklearn.SKLearnModel",
    "xgboost": "mlserver_xgboost.XGBoostModel",
    "lightgbm": "mlserver_lightgbm.LightGBMModel",
    "mlflow": "mlserver_mlflow.MLflowRuntime",
}
"""MLServer's class for a format."""
_RANKS = ("v1", "v2", "grpc-v1", "grpc-v2")
_BUILT_IN = {
    "kserve-mlserver": MLSERVER,
    "kserve-tritonserver": TRITON,
    "kserve-torchserve": TORCHSERVE,
    "kserve-tensorflow-serving": "tensorflow-serving",
    "kserve-huggingfaceserver": "huggingfaceserver",
    "kserve-huggingfaceserver-multinode": "huggingfaceserver",
    "kserve-vllmserver": "vllmserver",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Added:
    """What a container gets below its own settings. `labels` are those of the service."""

    protocol: str
    env: tuple[tuple[str, str], ...] = ()
    args: tuple[str, ...] = ()
    labels: tuple[tuple[str, str], ...] = ()


def server_type(runtime: Mapping[str, Any]) -> str:
    """Which server a runtime (`kind`, `name`, `spec` and the `serverType` of its annotation) starts."""
    return str(runtime.get("serverType") or _BUILT_IN.get(runtime["name"], ""))


def best_protocol(runtime: Mapping[str, Any]) -> str:
    """The protocol of a model that names none: the first that the runtime speaks."""
    offered = runtime["spec"].get("protocolVersions") or ()
    return next((protocol for protocol in _RANKS if protocol in offered), "v1")


def additions(model: Model, runtime: Mapping[str, Any], *, service: str, has_storage: bool) -> Added:
    """What the chosen runtime's server adds."""
    server = server_type(runtime)
    said = model.protocol_version or ""
    if server == MLSERVER:
        implementation = IMPLEMENTATIONS.get(model.model_format.name, IMPLEMENTATIONS["sklearn"])
        env = (
            (("MLSERVER_MODEL_NAME", service), ("MLSERVER_MODEL_URI", MODELS))
            if has_storage
            else (("MLSERVER_LOAD_MODELS_AT_STARTUP", "false"),)
        )
        return Added(protocol=said or "v2", env=env, labels=((MODEL_CLASS, implementation),))
    if server == TRITON:
        return Added(protocol=said or "v2", args=() if has_storage else ("--model-control-mode=explicit",))
    if server == TORCHSERVE:
        protocol = said or "v1"
        envelope = "kserve" if protocol == "v1" else "kservev2"
        return Added(protocol=protocol, env=(("PROTOCOL_VERSION", protocol),), labels=((SERVICE_ENVELOPE, envelope),))
    return Added(protocol=said or best_protocol(runtime))
