"""The container of an LLMInferenceService that serves: the template's own, or one with what it leaves open.

Without an image it is ours, which serves OpenAI's API by the processor; where the template asks for devices it is
vLLM's. A command line is only written where the template has none.
"""

from collections.abc import Mapping
from typing import Any

from fairlead.dialects.kserve.inference_service.artifacts import STORAGE_URI
from fairlead.dialects.kserve.inference_service.runtime_defaults import MODELS
from fairlead.dialects.kserve.llm.cluster.names import PORT
from fairlead.dialects.kserve.llm.lower import IMAGE
from fairlead.dialects.kserve.llm.schema import MAIN, LlmSpec
from fairlead.dialects.kserve.llm.serving import ADDED_ARGUMENTS, default_words
from fairlead.dialects.kserve.site import Site

_DEVICES = ("nvidia.com/", "amd.com/gpu", "gpu.intel.com/", "habana.ai/")
_HANDLERS = ("httpGet", "tcpSocket", "exec", "grpc")
_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
_HUB = "hf://"


def server_of(written: Mapping[str, Any], called: str, spec: LlmSpec, site: Site) -> dict[str, Any]:
    """The container. `called` is what requests call the model; a variable says where it is, for who fetches it."""
    image = str(written.get("image") or _image(written, site))
    is_own = site.is_ours(image)
    fetches = spec.storage_initializer is None or spec.storage_initializer.enabled is not False
    uri = spec.model.uri if spec.model is not None else ""
    container = {**written, "name": MAIN, "image": image}
    container["env"] = [*(written.get("env") or ()), *([{"name": STORAGE_URI, "value": uri}] if fetches else [])]
    if is_own or not (written.get("command") or written.get("args")):
        container |= _started(written, MODELS if fetches else uri.removeprefix(_HUB), called, spec, is_own=is_own)
    container["ports"] = written.get("ports") or [{"name": "http", "containerPort": PORT, "protocol": "TCP"}]
    return container | _probes(written, container, is_own=is_own)


def _image(written: Mapping[str, Any], site: Site) -> str:
    resources = written.get("resources") or {}
    asked = {**(resources.get("requests") or {}), **(resources.get("limits") or {})}
    has_devices = any(name.startswith(_DEVICES) for name in asked)
    return f"{IMAGE}:latest" if has_devices else site.settings.image_of("huggingface")


def _started(written: Mapping[str, Any], model: str, called: str, spec: LlmSpec, *, is_own: bool) -> dict[str, Any]:
    if is_own:
        flags = ["--format=vllm", f"--model={model}", f"--served-model-name={called}", f"--port={PORT}"]
        return {"command": ["fairlead", "model-server"], "args": [*flags, *(written.get("args") or ())]}
    env = {str(one.get("name")): str(one.get("value") or "") for one in written.get("env") or ()}
    command = list(default_words(model, called, env.get(ADDED_ARGUMENTS, "")))
    tensor = spec.parallelism.tensor if spec.parallelism is not None else None
    return {"command": [*command, *(("--tensor-parallel-size", str(tensor)) if (tensor or 1) > 1 else ())]}


def _probes(written: Mapping[str, Any], container: Mapping[str, Any], *, is_own: bool) -> dict[str, Any]:
    """A probe that only says how often gets what it asks. A model takes minutes to load, and nobody is to end its
    server meanwhile."""
    asks = {"httpGet": {"path": "/v2/health/ready" if is_own else "/health", "port": _port(container)}}
    found: dict[str, Any] = {}
    for name in _PROBES:
        said = written.get(name)
        if said is not None and not any(kind in said for kind in _HANDLERS):
            found[name] = {**said, **asks}
    if not any(written.get(name) for name in ("readinessProbe", "startupProbe")):
        found["startupProbe"] = {**asks, "periodSeconds": 10, "timeoutSeconds": 10, "failureThreshold": 60}
    if not written.get("readinessProbe"):
        found["readinessProbe"] = {**asks, "periodSeconds": 10, "timeoutSeconds": 5, "failureThreshold": 3}
    return found


def _port(container: Mapping[str, Any]) -> int:
    ports = container.get("ports") or ()
    return int(ports[0].get("containerPort") or PORT) if ports else PORT
