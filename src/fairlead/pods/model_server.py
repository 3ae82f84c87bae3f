"""A model server by itself, in the role of the ones that KServe's runtimes name: KServe's own, MLServer, TensorFlow
Serving, Triton, TorchServe and vLLM.

Each is told what it serves in its own words: flags, or MLServer's variables. Which of them a command line was written
for follows from the format; the flags are read by the same table that serves manifests on one machine, so a runtime's
arguments mean the same in both places.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fairlead.dataplane.spec import Placement, TcpSocket, WorkerSpec
from fairlead.dialects.catalog import Entry
from fairlead.dialects.kserve.inference_service.flags import settings_of
from fairlead.dialects.kserve.inference_service.servers import KSERVE, MLSERVER, SERVERS, Said, Server, read, settled
from fairlead.errors import ConfigError, UnknownRuntime
from fairlead.plan.model import (
    Call,
    ComponentName,
    EnvVar,
    Graph,
    Method,
    Parameter,
    Protocol,
    Revision,
    Unit,
    UnitName,
    Upstream,
)
from fairlead.pods.awaiting import await_model
from fairlead.pods.hub_models import HUB_PARAMETERS, hub_folder, repository_of
from fairlead.pods.model_formats import format_in
from fairlead.pods.surroundings import host_of, namespace_of, pod_name, processors

_log = logging.getLogger(__name__)

FORMAT = "FAIRLEAD_FORMAT"
_MODELS = "/mnt/models"
_DRAIN_S = 30.0
_NAME = "model"
_OWN = frozenset(
    (
        "format", "host", "http_port", "grpc_port", "model_dir", "workers", "max_asyncio_workers", "log_config_file",
        "access_log_format", "timeout-keep-alive", "timeout_keep_alive", "grpc_max_send_message_length",
        "grpc_max_receive_message_length", "framework",
    )
)  # fmt: skip
"""Flags of every server that are looked at here, or that change nothing which a client could tell."""
_UPSTREAM = frozenset(
    (
        "predictor_host", "predictor_protocol", "protocol", "predictor_use_ssl", "predictor_request_timeout_seconds",
        "predictor_request_retries", "enable_predictor_health_check",
    )
)  # fmt: skip
_PLAIN = Server(speaks=(Protocol.V1, Protocol.V2), quiet=SERVERS["sklearn", KSERVE].quiet)
_ENTRIES: Mapping[str, Entry] = {
    "sklearn": Entry(runtime="sklearn", variant=KSERVE),
    "xgboost": Entry(runtime="xgboost", variant=KSERVE),
    "lightgbm": Entry(runtime="lightgbm", variant=KSERVE),
    "predictive": Entry(runtime="predictive", variant=KSERVE),
    "huggingface": Entry(runtime="huggingface", variant=KSERVE),
    "vllm": Entry(runtime="huggingface", variant="vllm"),
    "tensorflow": Entry(runtime="tensorflow"),
    "triton": Entry(runtime="triton"),
    "pytorch": Entry(runtime="pytorch", variant="torchserve"),
    "mlserver": Entry(runtime="mlserver"),
    "shap": Entry(runtime="shap"),
    "art": Entry(runtime="art"),
    "onnx": Entry(runtime="onnx"),
    "catboost": Entry(runtime="catboost"),
    "mlflow": Entry(runtime="mlflow"),
}
"""What serves each value of --format."""
_PORTS = (
    (("http_port", "rest_api_port", "http-port"), "MLSERVER_HTTP_PORT", 8080),
    (("grpc_port", "grpc-port"), "MLSERVER_GRPC_PORT", 8081),
)
_GRPC_OF_TENSORFLOW = "port"
_TRUE = ("y", "yes", "t", "true", "on", "1")
_WITHOUT_MODEL = frozenset(("shap", "art", "huggingface"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """The worker to run, and what its reader should know."""

    spec: WorkerSpec
    warnings: tuple[str, ...] = ()


def formats() -> list[str]:
    """What --format accepts."""
    return sorted(_ENTRIES)


def started(words: Sequence[str], environ: Mapping[str, str]) -> Started:
    """From a server's command line and environment. Raises `ConfigError` and `UnknownRuntime`."""
    flags = settings_of(words)
    entry = _entry(flags, environ)
    server = SERVERS.get((entry.runtime, entry.variant), _PLAIN)
    said = read(server, tuple(words), _OWN | (frozenset() if server.takes_all else _UPSTREAM))
    folder = Path(said.folder or flags.get("model_dir") or flags.get("model-repository") or _folder(entry, environ))
    if entry.variant == "torchserve" and folder.name == "model-store":
        folder = folder.parent
    holds = _holds_models(entry, server, folder, environ)
    unit = Unit(
        name=UnitName(said.name or environ.get("MLSERVER_MODEL_NAME") or _NAME),
        runtime=entry.runtime,
        variant=entry.variant,
        parameters=_parameters(said),
        env=tuple(EnvVar(name=name, value=value) for name, value in server.env if name not in environ),
        upstream=_upstream(flags),
        holds_models=holds,
    )
    spec = _spec(unit, server, flags, environ, _fetched(unit, said, folder))
    unused = (f"--{flag} is not used: {entry.runtime} models are served by Fairlead" for flag in said.unused)
    return Started(spec=spec, warnings=tuple(unused))


