"""`fairlead serve`: one unit answering by itself, in the role of `seldon-core-microservice`.

Flags and variables are those of Seldon Core v1's Python wrapper, so images and scripts that start it that way go on
working. What only tuned that wrapper's own server (worker counts, keep-alive) is taken and said to mean nothing.
"""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from fairlead.cli import output
from fairlead.cli.exits import CommandFailed, UsageError
from fairlead.dataplane.spec import Placement, TcpSocket, WorkerSpec
from fairlead.plan.model import (
    Call,
    ComponentName,
    Feedback,
    Graph,
    Method,
    Node,
    Protocol,
    Revision,
    Unit,
    UnitName,
    UserCode,
)

_UNKNOWN_ARGUMENTS = 255
_IMPLEMENTATION = "MLSERVER_MODEL_IMPLEMENTATION"
_MLSERVERS = frozenset(("sklearn", "xgboost", "lightgbm", "mlflow", "huggingface"))
MLSERVER = "mlserver"
"""The variant of units that stand for an MLServer, as the runtimes call it."""
_Level = Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL", "FATAL"]


@Parameter(name="*", show=False)
@dataclass(frozen=True, kw_only=True)
class Tuning:
    """Flags of the wrapper that change nothing here."""

    service_type: Annotated[str, Parameter(env_var="SERVICE_TYPE")] = "MODEL"
    """Changed nothing in the wrapper either: every route always exists."""
    workers: Annotated[int, Parameter(env_var="GUNICORN_WORKERS")] = 1
    max_requests: Annotated[int, Parameter(env_var="GUNICORN_MAX_REQUESTS")] = 0
    max_requests_jitter: Annotated[int, Parameter(env_var="GUNICORN_MAX_REQUESTS_JITTER")] = 0
    keepalive: Annotated[int, Parameter(env_var="GUNICORN_KEEPALIVE")] = 2
    grpc_workers: Annotated[int, Parameter(env_var="GRPC_WORKERS")] = 1
    grpc_threads: Annotated[int, Parameter(env_var="GRPC_THREADS")] = 1
    single_threaded: Annotated[int, Parameter(env_var="FLASK_SINGLE_THREADED")] = 0
    tracing: Annotated[int, Parameter(env_var="TRACING")] = 0
    persistence: Annotated[int, Parameter(env_var="PERSISTENCE")] = 0
    debug: Annotated[bool, Parameter(env_var="SELDON_DEBUG", negative="")] = False
    access_log: Annotated[bool, Parameter(env_var="GUNICORN_ACCESS_LOG", negative="")] = False

    def changed(self) -> list[str]:
        """The flags that somebody set and would miss."""
        asked = [each for each in fields(self) if each.name != "service_type"]
        names = [each.name for each in asked if getattr(self, each.name) != each.default]
        return [f"--{name.replace('_', '-')}" for name in names]


def serve(
    interface: Annotated[str, Parameter()] = "",
    /,
    *unknown: Annotated[str, Parameter(show=False)],
    format_: Annotated[str, Parameter(name=["--format"])] = "",
    host: Annotated[str, Parameter(env_var="FAIRLEAD_POD_HOST")] = "127.0.0.1",
    http_port: Annotated[int, Parameter(env_var="PREDICTIVE_UNIT_HTTP_SERVICE_PORT")] = 9000,
    grpc_port: Annotated[int | None, Parameter(env_var="PREDICTIVE_UNIT_GRPC_SERVICE_PORT")] = None,
    metrics_port: Annotated[int, Parameter(env_var="PREDICTIVE_UNIT_METRICS_SERVICE_PORT")] = 6000,
    parameters: Annotated[str, Parameter(env_var="PREDICTIVE_UNIT_PARAMETERS")] = "[]",
    threads: Annotated[int, Parameter(env_var="GUNICORN_THREADS")] = 1,
    log_level: Annotated[_Level, Parameter()] = "INFO",
    pidfile: Path | None = None,
    tuning: Tuning | None = None,
) -> int:
    """Serve one Python class, or one model folder with --format.

    Answers the routes of Seldon's Python wrapper (/predict, /send-feedback, /metadata, …) and of KServe's servers
    (/v1/models/NAME:predict, /v2/models/NAME/infer), until it is stopped.

    Parameters
    ----------
    interface
        The class: Module (a class of the same name) or package.module.Class, found from the current folder
        (default: $MODEL_NAME). With --format, the model's folder.
    format_
        Serve a model of this format instead of a class: sklearn, xgboost, lightgbm, catboost, onnx, pytorch,
        tensorflow, mlflow.
    host
        Address to listen on (default: $FAIRLEAD_POD_HOST, else 127.0.0.1); 0.0.0.0 lets other machines in.
    http_port
        Port for requests, gRPC among them (default: 9000).
    grpc_port
        A second port for the same (the wrapper's gRPC is on 5000; here there is none until it is asked for).
    metrics_port
        Port of the Prometheus metrics (default: 6000).
    parameters
        Constructor arguments, as JSON: [{"name":…,"value":…,"type":"INT|FLOAT|DOUBLE|STRING|BOOL"}].
    threads
        Calls that may run at once (default: 1).
    log_level
        DEBUG, INFO (default), WARNING or ERROR; $SELDON_LOG_LEVEL wins.
    pidfile
        Write the process id here.
    """
    if unknown:
        listed = ", ".join(f"'{word}'" for word in unknown)
        text = f"Unknown args [{listed}]. Note since 1.5.0 this CLI does not take API type (REST, GRPC)"
        raise CommandFailed(text, code=_UNKNOWN_ARGUMENTS)
    for flag, number in (("--http-port", http_port), ("--grpc-port", grpc_port or 0), ("--metrics-port", metrics_port)):
        if not 0 <= number <= 65535:
            raise UsageError(f"{flag} {number}: must be a port number, 0 to 65535")
    if ignored := (tuning or Tuning()).changed():
        output.note(f"fairlead: {', '.join(ignored)}: taken and ignored; one process serves every connection here")
    _configure_logging(os.environ.get("SELDON_LOG_LEVEL") or log_level)
    unit = make_unit(interface, format_, parameters, cwd=Path.cwd(), environ=os.environ)
    folder = str(Path(interface).resolve()) if format_ else None
    spec = make_spec(
        unit,
        folder,
        host=host,
        http_port=http_port,
        grpc_port=grpc_port,
        metrics_port=metrics_port,
        threads=threads,
        environ=os.environ,
    )
    if pidfile is not None:
        pidfile.write_text(f"{os.getpid()}\n")
    try:
        return _serve(spec)
    finally:
        if pidfile is not None:
            pidfile.unlink(missing_ok=True)


