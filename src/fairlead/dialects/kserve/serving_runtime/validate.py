"""The admission webhook's rules of runtimes, with its literal texts. A disabled runtime may say anything.

`tests/golden/kserve/validation` has a folder for each text.
"""

from collections.abc import Iterator, Sequence

from fairlead.dialects.kserve.problems import go_quoted, problem, refuse
from fairlead.dialects.kserve.serving_runtime.schema import CLUSTER_KIND, ServingRuntime, SupportedFormat
from fairlead.dialects.podspec import Container
from fairlead.errors import Problem

PIPELINE, TENSOR, PYTHONPATH = "PIPELINE_PARALLEL_SIZE", "TENSOR_PARALLEL_SIZE", "PYTHONPATH"
_BASIC = frozenset({"cpu", "memory", "storage", "ephemeral-storage"})
_GPUS = frozenset({"nvidia.com/gpu", "amd.com/gpu", "intel.com/gpu", "habana.ai/gaudi"})


def validate(runtime: ServingRuntime, old: ServingRuntime | None, others: Sequence[ServingRuntime]) -> None:
    """Raise `InvalidManifest` with every broken rule. `others` are the runtimes of its scope, itself included."""
    if runtime.spec.disabled:
        return
    refuse(
        [
            *_own_priorities(runtime),
            *_shared_priorities(runtime, others),
            *_worker_problems(runtime, old),
            *_path_problems(runtime),
        ]
    )


def _is_cluster(runtime: ServingRuntime) -> bool:
    return runtime.kind == CLUSTER_KIND


def _label(runtime: ServingRuntime) -> str:
    return f"the {runtime.kind} {runtime.metadata.name} is invalid: "


def _own_priorities(runtime: ServingRuntime) -> Iterator[Problem]:
    scope = "clusterservingruntime" if _is_cluster(runtime) else "servingruntime"
    first: dict[str, int | None] = {}
    for index, entry in enumerate(runtime.spec.supported_model_formats):
        if entry.auto_select and first.setdefault(entry.name, entry.priority) != entry.priority:
            text = f"different priorities assigned for the model format {entry.name} under the {scope}"
            yield problem(f"spec.supportedModelFormats[{index}].priority", f"{text} {runtime.metadata.name}")


def _shared_priorities(runtime: ServingRuntime, others: Sequence[ServingRuntime]) -> Iterator[Problem]:
    for other in others:
        if other.metadata.name == runtime.metadata.name or not _compete(runtime, other):
            continue
        for index, entry in enumerate(runtime.spec.supported_model_formats):
            if any(_is_tie(entry, rival) for rival in other.spec.supported_model_formats):
                names = f"{runtime.metadata.name} and {other.metadata.name}"
                where = (
                    f"the clusterservingruntimes {names}"
                    if _is_cluster(runtime)
                    else f"the servingruntimes {names} in namespace {runtime.metadata.namespace}"
                )
                text = f"same priority assigned for the model format {entry.name} in {where}"
                yield problem(f"spec.supportedModelFormats[{index}].priority", text)


def _compete(runtime: ServingRuntime, other: ServingRuntime) -> bool:
    """Whether both may be asked for one model."""
    mine, theirs = runtime.spec, other.spec
    shares_protocol = bool(set(mine.protocol_versions) & set(theirs.protocol_versions))
    return not theirs.disabled and mine.multi_model == theirs.multi_model and shares_protocol


def _is_tie(entry: SupportedFormat, rival: SupportedFormat) -> bool:
    return (
        entry.auto_select
        and rival.auto_select
        and entry.name.lower() == rival.name.lower()
        and entry.version == rival.version
        and entry.priority is not None
        and entry.priority == rival.priority
    )


def _worker_problems(runtime: ServingRuntime, old: ServingRuntime | None) -> Iterator[Problem]:
    worker, path, label = runtime.spec.worker_spec, "spec.workerSpec", _label(runtime)
    if worker is None:
        if old is not None and old.spec.worker_spec is not None:
            yield problem(path, f"{label}removing workerSpec where it already exists is not allowed")
        return
    if len(worker.containers) > 1:
        yield problem(f"{path}.containers", f"{label}setting multiple containers in workerSpec is not allowed")
    containers = [*runtime.spec.containers, *worker.containers]
    for name in (PIPELINE, TENSOR):
        if any(variable.name == name for container in containers for variable in container.env):
            yield problem(path, f"{label}setting {name} in environment variables is not allowed")
    for size, word in (
        (worker.pipeline_parallel_size, "PipelineParallelSize"),
        (worker.tensor_parallel_size, "TensorParallelSize"),
    ):
        if size is not None and size < 1:
            field = word[0].lower() + word[1:]
            yield problem(f"{path}.{field}", f"{label}the WorkerSpec.{word} cannot be less than 1({size})")
    for container in containers:
        if has_unknown_gpu(container):
            yield problem(path, f"{label}unknown GPU resource type in a container({container.name})")


def has_unknown_gpu(container: Container, known: frozenset[str] = _GPUS) -> bool:
    """Whether a container asks for devices of a sort that nobody has heard of."""
    asked = {*container.resources.requests, *container.resources.limits}
    return not asked <= _BASIC | known


def known_gpus(further: Sequence[str]) -> frozenset[str]:
    """The names of devices, with those that an annotation or a setting adds."""
    return _GPUS.union(further)


def _path_problems(runtime: ServingRuntime) -> Iterator[Problem]:
    worker = runtime.spec.worker_spec
    groups = [("spec.containers", runtime.spec.containers)]
    if worker is not None:
        groups.append(("spec.workerSpec.containers", worker.containers))
        groups.append(("spec.workerSpec.initContainers", worker.init_containers))
    for path, containers in groups:
        for index, container in enumerate(containers):
            if any(variable.name == PYTHONPATH for variable in container.env):
                text = (
                    f"setting PYTHONPATH in container {go_quoted(container.name)} is not allowed for security reasons"
                )
                name = go_quoted(runtime.metadata.name)
                yield problem(f"{path}[{index}].env", f"the {runtime.kind} {name} is invalid: {text}")
