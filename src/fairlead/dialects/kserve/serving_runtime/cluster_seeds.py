"""The runtimes of an installation in a cluster: KServe's by name, format and flags, with our image for the formats that
we run and KServe's for the others.

Services name runtimes and are found by their formats, so both stay; what runs is told by the container alone. A value
of the chart that names an image (`kserve.servingruntime.sklearnserver.image`) gives the runtime that server back.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fairlead.dialects.base import Document
from fairlead.dialects.clusters import ClusterSettings
from fairlead.dialects.kserve.serving_runtime.builtin import built_in_runtimes

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Server:
    """What a runtime is called in the chart's values, and the format that our server runs in its place."""

    value: str
    format: str = ""


_SERVERS = {
    "kserve-sklearnserver": _Server("sklearnserver", "sklearn"),
    "kserve-xgbserver": _Server("xgbserver", "xgboost"),
    "kserve-lgbserver": _Server("lgbserver", "lightgbm"),
    "kserve-pmmlserver": _Server("pmmlserver"),
    "kserve-paddleserver": _Server("paddleserver"),
    "kserve-autogluonserver": _Server("autogluonserver"),
    "kserve-predictiveserver": _Server("predictiveserver", "predictive"),
    "kserve-mlserver": _Server("mlserver", "mlserver"),
    "kserve-tensorflow-serving": _Server("tensorflow", "tensorflow"),
    "kserve-torchserve": _Server("torchserve", "pytorch"),
    "kserve-tritonserver": _Server("tritonserver", "triton"),
    "kserve-huggingfaceserver": _Server("huggingfaceserver", "huggingface"),
    "kserve-huggingfaceserver-multinode": _Server("huggingfaceserver_multinode"),
    "kserve-vllmserver": _Server("vllmserver", "vllm"),
}
_NODES = "kserve-huggingfaceserver-multinode"
_HEAD = """\
ray start --head --port=6379 --disable-usage-stats --include-dashboard=false
count='import ray; ray.init(address="auto", logging_level="ERROR"); print(sum(node["Alive"] for node in ray.nodes()))'
until [ "$(python3 -c "$count")" -ge "$RAY_NODE_COUNT" ]; do sleep 2; done
exec python3 -m huggingfaceserver --model_dir="$MODEL_DIR" --tensor-parallel-size="$TENSOR_PARALLEL_SIZE" \
  --pipeline-parallel-size="$PIPELINE_PARALLEL_SIZE" "$0" "$@"
"""
_WORKER = """\
until ray health-check --address "$HEAD_SVC:6379"; do sleep 2; done
exec ray start --address="$HEAD_SVC:6379" --disable-usage-stats --block
"""
"""A server of several nodes waits until all of them are there; what a model adds to its arguments comes after."""
_PROGRAMS = frozenset(("torchserve", "--start", "tritonserver"))
"""Words of a server's own command line that are no flags of what it serves."""


def cluster_runtimes(settings: ClusterSettings) -> Sequence[Document]:
    """The runtimes as documents."""
    return [_document(one, settings) for one in built_in_runtimes()]


def _document(runtime: Document, settings: ClusterSettings) -> Document:
    server = _SERVERS[runtime["metadata"]["name"]]
    values = _said(settings, server.value)
    spec: Json = {**runtime["spec"]}
    container: Json = {**spec["containers"][0]}
    if values.get("image"):
        container["image"] = ":".join(part for part in (str(values["image"]), str(values.get("tag") or "")) if part)
    elif server.format:
        container = _ours(container, server.format, settings)
    for name in ("resources", "securityContext"):
        if values.get(name):
            container[name] = values[name]
    if runtime["metadata"]["name"] == _NODES:
        container, spec["workerSpec"] = _of_nodes(container, spec["workerSpec"])
    spec["containers"] = [container]
    if values.get("imagePullSecrets"):
        spec["imagePullSecrets"] = values["imagePullSecrets"]
    if values.get("disabled"):
        spec["disabled"] = True
    return {**runtime, "spec": spec}


def _of_nodes(container: Json, worker: Json) -> tuple[Json, Json]:
    """The head and its workers, started by Ray."""
    shell = ["bash", "-c"]
    below = {**worker["containers"][0], "image": container["image"], "command": shell, "args": [_WORKER]}
    below["volumeMounts"] = container["volumeMounts"]
    shared = {"volumes": [{"name": "devshm", "emptyDir": {"medium": "Memory"}}]}
    head = {**container, "command": shell, "args": [_HEAD, *container["args"]]}
    return head, {**worker, **shared, "containers": [below]}


def _said(settings: ClusterSettings, name: str) -> Mapping[str, Any]:
    """What the chart's values say of a runtime."""
    found = settings.value(f"kserve.servingruntime.{name}")
    return found if isinstance(found, Mapping) else {}


def _ours(container: Json, format_: str, settings: ClusterSettings) -> Json:
    """Our server for a format, with the flags of the one that it stands for."""
    first = {"name": container["name"], "image": settings.image_of(format_)}
    flags = [word for word in container.get("args") or () if word not in _PROGRAMS]
    command = ["fairlead", "model-server", f"--format={format_}"]
    return {**first, "command": command, **({"args": flags} if flags else {}), **_rest(container)}


def _rest(container: Json) -> Json:
    return {key: value for key, value in container.items() if key not in ("name", "image", "command", "args")}
