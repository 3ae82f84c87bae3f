"""From the loggers of a revision to taps, with one queue for all that send to the same address."""

import os
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from fairlead.dataplane.graph.contracts import CONTRACTS
from fairlead.dataplane.payload_log import object_sink
from fairlead.dataplane.payload_log.dispatching import Counts, Dispatcher, Sink
from fairlead.dataplane.payload_log.file_sink import FileOptions, JsonLinesSink
from fairlead.dataplane.payload_log.http_sink import HttpSink
from fairlead.dataplane.payload_log.kafka_sink import DEFAULT_TOPIC, KafkaSink
from fairlead.dataplane.payload_log.object_sink import ObjectOptions, ObjectSink
from fairlead.dataplane.payload_log.parquet_sink import ParquetSink
from fairlead.dataplane.payload_log.tapping import Origin, Tap
from fairlead.dataplane.spec import WorkerSpec
from fairlead.errors import ConfigError
from fairlead.plan.model import LogStore, LogStyle

DEFAULT_ENDPOINT = "REQUEST_LOGGER_DEFAULT_ENDPOINT"
_QUEUE = {LogStyle.SELDON: 10_000, LogStyle.KSERVE: 100}
_THREADS = {LogStyle.SELDON: 10, LogStyle.KSERVE: 5}
_GRACE_S = 5.0
_QUEUE_SIZE = "seldon.io/executor-logger-queue-size"


class PayloadLog:
    """The taps of one worker, by the unit they are at; the empty name is the whole graph's."""

    def __init__(self, spec: WorkerSpec) -> None:
        self.taps: dict[str, Tap] = {}
        self._dispatchers: dict[tuple[str, LogStyle], Dispatcher] = {}
        revision = spec.revision
        env = revision.settings
        origin = Origin(
            spec.service, spec.namespace, spec.component, revision.protocol.value, spec.replica, spec.endpoint
        )
        limit = dict(revision.annotations).get(_QUEUE_SIZE, "")
        for logger in revision.loggers:
            where = address_of(logger.url, env)
            key = (where, logger.style)
            if key not in self._dispatchers:
                self._dispatchers[key] = Dispatcher(
                    _without_secret(where),
                    _opener(where, env) if logger.store is None else _store_opener(where, logger.store, spec),
                    limit=int(limit) if limit.isdigit() and int(limit) else _QUEUE[logger.style],
                    threads=1 if where.startswith("file:") or logger.store is not None else _THREADS[logger.style],
                )
            wire = CONTRACTS[revision.protocol].wire
            self.taps[logger.unit] = Tap(logger, origin, self._dispatchers[key], wire, limit_bytes=spec.max_body_bytes)

    @property
    def counts(self) -> dict[str, Counts]:
        """What became of the events, by address."""
        return {dispatcher.where: dispatcher.counts for dispatcher in self._dispatchers.values()}

    def close(self) -> None:
        """Send what waits, if that is a matter of seconds."""
        for dispatcher in self._dispatchers.values():
            dispatcher.close(_GRACE_S)


def address_of(url: str, env: Mapping[str, str]) -> str:
    """Where a logger sends: Kafka if the environment names a broker, its own address, or the default one. Raises
    `ConfigError` when there is none."""
    broker = env.get("LOGGER_KAFKA_BROKER", "")
    if broker:
        return f"kafka://{broker}/{env.get('LOGGER_KAFKA_TOPIC') or DEFAULT_TOPIC}"
    where = url or env.get(DEFAULT_ENDPOINT, "") or os.environ.get(DEFAULT_ENDPOINT, "")
    if not where:
        raise ConfigError(f"payload log: no address; set logger.url, or {DEFAULT_ENDPOINT} in svcOrchSpec.env")
    return where if "://" in where else f"http://{where}"


def _opener(where: str, env: Mapping[str, str]) -> Callable[[], Sink]:
    """A function that opens the sink. Addresses that cannot be are refused here, when the worker starts."""
    parts = urlsplit(where)
    scheme = parts.scheme
    if scheme != "file" and not parts.hostname:
        raise ConfigError(
            f"payload log: {where!r} names no host; expected http://host/path or kafka://broker:9092/topic"
        )
    if scheme in ("http", "https"):
        return lambda: HttpSink(where)
    if scheme == "kafka":
        return lambda: KafkaSink(where, env)
    if scheme == "file":
        options = FileOptions(where)
        return lambda: ParquetSink(options) if options.format == "parquet" else JsonLinesSink(options)
    raise ConfigError(f"payload log: {where!r} cannot be written to; expected http://, https://, kafka:// or file://")


def _store_opener(where: str, store: LogStore, spec: WorkerSpec) -> Callable[[], Sink]:
    object_sink.check(store)
    folder = f"{spec.namespace}/{spec.service}/{spec.component}"
    return lambda: ObjectSink(ObjectOptions(where, store, folder, spec.log_env))


def _without_secret(where: str) -> str:
    """The address as it may be shown: without a user and password."""
    parts = urlsplit(where)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="").geturl()