def _serve(spec: WorkerSpec) -> int:
    # numpy, the runtimes and the HTTP core: only once everything that can be refused has been.
    from fairlead.dataplane.worker import main

    return main(spec, None)


def make_unit(interface: str, format_: str, parameters: str, *, cwd: Path, environ: Mapping[str, str]) -> Unit:
    """The unit the arguments mean. Raises `UsageError`, or `BadParameter` with the wrapper's own texts."""
    from fairlead.runtimes.parameters import parse_parameters
    from fairlead.runtimes.registry import known
    from fairlead.runtimes.user_code import find_target

    name = UnitName(environ.get("PREDICTIVE_UNIT_ID") or Path(interface).name.rpartition(".")[2] or "model")
    image = environ.get("PREDICTIVE_UNIT_IMAGE", "")
    typed = parse_parameters(parameters or "[]")
    if not format_:
        code = UserCode(target=interface or find_target(cwd, environ), path=str(cwd))
        return Unit(name=name, image=image, runtime="python", parameters=typed, code=code)
    formats = sorted(set(known()) - {"python", "builtin", "sample", "art", "shap"})
    if format_ not in formats:
        raise UsageError(f"--format {format_!r}: there are {', '.join(formats)}")
    if not interface or not Path(interface).exists():
        raise UsageError(f"{interface or 'no folder'}: --format needs the folder the model is in")
    # MLServer's variables say that its clients are served: they know its names of outputs.
    variant = MLSERVER if environ.get(_IMPLEMENTATION) and format_ in _MLSERVERS else ""
    return Unit(name=name, image=image, runtime=format_, variant=variant, parameters=typed)


def make_spec(
    unit: Unit,
    folder: str | None,
    *,
    host: str,
    http_port: int,
    grpc_port: int | None = None,
    metrics_port: int,
    threads: int,
    environ: Mapping[str, str],
) -> WorkerSpec:
    """One worker that answers as this unit alone."""
    call = Call(unit=unit.name, method=Method.PREDICT)
    graph = Graph(
        root=call,
        feedback=Feedback(unit=unit.name, accepts=True),
        drawing=Node(unit=unit.name, kind="model"),
    )
    protocol = Protocol.V2 if unit.variant else Protocol.SELDON
    # TensorFlow Serving's paths are KServe's V1 with more to say.
    also = (Protocol.V2, Protocol.TENSORFLOW if unit.runtime == "tensorflow" else Protocol.V1)
    return WorkerSpec(
        replica=f"serve-{os.getpid()}",
        namespace=environ.get("POD_NAMESPACE", "default"),
        service=environ.get("SELDON_DEPLOYMENT_ID") or str(unit.name),
        component=ComponentName(environ.get("PREDICTOR_ID") or str(unit.name)),
        revision=Revision(hash="serve", units=(unit,), graph=graph, protocol=protocol, also=also),
        placements=[Placement(unit=unit.name, folder=folder, env=dict(environ))],
        http=TcpSocket(host, http_port),
        grpc=None if grpc_port is None else TcpSocket(host, grpc_port),
        metrics=TcpSocket(host, metrics_port),
        threads=threads,
        single_unit=True,
    )


def _configure_logging(level: str) -> None:
    import logging

    known = "FATAL" if level == "CRITICAL" else level
    if known not in logging.getLevelNamesMapping():
        raise UsageError(f"log level {level!r}: there are DEBUG, INFO, WARNING, ERROR")
    logging.basicConfig(stream=sys.stderr, level=known, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
