"""Payload logs and batches of a component: what KServe's agent does beside the server."""

from fairlead.dialects.findings import Findings
from fairlead.dialects.kserve.inference_service.pods import Pod
from fairlead.plan.model import Batching, Logger, LogStyle, UnitName

_MODES = ("all", "request", "response")
_SINKS = ("http://", "https://", "file://", "kafka://")


def lower_loggers(pod: Pod, log_sink: str, findings: Findings) -> tuple[Logger, ...]:
    """The logger of the component, which copies what comes to it and what it answers."""
    logger = pod.spec.logger
    if logger is None:
        return ()
    path = f"{pod.path}.logger"
    if logger.mode not in _MODES:
        findings.refuse(f"{path}.mode", "invalid logger type")
        return ()
    url = logger.url or log_sink
    if "://" in url and not url.startswith(_SINKS):
        findings.warn(
            f"{path}.url: nothing is logged: {url.partition(':')[0]} is no store that logs are written to here"
        )
        return ()
    for name, value in (("marshallerUrl", logger.marshaller_url), ("batchSize", logger.batch_size)):
        if value:
            findings.warn(f"{path}.{name} is not used: every payload is an event of its own")
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
        ),
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
