"""Payloads as objects of a bucket: `s3://`, `gs://`, `abfs://` and the other stores that models come from.

An object holds one payload, or as many as a manifest gathers, requests and responses apart. Its name is where whoever
reads KServe's logs looks for it:
`{path}/{namespace}/{service}/{component}/{store path}/{id}-{request|response}.{format}`.
"""

import csv
import io
import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from fairlead.dataplane.payload_log.event import Event
from fairlead.errors import ConfigError
from fairlead.plan.model import LogStore
from fairlead.protocols import jsontext
from fairlead.runtimes.libraries import need
from fairlead.storage.writing import Bucket


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
        try:
            self._bucket = Bucket(options.url, options.env)
        except ConfigError as error:
            raise ConfigError(f"payload log: {error}") from error
        self._folder = "/".join(part.strip("/") for part in (options.folder, options.store.path) if part)

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
        events = self._waiting.pop(kind)
        del self._since[kind]
        name = f"{events[0].attributes['id']}-{kind}.{self._options.store.format}"
        self._bucket.put(f"{self._folder}/{name}", self._write(events))


def check(store: LogStore) -> None:
    """Refuse what cannot be written, when a worker starts."""
    if store.format not in _WRITERS:
        known = ", ".join(_WRITERS)
        raise ConfigError(f"payload log: format {store.format!r} is not known; expected one of {known}")


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
