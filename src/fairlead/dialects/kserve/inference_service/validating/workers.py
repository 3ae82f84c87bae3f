"""A predictor of several nodes. There is one node here, so such a predictor never runs; its rules are kept."""

import json
from collections.abc import Iterator, Mapping, Sequence

from fairlead.dialects.kserve.inference_service.schema import Predictor, WorkerSpec
from fairlead.dialects.kserve.inference_service.validating.scaling import AUTOSCALER_CLASS
from fairlead.dialects.kserve.inference_service.validating.walking import predictor_envs, servers_of
from fairlead.dialects.kserve.problems import go_quoted, problem
from fairlead.dialects.kserve.serving_runtime.validate import PIPELINE, TENSOR, has_unknown_gpu, known_gpus
from fairlead.errors import Problem

GPU_TYPES = "serving.kserve.io/gpu-resource-types"


def worker_problems(
    name: str, predictor: Predictor, annotations: Mapping[str, str], further_gpus: Sequence[str]
) -> Iterator[Problem]:
    """Of the stable predictor."""
    worker = predictor.worker_spec
    if worker is None:
        return
    label = f"the InferenceService {go_quoted(name)} is invalid: "
    for path, text in _texts(predictor, worker, annotations, further_gpus):
        yield problem(path, f"{label}{text}")


def _texts(
    predictor: Predictor, worker: WorkerSpec, annotations: Mapping[str, str], further_gpus: Sequence[str]
) -> Iterator[tuple[str, str]]:
    path = "spec.predictor.workerSpec"
    if len(worker.containers) > 1:
        yield f"{path}.containers", "setting multiple containers in workerSpec is not allowed"
    envs = list(predictor_envs(predictor, "spec.predictor"))
    for variable in (PIPELINE, TENSOR):
        for placed in envs:
            if any(item.name == variable for item in placed.env):
                yield f"{placed.path}.env", f"setting {variable} in environment variables is not allowed"
    yield from _model_texts(predictor)
    scaler = annotations.get(AUTOSCALER_CLASS, "none")
    if scaler != "none":
        yield f"metadata.annotations.{AUTOSCALER_CLASS}", f"Multinode only supports 'none' autoscaler({scaler})"
    for size, word in (
        (worker.pipeline_parallel_size, "PipelineParallelSize"),
        (worker.tensor_parallel_size, "TensorParallelSize"),
    ):
        if size is not None and size < 1:
            yield f"{path}.{word[0].lower()}{word[1:]}", f"WorkerSpec.{word} cannot be less than 1({size})"
    gpus = known_gpus([*further_gpus, *_custom_gpus(annotations)])
    containers = [server for _, server in servers_of(predictor, "")] + [*worker.containers]
    if any(has_unknown_gpu(container, gpus) for container in containers):
        yield (
            path,
            "Unknown GPU resource type. Set 'serving.kserve.io/gpu-resource-types' annotation to use custom gpu "
            "resource type",
        )


def _model_texts(predictor: Predictor) -> Iterator[tuple[str, str]]:
    uris = [(path, server.storage_uri) for path, server in servers_of(predictor, "spec.predictor")]
    path, uri = uris[0] if uris else ("spec.predictor", None)
    if not uri:
        yield f"{path}.storageUri", "StorageURI must be set for multinode enabled"
        return
    scheme = uri.partition("://")[0]
    if scheme not in ("pvc", "oci"):
        yield f"{path}.storageUri", f"Multinode only supports 'pvc' and 'oci' Storage Protocol({scheme})"


def _custom_gpus(annotations: Mapping[str, str]) -> list[str]:
    try:
        names = json.loads(annotations.get(GPU_TYPES, "[]"))
    except ValueError:
        return []
    return [name for name in names if isinstance(name, str)] if isinstance(names, list) else []
