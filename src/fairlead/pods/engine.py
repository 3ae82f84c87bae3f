"""The orchestrator of a Seldon predictor's pod: Seldon's arguments, variables and ports, and our worker behind them.

Nodes of the graph in other containers are asked over the network; nodes named by `--in-process` run in this process,
on models that an init container fetched, and answer at the ports of their own as well.
"""

import base64
import binascii
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from fairlead.dataplane.spec import Checking, OwnDoor, Placement, TcpSocket, Tls, WorkerSpec
from fairlead.dialects.seldon.engine import KAFKA, Engine, Inside, Told, lower_engine
from fairlead.errors import ConfigError
from fairlead.plan.model import Unit
from fairlead.pods.flags import Flags
from fairlead.pods.surroundings import annotations_of, host_of, namespace_of, pod_name, processors

_log = logging.getLogger(__name__)

PREDICTOR = "ENGINE_PREDICTOR"
_FLAGS = {
    "sdep": "", "namespace": "", "predictor": "", "protocol": "seldon", "transport": "rest", "http_port": "8000",
    "grpc_port": "5001", "prometheus_path": "/prometheus", "server_type": "rpc", "log_work_buffer_size": "10000",
    "log_write_timeout_ms": "2000", "logger_workers": "10", "full_health_checks": "false", "graceful_timeout": "15s",
    "shutdown_delay": "0s", "file": "", "hostname": "", "debug": "false", "log_level": "", "host": "", "in_process": "",
    "podinfo": "/etc/podinfo/annotations",
}  # fmt: skip
_SWITCHES = frozenset(("full_health_checks", "debug"))
_QUEUE, _WRITE_TIMEOUT = "seldon.io/executor-logger-queue-size", "seldon.io/executor-logger-write-timeout-ms"
_ENGINE_VARIABLES = ("REQUEST_LOGGER_DEFAULT_ENDPOINT", "LOGGER_KAFKA_", "KAFKA_", "CORS_ALLOWED_", "JAEGER_", "OTEL_")
_ROUTING = "SELDON_ENABLE_ROUTING_INJECTION"
_CERTIFICATES, _CERTIFICATE, _KEY = "SELDON_CERT_MOUNT_PATH", "SELDON_CERT_FILE_NAME", "SELDON_CERT_KEY_FILE_NAME"
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """The worker to run, and what its reader should know."""

    spec: WorkerSpec
    warnings: tuple[str, ...]


def started(words: Sequence[str], environ: Mapping[str, str]) -> Started:
    """From the orchestrator's command line and environment. Raises `ConfigError` and `InvalidManifest`."""
    flags = Flags(words, _FLAGS, switches=_SWITCHES)
    if flags.text("server_type") == "kafka":
        raise ConfigError(KAFKA)
    folders = _folders(flags)
    engine = lower_engine(_predictor(flags, environ), _told(flags, environ, folders))
    host = flags.text("host") or host_of(environ)
    metrics = _metrics_port(engine.inside, environ)
    revision = replace(engine.revision, drain_s=_seconds("graceful_timeout", flags.text("graceful_timeout")))
    spec = WorkerSpec(
        replica=pod_name(environ),
        namespace=flags.text("namespace") or namespace_of(environ),
        service=flags.text("sdep"),
        component=engine.component,
        revision=revision,
        placements=_placements(engine, folders),
        http=TcpSocket(host, flags.port("http_port")),
        grpc=TcpSocket(host, flags.port("grpc_port")),
        metrics=TcpSocket(host, metrics) if metrics else None,
        own_doors=[door for one in engine.inside if (door := _door(one, host)).listen],
        checking=Checking.IS_HEALTHY if flags.is_on("full_health_checks") else Checking.CONNECTS,
        metrics_path=flags.text("prometheus_path"),
        tls=_tls(environ),
        threads=processors(),
    )
    ignored = (f"{word} is not known and changes nothing" for word in (*flags.unknown, *flags.rest))
    return Started(spec=spec, warnings=(*engine.warnings, *ignored))


def run(words: Sequence[str], environ: Mapping[str, str]) -> int:
    """Serve until told to stop; gives the exit status."""
    begun = started(words, environ)
    for warning in begun.warnings:
        _log.warning("%s", warning)
    # The HTTP core and the runtimes: only once everything that can be refused has been.
    from fairlead.dataplane.worker import main

    return main(begun.spec, None)


def level_of(words: Sequence[str], environ: Mapping[str, str]) -> str:
    """How much is logged."""
    flags = Flags(words, _FLAGS, switches=_SWITCHES)
    asked = environ.get("SELDON_LOG_LEVEL") or flags.text("log_level") or "INFO"
    is_debug = flags.is_on("debug") or environ.get("SELDON_DEBUG", "").lower() in ("1", "true", "t")
    return "DEBUG" if is_debug else asked.upper()


