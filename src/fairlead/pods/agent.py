"""The sidecar of a KServe pod, in the role and with the arguments of KServe's agent: requests go through it to the
server beside it, and it copies them for payload logs, gathers them into batches, and fetches models that come and go.

It is the same worker that stands before a container on one machine; what is here reads the agent's command line.
"""

import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from fairlead.dataplane.spec import Placement, TcpSocket, WorkerSpec
from fairlead.dialects.kserve.durations import seconds
from fairlead.errors import ConfigError
from fairlead.plan.model import (
    Artifact,
    Batching,
    Call,
    ComponentName,
    Graph,
    Logger,
    LogStore,
    LogStyle,
    Method,
    Protocol,
    Revision,
    Unit,
    UnitName,
)
from fairlead.pods.flags import Flags
from fairlead.pods.probing import PROBE, before, probe_of
from fairlead.pods.puller import Puller
from fairlead.pods.surroundings import host_of, namespace_of, pod_name

_log = logging.getLogger(__name__)

_FLAGS = {
    "port": "9081", "component-port": "8080", "host": "", "enable-puller": "false", "config-dir": "/mnt/configs",
    "model-dir": "/mnt/models", "enable-batcher": "false", "max-batchsize": "32", "max-latency": "5000", "workers": "5",
    "log-url": "", "source-uri": "", "log-mode": "all", "inference-service": "", "namespace": "", "endpoint": "",
    "component": "", "log-store-path": "", "log-store-format": "json", "log-marshaller-url": "", "log-batch-size": "1",
    "log-batch-interval": "0s", "metadata-headers": "", "metadata-annotations": "", "logger-ca-cert-file": "",
    "logger-tls-skip-verify": "false",
}  # fmt: skip
_SWITCHES = frozenset(("enable-puller", "enable-batcher", "logger-tls-skip-verify"))
_MODES = ("all", "request", "response")
_BUCKETS = ("s3://", "gs://", "abfs://", "abfss://", "wasb://", "wasbs://")
_TRUSTED = "SSL_CERT_FILE"
_BUNDLE_FOLDER = Path("/etc/tls/logger")
_DRAIN_S = 30.0
_LOCAL = "127.0.0.1"


def flags_of(words: Sequence[str]) -> Flags:
    """The agent's command line."""
    return Flags(words, _FLAGS, switches=_SWITCHES)


def spec_of(flags: Flags, environ: Mapping[str, str]) -> WorkerSpec:
    """The worker in front of the server. Raises `ConfigError`."""
    service = flags.text("inference-service") or "server"
    server = Unit(name=UnitName(service), runtime="container")
    revision = Revision(
        hash="agent",
        units=(server,),
        graph=Graph(root=Call(unit=server.name, method=Method.PREDICT)),
        protocol=Protocol.V1,
        also=(Protocol.V2,),
        loggers=_loggers(flags),
        batching=_batching(flags),
        drain_s=_DRAIN_S,
    )
    return WorkerSpec(
        replica=flags.text("source-uri") or pod_name(environ),
        namespace=flags.text("namespace") or namespace_of(environ),
        service=service,
        component=ComponentName(flags.text("component")),
        revision=revision,
        placements=[Placement(unit=server.name, address=f"{_LOCAL}:{flags.port('component-port')}")],
        http=TcpSocket(flags.text("host") or host_of(environ), flags.port("port")),
        log_env=dict(environ),
        endpoint=flags.text("endpoint"),
    )


def run(words: Sequence[str], environ: Mapping[str, str]) -> int:
    """Serve until told to stop; gives the exit status."""
    flags = flags_of(words)
    spec = spec_of(flags, environ)
    probe = probe_of(environ.get(PROBE, ""), flags.port("component-port"))
    _trust(flags)
    for word in (*flags.unknown, *flags.rest):
        _log.warning("%s is not known and changes nothing", word)
    puller = _puller(flags, environ)
    from fairlead.dataplane.worker import main

    try:
        return main(spec, None, around=before(probe, lambda: puller is None or puller.is_complete))
    finally:
        if puller is not None:
            puller.stop()


def _puller(flags: Flags, environ: Mapping[str, str]) -> Puller | None:
    if not flags.is_on("enable-puller"):
        return None
    server = f"http://{_LOCAL}:{flags.port('component-port')}"
    puller = Puller(Path(flags.text("config-dir")), Path(flags.text("model-dir")), server, environ)
    puller.start()
    return puller


def _batching(flags: Flags) -> Batching | None:
    if not flags.is_on("enable-batcher"):
        return None
    rows, milliseconds = flags.text("max-batchsize"), flags.text("max-latency")
    for name, text in (("max-batchsize", rows), ("max-latency", milliseconds)):
        if not text.isdecimal() or not int(text):
            raise ConfigError(f"--{name} {text!r}: must be a whole number above 0")
    return Batching(max_rows=int(rows), max_latency_s=int(milliseconds) / 1000)


def _loggers(flags: Flags) -> tuple[Logger, ...]:
    url = flags.text("log-url")
    if not url:
        return ()
    if flags.text("log-mode") not in _MODES:
        raise ConfigError(f"--log-mode {flags.text('log-mode')!r}: there are {', '.join(_MODES)}")
    return (
        Logger(
            unit=UnitName(""),
            mode=flags.text("log-mode"),
            url=url,
            style=LogStyle.KSERVE,
            metadata_headers=tuple(_parts(flags.text("metadata-headers"))),
            annotations=tuple(_pairs(flags.text("metadata-annotations"))),
            store=_store(flags, url) if url.startswith(_BUCKETS) else None,
        ),
    )


def _store(flags: Flags, url: str) -> LogStore:
    try:
        interval_s = seconds(flags.text("log-batch-interval"))
    except ValueError as error:
        raise ConfigError(f"--log-batch-interval: {error}") from error
    return LogStore(
        access=Artifact(uri=url),
        path=flags.text("log-store-path"),
        format=flags.text("log-store-format").lower(),
        batch_size=max(1, flags.whole("log-batch-size")),
        interval_s=max(0.0, interval_s),
    )


def _trust(flags: Flags) -> None:
    """Whom the log's address is believed with: a file of the folder where a bundle is mounted, if there is one."""
    if name := flags.text("logger-ca-cert-file"):
        path = _BUNDLE_FOLDER / name
        if path.is_file():
            os.environ[_TRUSTED] = str(path)
        else:
            _log.warning("--logger-ca-cert-file: there is no %s; the authorities of the image are believed", path)
    if flags.is_on("logger-tls-skip-verify"):
        _log.warning("--logger-tls-skip-verify: certificates are always verified; name one in --logger-ca-cert-file")


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _pairs(text: str) -> list[tuple[str, str]]:
    found = (part.partition("=") for part in _parts(text))
    return [(name, value) for name, equals, value in found if equals]
