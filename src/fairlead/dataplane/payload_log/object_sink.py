"""Payloads as objects of a bucket: `s3://`, `gs://`, `abfs://` and the other stores that models come from.

An object holds one payload, or as many as a manifest gathers, requests and responses apart. Its name is where whoever
reads KServe's logs looks for it:
`{path}/{namespace}/{service}/{component}/{store path}/{id}-{request|response}.{format}`.
"""

import csv
import io
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from fairlead.dataplane.payload_log.event import Event
from fairlead.errors import ConfigError, Retryable
from fairlead.plan.model import LogStore
from fairlead.protocols import jsontext
from fairlead.runtimes.libraries import need

if TYPE_CHECKING:
    from obstore.store import ObjectStore

_CONNECT_S, _READ_S = 5.0, 30.0


class ObjectOptions(NamedTuple):
    """Where objects go and who they are of; `env` holds the credentials."""

    url: str
    store: LogStore
    folder: str
    env: Mapping[str, str]


class ObjectSink:
    """A `Sink` for the address of a bucket."""

    def __init__(self, options: ObjectOptions) -> None:
        self._options = options
        self._write = _WRITERS[options.store.format]
        self._waiting: dict[str, list[Event]] = {}
        self._since: dict[str, float] = {}
        self._bucket, self._prefix = _opened(options)

    @property
    def due_in_s(self) -> float | None:
        """How long what waits may wait; `None` while nothing does, or it waits for a full object."""
        if not self._since or not self._options.store.interval_s:
            return None
        return max(0.0, min(self._since.values()) + self._options.store.interval_s - time.monotonic())

    def send(self, event: Event) -> None:
        """Gather a payload; write an object when there are enough."""
        kind = event.attributes.get("type", "").rpartition(".")[2]
        gathered = self._waiting.setdefault(kind, [])
        gathered.append(event)
        self._since.setdefault(kind, time.monotonic())
        if len(gathered) >= self._options.store.batch_size:
            self._flush(kind)

    def flush(self) -> None:
        """Write what waits."""
        for kind in list(self._waiting):
            self._flush(kind)

    def close(self) -> None:
        self.flush()

    def _flush(self, kind: str) -> None:
        import obstore

        events = self._waiting.pop(kind)
        del self._since[kind]
        name = f"{events[0].attributes['id']}-{kind}.{self._options.store.format}"
        try:
            obstore.put(self._bucket, f"{self._prefix}/{name}".lstrip("/"), self._write(events))
        except Exception as error:  # whatever the library raises; its words may hold an address with a key
            raise Retryable(f"{name} was not written: {type(error).__name__}") from error


def check(store: LogStore) -> None:
    """Refuse what cannot be written, when a worker starts."""
    if store.format not in _WRITERS:
        known = ", ".join(_WRITERS)
        raise ConfigError(f"payload log: format {store.format!r} is not known; expected one of {known}")


def _opened(options: ObjectOptions) -> "tuple[ObjectStore, str]":
    from fairlead.storage.clouds.layer import Timeouts
    from fairlead.storage.credentials import RcloneAccess, resolve
    from fairlead.storage.uris import RemoteUri, parse

    uri = parse(options.url)
    if not isinstance(uri, RemoteUri):
        raise ConfigError("payload log: the address names no bucket; expected s3://bucket/path")
    access = resolve(uri, options.env, defaults={}, read_file=lambda path: Path(path).read_text())
    if isinstance(access, RcloneAccess):
        raise ConfigError("payload log: logs are written to S3, Google's and Azure's stores alone")
    bucket = access.open(uri.bucket, Timeouts(connect_s=_CONNECT_S, read_s=_READ_S))
    return bucket, "/".join(part.strip("/") for part in (uri.key, options.folder, options.store.path) if part)


def _json(events: Sequence[Event]) -> bytes:
    """The payload itself, or a list of them."""
    if len(events) == 1:
        return events[0].data
    return jsontext.compact([event.structured().get("data") for event in events])


def _csv(events: Sequence[Event]) -> bytes:
    rows, text = _rows(events), io.StringIO()
    writer = csv.DictWriter(text, list(dict.fromkeys(name for row in rows for name in row)), restval="")
    writer.writeheader()
    writer.writerows([{**row, "data": row["data"].decode("utf-8", "replace")} for row in rows])
    return text.getvalue().encode()


def _parquet(events: Sequence[Event]) -> bytes:
    arrow, parquet = need("pyarrow", extra="parquet"), need("pyarrow.parquet", extra="parquet")
    rows, written = _rows(events), io.BytesIO()
    columns = list(dict.fromkeys(name for row in rows for name in row))
    parquet.write_table(arrow.table({name: [row.get(name) for row in rows] for name in columns}), written)
    return written.getvalue()


def _rows(events: Sequence[Event]) -> list[dict[str, Any]]:
    return [{**event.attributes, "datacontenttype": event.content_type, "data": event.data} for event in events]


_WRITERS = {"json": _json, "csv": _csv, "parquet": _parquet}
