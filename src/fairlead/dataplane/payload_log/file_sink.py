"""Events as lines of JSON in a folder, in files that start anew when they are full.

`file:///folder?max_bytes=67108864&keep=10`: the file being written is `<pid>.jsonl`; full ones are named by the time
they were closed, and the oldest beyond `keep` are removed. Workers may share a folder: each writes its own file.
"""

import os
import time
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from fairlead.dataplane.payload_log.event import Event
from fairlead.errors import ConfigError
from fairlead.protocols import jsontext

_MAX_BYTES = 64 * 1024 * 1024
_KEEP = 10


class FileOptions:
    """What a `file://` address says."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        options = parse_qs(parts.query)
        self.folder = Path(unquote(parts.path))
        self.format = options.get("format", ["jsonl"])[0]
        self.max_bytes = _number(url, options, "max_bytes", _MAX_BYTES)
        self.keep = _number(url, options, "keep", _KEEP)
        if not self.folder.is_absolute():
            raise ConfigError(f"payload log: {url!r} names no absolute folder; expected file:///folder")
        if self.format not in ("jsonl", "parquet"):
            raise ConfigError(f"payload log: format {self.format!r} is not known; expected jsonl or parquet")


class JsonLinesSink:
    """A `Sink` for `file://`."""

    def __init__(self, options: FileOptions) -> None:
        self._options = options
        options.folder.mkdir(parents=True, exist_ok=True)
        self._path = options.folder / f"{os.getpid()}.jsonl"
        self._file = self._path.open("ab")

    def send(self, event: Event) -> None:
        """Write a line."""
        line = jsontext.dumps(event.structured()).rstrip(b"\n") + b"\n"
        if self._file.tell() and self._file.tell() + len(line) > self._options.max_bytes:
            self._turn()
        self._file.write(line)
        self._file.flush()

    def close(self) -> None:
        self._file.close()

    def _turn(self) -> None:
        self._file.close()
        self._path.rename(closed_name(self._path))
        prune(self._options.folder, ".jsonl", self._options.keep)
        self._file = self._path.open("ab")


def closed_name(path: Path) -> Path:
    """The name of a file that is full: sorted by time, unique per process."""
    stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime())
    return path.with_name(f"{stamp}-{time.monotonic_ns()}-{path.name}")


def prune(folder: Path, suffix: str, keep: int) -> None:
    """Remove the oldest closed files beyond `keep`."""
    closed = sorted(file for file in folder.glob(f"*-*-*{suffix}"))
    for file in closed[: max(0, len(closed) - keep)]:
        file.unlink(missing_ok=True)


def _number(url: str, options: dict[str, list[str]], name: str, default: int) -> int:
    text = options.get(name, [str(default)])[0]
    if not text.isdigit() or int(text) < 1:
        raise ConfigError(f"payload log: {name}={text!r} in {url!r} is no number above zero")
    return int(text)
