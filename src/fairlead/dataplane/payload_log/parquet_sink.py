"""Events as rows of Parquet files in a folder: `file:///folder?format=parquet`.

Rows are gathered and written as one file when there are enough of them, so a crash loses the last few; whoever may lose
none wants `jsonl`.
"""

import os
from pathlib import Path
from typing import Any

from fairlead.dataplane.payload_log.event import Event
from fairlead.dataplane.payload_log.file_sink import FileOptions, closed_name, prune
from fairlead.runtimes.libraries import need

_ROWS = 1000


class ParquetSink:
    """A `Sink` for `file://` addresses that ask for Parquet."""

    def __init__(self, options: FileOptions) -> None:
        self._options = options
        self._arrow = need("pyarrow", extra="parquet")
        self._parquet = need("pyarrow.parquet", extra="parquet")
        self._rows: list[dict[str, Any]] = []
        self._size = 0
        options.folder.mkdir(parents=True, exist_ok=True)

    def send(self, event: Event) -> None:
        """Gather a row; write a file when there are enough."""
        self._rows.append({**event.attributes, "datacontenttype": event.content_type, "data": event.data})
        self._size += len(event.data)
        if len(self._rows) >= _ROWS or self._size >= self._options.max_bytes:
            self._write()

    def close(self) -> None:
        """Write what was gathered."""
        if self._rows:
            self._write()

    def _write(self) -> None:
        columns = list(dict.fromkeys(name for row in self._rows for name in row))
        table = self._arrow.table({name: [row.get(name) for row in self._rows] for name in columns})
        path = closed_name(Path(self._options.folder, f"{os.getpid()}.parquet"))
        half = path.with_suffix(".part")
        self._parquet.write_table(table, half)
        half.rename(path)
        self._rows, self._size = [], 0
        prune(self._options.folder, ".parquet", self._options.keep)
