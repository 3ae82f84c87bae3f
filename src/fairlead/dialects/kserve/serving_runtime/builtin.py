"""The runtimes of a KServe installation, as ClusterServingRuntimes that are there from the start.

They are a table: manifests name them, and their images are what the catalog knows our own servers by. Names, formats,
protocols and arguments are KServe's; images stand without digests.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from fairlead.dialects.base import Document
from fairlead.dialects.kserve.serving_runtime.schema import CLUSTER_KIND, GROUP, SERVER_TYPE, VERSION

_NAME, _HTTP = "--model_name={{.Name}}", "--http_port=8080"
_STANDARD = (_NAME, "--model_dir=/mnt/models", _HTTP)
_ONE_THREAD = "--nthread=1"


@dataclass(frozen=True, slots=True)
class _Format:
    name: str
    version: str | None = None
    priority: int | None = 1
    is_chosen: bool = True

    def document(self) -> dict[str, Any]:
        entry: dict[str, Any] = {"name": self.name}
        if self.version is not None:
            entry["version"] = self.version
        if self.is_chosen:
            entry["autoSelect"] = True
        if self.priority is not None:
            entry["priority"] = self.priority
        return entry


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    name: str
    server_type: str
    image: str
    formats: tuple[_Format, ...]
    protocols: tuple[str, ...] = ("v1", "v2")
    command: tuple[str, ...] = ()
    args: tuple[str, ...] = _STANDARD
    env: tuple[tuple[str, str], ...] = ()
    metrics_port: int = 8080
    extra: dict[str, Any] = field(default_factory=dict)
    """Further fields of the container."""
    pod: dict[str, Any] = field(default_factory=dict)
    """Further fields of the spec."""


_SHARED_MEMORY = {"volumes": [{"name": "devshm", "emptyDir": {"medium": "Memory"}}]}
_SHARED_MEMORY_MOUNT = {"volumeMounts": [{"name": "devshm", "mountPath": "/dev/shm"}]}  # noqa: S108 (in a container)

_ROWS = (
    _Row(
        name="kserve-sklearnserver",
        server_type="sklearnserver",
        image="kserve/sklearnserver:latest",
        formats=(_Format("sklearn", "1"),),
    ),
    _Row(
        name="kserve-xgbserver",
        server_type="xgbserver",
        image="kserve/xgbserver:latest",
        formats=(_Format("xgboost", "2"),),
        args=(*_STANDARD, _ONE_THREAD),
    ),
    _Row(
        name="kserve-lgbserver",
        server_type="lgbserver",
        image="kserve/lgbserver:latest",
        formats=(_Format("lightgbm", "4"),),
        args=(*_STANDARD, _ONE_THREAD),
    ),
    _Row(
        name="kserve-pmmlserver",
        server_type="pmmlserver",
        image="kserve/pmmlserver:latest",
        formats=(_Format("pmml", "3"), _Format("pmml", "4")),
    ),
    _Row(
        name="kserve-paddleserver",
        server_type="paddleserver",
        image="kserve/paddleserver:latest",
        formats=(_Format("paddle", "2"),),
    ),
    _Row(
        name="kserve-autogluonserver",
        server_type="autogluonserver",
        image="kserve/autogluonserver:latest",
        formats=(_Format("autogluon", "1"),),
    ),
    _Row(
        name="kserve-predictiveserver",
        server_type="predictiveserver",
        image="kserve/predictiveserver:latest",
        formats=(
            _Format("sklearn", "1", 3, is_chosen=False),
            _Format("xgboost", "2", 3, is_chosen=False),
            _Format("lightgbm", "4", 3, is_chosen=False),
        ),
        args=(*_STANDARD, "--framework={{.Annotations.modelFormat}}", _ONE_THREAD),
    ),
    _Row(
        name="kserve-mlserver",
        server_type="mlserver",
        image="docker.io/seldonio/mlserver:1.7.1",
        formats=(
            _Format("sklearn", "0", 2),
            _Format("sklearn", "1", 2),
            _Format("xgboost", "1", 2),
            _Format("xgboost", "2", 2),
            _Format("lightgbm", "3", 2),
            _Format("lightgbm", "4", 2),
            _Format("mlflow", "1"),
            _Format("mlflow", "2"),
        ),
        protocols=("v2",),
        args=(),
        env=(
            ("MLSERVER_MODEL_IMPLEMENTATION", "{{.Labels.modelClass}}"),
            ("MLSERVER_HTTP_PORT", "8080"),
            ("MLSERVER_GRPC_PORT", "9000"),
        ),
    ),
    _Row(
        name="kserve-tensorflow-serving",
        server_type="tensorflow-serving",
        image="tensorflow/serving:2.6.2",
        formats=(_Format("tensorflow", "1", 2), _Format("tensorflow", "2", 2)),
        protocols=("v1", "grpc-v1"),
        command=("/usr/bin/tensorflow_model_server",),
        args=(
            _NAME,
            "--port=9000",
            "--rest_api_port=8080",
            "--model_base_path=/mnt/models",
            "--rest_api_timeout_in_ms=60000",
        ),
    ),
    _Row(
        name="kserve-torchserve",
        server_type="torchserve",
        image="pytorch/torchserve-kfs:0.9.0",
        formats=(_Format("pytorch", "1", 2),),
        protocols=("v1", "v2", "grpc-v2"),
        args=(
            "torchserve",
            "--start",
            "--model-store=/mnt/models/model-store",
            "--ts-config=/mnt/models/config/config.properties",
        ),
        env=(("TS_SERVICE_ENVELOPE", "{{.Labels.serviceEnvelope}}"),),
        metrics_port=8082,
    ),
    _Row(
        name="kserve-tritonserver",
        server_type="tritonserver",
        image="nvcr.io/nvidia/tritonserver:23.05-py3",
        formats=(
            _Format("tensorrt", "8"),
            _Format("tensorflow", "1"),
            _Format("tensorflow", "2"),
            _Format("onnx", "1"),
            _Format("pytorch", "1", None, is_chosen=False),
            _Format("triton", "2"),
        ),
        protocols=("v2", "grpc-v2"),
        args=(
            "tritonserver",
            "--model-store=/mnt/models",
            "--grpc-port=9000",
            "--http-port=8080",
            "--allow-grpc=true",
            "--allow-http=true",
        ),
        metrics_port=8002,
    ),
    _Row(
        name="kserve-huggingfaceserver",
        server_type="huggingfaceserver",
        image="kserve/huggingfaceserver:latest",
        formats=(_Format("huggingface", "1"),),
        protocols=("v2", "v1"),
        args=(_NAME,),
        env=(("LMCACHE_USE_EXPERIMENTAL", "True"),),
        extra=_SHARED_MEMORY_MOUNT,
        pod=_SHARED_MEMORY,
    ),
    _Row(
        name="kserve-huggingfaceserver-multinode",
        server_type="huggingfaceserver",
        image="kserve/huggingfaceserver:latest-gpu",
        formats=(_Format("huggingface", "1", 2),),
        protocols=("v2", "v1"),
        args=(_NAME,),
        extra={**_SHARED_MEMORY_MOUNT, "ports": [{"name": "ray", "containerPort": 6379}]},
        pod={
            **_SHARED_MEMORY,
            "workerSpec": {
                "pipelineParallelSize": 1,
                "tensorParallelSize": 1,
                "containers": [{"name": "worker-container", "image": "kserve/huggingfaceserver:latest-gpu"}],
            },
        },
    ),
    _Row(
        name="kserve-vllmserver",
        server_type="vllmserver",
        image="vllm/vllm-openai:latest",
        formats=(_Format("vLLM", "1"),),
        protocols=(),
        command=("python", "-m", "vllm.entrypoints.openai.api_server"),
        args=("--port=8080", "--served-model-name={{.Name}}", "--model=/mnt/models"),
        extra={**_SHARED_MEMORY_MOUNT, "readinessProbe": {"httpGet": {"path": "/v1/models", "port": 8080}}},
        pod=_SHARED_MEMORY,
    ),
)


def built_in_runtimes() -> Sequence[Document]:
    """The runtimes as documents."""
    return [_document(row) for row in _ROWS]


def _document(row: _Row) -> Document:
    spec: dict[str, Any] = {
        "annotations": {"prometheus.kserve.io/port": str(row.metrics_port), "prometheus.kserve.io/path": "/metrics"},
        "supportedModelFormats": [entry.document() for entry in row.formats],
    }
    if row.protocols:
        spec["protocolVersions"] = list(row.protocols)
    return {
        "apiVersion": f"{GROUP}/{VERSION}",
        "kind": CLUSTER_KIND,
        "metadata": {"name": row.name, "annotations": {SERVER_TYPE: row.server_type}},
        "spec": {**spec, "containers": [_container(row)], **row.pod},
    }


def _container(row: _Row) -> dict[str, Any]:
    container: dict[str, Any] = {"name": "kserve-container", "image": row.image}
    if row.command:
        container["command"] = list(row.command)
    if row.args:
        container["args"] = list(row.args)
    if row.env:
        container["env"] = [{"name": name, "value": value} for name, value in row.env]
    enough = {"cpu": "1", "memory": "2Gi"}
    rights = {
        "allowPrivilegeEscalation": False,
        "privileged": False,
        "runAsNonRoot": True,
        "capabilities": {"drop": ["ALL"]},
    }
    return {
        **container,
        **row.extra,
        "resources": {"requests": dict(enough), "limits": dict(enough)},
        "securityContext": rights,
    }