def _predictor(flags: Flags, environ: Mapping[str, str]) -> Mapping[str, Any]:
    """The predictor as JSON, from the environment or from a file."""
    if path := flags.text("file"):
        return _from_file(Path(path), flags.text("predictor"))
    text = environ.get(PREDICTOR, "")
    if not text:
        raise ConfigError(
            f"{PREDICTOR} is not set: it holds the predictor as JSON in base64, as the operator writes it"
        )
    try:
        value = json.loads(base64.b64decode(text, validate=True))
    except (binascii.Error, ValueError) as error:
        raise ConfigError(f"{PREDICTOR} is no JSON in base64: {error}") from error
    if not isinstance(value, dict):
        raise ConfigError(f"{PREDICTOR} is no object")
    return value


def _from_file(path: Path, name: str) -> Mapping[str, Any]:
    """The predictor of that name in a SeldonDeployment, or a predictor alone."""
    from fairlead.dialects.document import load

    try:
        loaded = load(path.read_text(), str(path))
    except OSError as error:
        raise ConfigError(f"--file {path}: {error.strerror}") from error
    document = loaded[0].doc if loaded else {}
    predictors = document.get("spec", {}).get("predictors") if "spec" in document else [document]
    found = [one for one in predictors or () if not name or one.get("name", name) == name]
    if not found:
        raise ConfigError(f"--file {path}: there is no predictor {name!r} in it")
    predictor: Mapping[str, Any] = found[0]
    return predictor


def _told(flags: Flags, environ: Mapping[str, str], folders: Mapping[str, str]) -> Told:
    queue = {
        _QUEUE: flags.text("log_work_buffer_size"),
        _WRITE_TIMEOUT: flags.text("log_write_timeout_ms"),
    }
    return Told(
        service=flags.text("sdep"),
        namespace=flags.text("namespace") or namespace_of(environ),
        name=flags.text("predictor"),
        protocol=flags.text("protocol"),
        transport=flags.text("transport"),
        annotations={**queue, **annotations_of(Path(flags.text("podinfo")))},
        inside=tuple(folders),
        env={name: value for name, value in environ.items() if name.startswith(_ENGINE_VARIABLES) or name == _ROUTING},
    )


def _folders(flags: Flags) -> dict[str, str]:
    """The nodes of this process and where their models are."""
    found: dict[str, str] = {}
    for word in flags.texts("in_process"):
        node, equals, folder = word.partition("=")
        if not node or not equals or not folder:
            raise ConfigError(f"--in-process {word!r}: expected NODE=FOLDER")
        found[node] = folder
    return found


def _placements(engine: Engine, folders: Mapping[str, str]) -> list[Placement]:
    apart = [Placement(unit=one.unit, address=one.address, grpc_address=one.grpc_address) for one in engine.reached]
    inside = {one.unit for one in engine.inside}
    units = [unit for unit in engine.revision.units if unit.name in inside]
    return [*apart, *(Placement(unit=unit.name, folder=folders[unit.name], env=_env(unit)) for unit in units)]


def _env(unit: Unit) -> dict[str, str]:
    return {variable.name: variable.value for variable in unit.env if variable.source is None}


def _door(one: Inside, host: str) -> OwnDoor:
    ports = dict.fromkeys(port for port in (one.http_port, one.grpc_port) if port)
    return OwnDoor(unit=one.unit, listen=[TcpSocket(host, port) for port in ports])


def _metrics_port(inside: Sequence[Inside], environ: Mapping[str, str]) -> int:
    """Where the metrics are that units report themselves; one port for all of this process."""
    if not inside:
        return 0
    text = environ.get("PREDICTIVE_UNIT_METRICS_SERVICE_PORT", "")
    return int(text) if text.isdecimal() else next((one.metrics_port for one in inside if one.metrics_port), 0)


def _tls(environ: Mapping[str, str]) -> Tls | None:
    folder = environ.get(_CERTIFICATES, "")
    if not folder:
        return None
    certificate = Path(folder, environ.get(_CERTIFICATE) or "tls.crt")
    return Tls(certificate=str(certificate), key=str(Path(folder, environ.get(_KEY) or "tls.key")))


def _seconds(flag: str, text: str) -> float:
    """A number of seconds, or a duration as Go writes one."""
    for unit, factor in _UNITS.items():
        number = text.removesuffix(unit)
        if number != text and number.isdecimal():
            return int(number) * factor
    if text.isdecimal():
        return float(text)
    raise ConfigError(f"--{flag} {text!r}: expected a duration such as 15s")
