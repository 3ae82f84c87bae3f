"""Payload logs and batches of a component: what KServe's agent does beside the server."""

from urllib.parse import urlsplit

from fairlead.dialects.findings import Findings
from fairlead.dialects.kserve.config import InferenceServiceConfig
from fairlead.dialects.kserve.durations import seconds
from fairlead.dialects.kserve.inference_service.pods import Pod
from fairlead.dialects.kserve.inference_service.schema import Logger as Logs
from fairlead.dialects.kserve.inference_service.schema import LoggerStorage
from fairlead.plan.model import Artifact, Batching, Logger, LogStore, LogStyle, SecretEntry, UnitName

_MODES = ("all", "request", "response")
_SINKS = ("http://", "https://", "file://", "kafka://")
_STORES = ("s3://", "gs://", "abfs://", "abfss://", "wasb://", "wasbs://")
_ACCOUNT = "logger-sa"
_FORMATS = ("json", "csv", "parquet")


def lower_loggers(pod: Pod, config: InferenceServiceConfig, findings: Findings) -> tuple[Logger, ...]:
    """The logger of the component, which copies what comes to it and what it answers."""
    logger = pod.spec.logger
    if logger is None:
        return ()
    path = f"{pod.path}.logger"
    if logger.mode not in _MODES:
        findings.refuse(f"{path}.mode", "invalid logger type")
        return ()
    url = logger.url or config.logger.default_url
    if "://" in url and not url.startswith((*_SINKS, *_STORES)):
        findings.warn(
            f"{path}.url: nothing is logged: {url.partition(':')[0]} is no store that logs are written to here"
        )
        return ()
    store = _store(logger, url, path, config, findings) if url.startswith(_STORES) else None
    if logger.marshaller_url:
        findings.warn(f"{path}.marshallerUrl is not used: formats are written by the server itself")
    if store is None and logger.batch_size:
        findings.warn(f"{path}.batchSize is not used: every payload is an event of its own")
    annotations = tuple(
        (name, pod.annotations[name]) for name in logger.metadata_annotations if name in pod.annotations
    )
    return (
        Logger(
            unit=UnitName(""),
            mode=logger.mode,
            url=url,
            style=LogStyle.KSERVE,
            metadata_headers=tuple(logger.metadata_headers),
            annotations=annotations,
            store=store,
        ),
    )


def _store(logger: Logs, url: str, path: str, config: InferenceServiceConfig, findings: Findings) -> LogStore:
    """How logs are written to a bucket."""
    storage = logger.storage or LoggerStorage.model_validate(config.logger.storage or {})
    form = (storage.parameters or {}).get("format", _FORMATS[0]).lower()
    if form not in _FORMATS:
        findings.refuse(f"{path}.storage.parameters.format", f"must be one of {', '.join(_FORMATS)}, got {form!r}")
    interval = logger.batch_interval or config.logger.batch_interval
    try:
        interval_s = seconds(interval) if interval else 0.0
    except ValueError as error:
        findings.refuse(f"{path}.batchInterval", str(error))
        interval_s = 0.0
    fields = {"bucket": urlsplit(url).hostname or ""} | (storage.parameters or {})
    entry = SecretEntry(
        secret=config.credentials.storage_spec_secret_name,
        key=storage.key or "",
        parameters=tuple(sorted((name, value) for name, value in fields.items() if name != "format")),
    )
    account = storage.service_account_name or _ACCOUNT
    return LogStore(
        access=Artifact(uri=url, service_account=account, entry=entry if storage.key else None),
        path=storage.path or "",
        format=form,
        batch_size=max(1, logger.batch_size or config.logger.batch_size or 1),
        interval_s=max(0.0, interval_s),
    )


def lower_batching(pod: Pod, findings: Findings) -> Batching | None:
    """How requests are gathered."""
    batcher = pod.spec.batcher
    if batcher is None:
        return None
    default = Batching()
    rows, milliseconds = batcher.max_batch_size, batcher.max_latency
    for name, value in (("maxBatchSize", rows), ("maxLatency", milliseconds)):
        if value is not None and value <= 0:
            findings.refuse(f"{pod.path}.batcher.{name}", f"must be greater than 0, got {value}")
    return Batching(
        max_rows=rows or default.max_rows,
        max_latency_s=milliseconds / 1000 if milliseconds else default.max_latency_s,
    )