def run(words: Sequence[str], environ: Mapping[str, str]) -> int:
    """Serve until told to stop; gives the exit status."""
    await_model(Path(_MODELS), environ)
    begun = started(words, environ)
    for warning in begun.warnings:
        _log.warning("%s", warning)
    from fairlead.dataplane.worker import main

    return main(begun.spec, None)


def _entry(flags: Mapping[str, str], environ: Mapping[str, str]) -> Entry:
    asked = flags.get("format") or environ.get(FORMAT, "")
    if not asked:
        asked = "mlserver" if environ.get("MLSERVER_MODEL_IMPLEMENTATION") else _found(flags, environ)
    if asked not in _ENTRIES:
        raise UnknownRuntime(f"--format {asked!r}: there are {', '.join(formats())}")
    entry = settled(_ENTRIES[asked], environ, flags)
    if entry is None:
        raise UnknownRuntime(f"--framework {flags.get('framework', '')!r}: there are sklearn, xgboost, lightgbm")
    return entry


def _found(flags: Mapping[str, str], environ: Mapping[str, str]) -> str:
    """The format of the model that is there, when nobody says it."""
    folder = Path(flags.get("model_dir") or environ.get("MLSERVER_MODEL_URI") or _MODELS)
    found = format_in(folder)
    if not found:
        raise ConfigError(f"{folder} holds no model whose format can be told; say --format: {', '.join(formats())}")
    return found


def _folder(entry: Entry, environ: Mapping[str, str]) -> str:
    return environ.get("MLSERVER_MODEL_URI", "") if entry.variant == MLSERVER else ""


def _parameters(said: Said) -> tuple[Parameter, ...]:
    """What the runtime is told. A model that is fetched from a hub is a folder by then."""
    named = HUB_PARAMETERS if repository_of(said.parameters) else frozenset()
    return tuple(one for one in said.parameters if one.name not in named)


def _upstream(flags: Mapping[str, str]) -> Upstream | None:
    """The predictor that the unit's code calls by itself."""
    host = flags.get("predictor_host", "")
    if not host:
        return None
    protocol = flags.get("predictor_protocol") or flags.get("protocol") or "v1"
    return Upstream(host=host, protocol=protocol, is_tls=flags.get("predictor_use_ssl", "").lower() in _TRUE)


def _holds_models(entry: Entry, server: Server, folder: Path, environ: Mapping[str, str]) -> bool:
    """Whether models come and go: the server was given a place for them and none of its own."""
    if environ.get("MULTI_MODEL_SERVER", "").lower() in _TRUE:
        return True
    if not server.holds_models or entry.runtime in _WITHOUT_MODEL or not folder.is_dir():
        return False
    return all(path.is_dir() and any(path.glob("SUCCESS.*")) for path in folder.iterdir())


def _fetched(unit: Unit, said: Said, folder: Path) -> Path | None:
    """The model's folder; a model of a hub is brought here first."""
    repository = repository_of(said.parameters) if unit.runtime == "huggingface" else ""
    if repository and not said.folder:
        return hub_folder(repository)
    if unit.runtime in _WITHOUT_MODEL and not folder.exists():
        return None
    return folder


def _spec(
    unit: Unit, server: Server, flags: Mapping[str, str], environ: Mapping[str, str], folder: Path | None
) -> WorkerSpec:
    host = flags.get("host") or host_of(environ)
    http, grpc = (_port(names, variable, default, flags, environ) for names, variable, default in _PORTS)
    if unit.runtime == "tensorflow" and flags.get(_GRPC_OF_TENSORFLOW, "").isdecimal():
        grpc = int(flags[_GRPC_OF_TENSORFLOW])
    elif unit.variant == "vllm" and flags.get("port", "").isdecimal():
        http = int(flags["port"])
    preferred, *also = server.speaks
    return WorkerSpec(
        replica=pod_name(environ),
        namespace=namespace_of(environ),
        service=str(unit.name),
        component=ComponentName(str(unit.name)),
        revision=Revision(
            hash="model-server",
            units=(unit,),
            graph=Graph(root=Call(unit=unit.name, method=Method.PREDICT)),
            protocol=preferred,
            also=tuple(also),
            drain_s=_DRAIN_S,
        ),
        placements=[Placement(unit=unit.name, folder=str(folder) if folder else None, env=_env(unit))],
        http=TcpSocket(host, http),
        grpc=TcpSocket(host, grpc) if grpc != http else None,
        metrics=_metrics(host, (http, grpc), environ),
        metrics_path=environ.get("MLSERVER_METRICS_ENDPOINT", ""),
        threads=processors(),
    )


def _env(unit: Unit) -> dict[str, str]:
    return {variable.name: variable.value for variable in unit.env}


def _port(
    names: Sequence[str], variable: str, default: int, flags: Mapping[str, str], environ: Mapping[str, str]
) -> int:
    found = [(f"--{name}", flags[name]) for name in names if name in flags]
    if not found and environ.get(variable):
        found = [(variable, environ[variable])]
    if not found:
        return default
    where, text = found[0]
    if not text.isdecimal() or int(text) > 65535:
        raise ConfigError(f"{where} {text!r}: must be a port number, 0 to 65535")
    return int(text)


def _metrics(host: str, taken: Sequence[int], environ: Mapping[str, str]) -> TcpSocket | None:
    """A third port, which only MLServer has."""
    text = environ.get("MLSERVER_METRICS_PORT", "")
    return TcpSocket(host, int(text)) if text.isdecimal() and int(text) not in taken else None
