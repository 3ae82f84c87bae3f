"""What replicas write to stdout and stderr, kept as files that `kubectl logs` can be answered from.

Each line gets the time it arrived as an RFC 3339 prefix. A file that is full moves to `.1`, `.2`, …; the oldest
is dropped. Readers see one stream across rotations. Files are the owner's alone: models print what they like.
"""

import asyncio
import os
import re
from collections import deque
from collections.abc import AsyncIterator, Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from fairlead.backends.local.last_words import LastWords

_LONGEST_LINE = 16 * 1024
_READ_BYTES = 64 * 1024
# %f gives microseconds; kubectl pads nothing and compares as text, so the width is fixed.
_TIME = "%Y-%m-%dT%H:%M:%S.%fZ"
_ROTATED = re.compile(r"\.log(\.\d+)?$")


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line without its end. `time` is RFC 3339 in UTC."""

    time: str
    text: bytes

    def timestamp(self) -> float:
        """Seconds since the epoch; 0 for a line that carries no time."""
        try:
            return datetime.strptime(self.time, _TIME).replace(tzinfo=UTC).timestamp()
        except ValueError:
            return 0.0


class LogFile:
    """The log of one replica. Appends; several processes of the replica share it through `write`.

    A disk that is full costs lines, never the writer: how many were lost is noted once there is room again.
    """

    def __init__(self, path: Path, *, max_bytes: int = 10 * 1024 * 1024, keep: int = 3) -> None:
        self._path = path
        self._max_bytes = max_bytes
        self._keep = max(1, keep)
        self._pending: list[bytes] = []
        self._lost = 0
        self._descriptor, self._size = self._open()

    def write(self, text: bytes, *, now: float, source: str = "") -> None:
        """Add one line (without its end) at `now`; `source` names a process that is not the main one. Readers see
        it after `flush`."""
        stamp = datetime.fromtimestamp(now, UTC).strftime(_TIME).encode()
        line = b"%s [%s] %s\n" % (stamp, source.encode(), text) if source else b"%s %s\n" % (stamp, text)
        if self._size and self._size + len(line) > self._max_bytes:
            self.flush()
            self._rotate()
        self._pending.append(line)
        self._size += len(line)

    def flush(self) -> None:
        """Hand what was written to readers."""
        if not self._pending:
            return
        lines, self._pending = self._pending, []
        try:
            if self._lost:
                stamp = lines[0].partition(b" ")[0]
                os.write(
                    self._descriptor, b"%s fairlead: %d lines were lost: no space for them\n" % (stamp, self._lost)
                )
                self._lost = 0
            os.write(self._descriptor, b"".join(lines))
        except OSError:
            self._lost += len(lines)

    def close(self) -> None:
        """Write what is pending and let go of the file."""
        self.flush()
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _open(self) -> tuple[int, int]:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        return descriptor, os.fstat(descriptor).st_size

    def _rotate(self) -> None:
        try:
            for number in range(self._keep - 1, 0, -1):
                older = _rotated(self._path, number - 1)
                if older.exists():
                    older.replace(_rotated(self._path, number))
            if self._keep == 1:
                self._path.unlink(missing_ok=True)
            descriptor, self._size = self._open()
        except OSError:
            return  # the file grows past its limit until there is room for another
        os.close(self._descriptor)
        self._descriptor = descriptor


class LogPump:
    """Copies what arrives on a pipe into a log, line by line, until every writer has closed it."""

    def __init__(self, log: LogFile, *, clock: Callable[[], float], source: str = "") -> None:
        self._log, self._clock, self._source = log, clock, source
        self._loop = asyncio.get_running_loop()
        self._reading, writing = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK) if hasattr(os, "pipe2") else os.pipe()
        os.set_blocking(self._reading, False)
        os.set_blocking(writing, True)
        self.writing = writing
        """The end for the child; `started` closes it here."""
        self.words = LastWords()
        self._rest = b""
        self._is_open = True
        self.finished: asyncio.Future[None] = self._loop.create_future()
        self._loop.add_reader(self._reading, self._read)

    def started(self) -> None:
        """The child has its copy of `writing`."""
        if self.writing >= 0:
            os.close(self.writing)
            self.writing = -1

    def close(self) -> None:
        """Stop, with what has arrived so far in the log."""
        self.started()
        while self._is_open and self._read():
            pass
        self._finish()

    def _read(self) -> bool:
        try:
            data = os.read(self._reading, _READ_BYTES)
        except BlockingIOError:
            return False
        if not data:
            self._finish()
            return False
        *lines, self._rest = (self._rest + data).split(b"\n")
        now = self._clock()
        for line in lines:
            self._write(line, now)
        while len(self._rest) > _LONGEST_LINE:
            self._write(self._rest[:_LONGEST_LINE], now)
            self._rest = self._rest[_LONGEST_LINE:]
        self._log.flush()
        return True

    def _write(self, line: bytes, now: float) -> None:
        line = line.rstrip(b"\r")
        if line and not line.isspace():
            self.words.hear(line.decode("utf-8", "replace"))
        self._log.write(line, now=now, source=self._source)

    def _finish(self) -> None:
        if not self._is_open:
            return
        self._is_open = False
        self._loop.remove_reader(self._reading)
        os.close(self._reading)
        if self._rest:
            self._write(self._rest, self._clock())
            self._rest = b""
        self._log.flush()
        if not self.finished.done():
            self.finished.set_result(None)


async def read_log(
    path: Path,
    *,
    tail_lines: int | None = None,
    since: float | None = None,
    follow: bool = False,
    is_finished: Callable[[], bool] | None = None,
    poll_s: float = 0.25,
) -> AsyncIterator[LogLine]:
    """The lines of a log, oldest first, across rotated files.

    `tail_lines` keeps the last ones, `since` those from that time on (seconds since the epoch). With `follow` it
    goes on with new lines as they come, until the caller stops or `is_finished` says that there will be no more.
    """
    position, lines = await asyncio.to_thread(_read_whole, path, tail_lines, since)
    for line in lines:
        yield line
    while follow:
        is_last = is_finished is not None and is_finished()
        position, lines = await asyncio.to_thread(_read_more, path, position)
        for line in lines:
            yield line
        if is_last:
            return
        if not lines:
            await asyncio.sleep(poll_s)


def prune_logs(folder: Path, *, living: Collection[str], keep: int = 100) -> list[Path]:
    """Delete logs of replicas that are gone, but for the `keep` most recently written. `living` are the replicas
    whose logs are in use. Gives what was deleted."""
    logs: dict[Path, list[Path]] = {}
    for path in folder.glob("*/*.log*"):
        if _ROTATED.search(path.name):
            logs.setdefault(path.parent / _ROTATED.sub("", path.name), []).append(path)
    gone = [stem for stem in logs if stem.name not in living]
    gone.sort(key=lambda stem: max(_modified(path) for path in logs[stem]), reverse=True)
    doomed = [path for stem in gone[keep:] for path in logs[stem]]
    for path in doomed:
        path.unlink(missing_ok=True)
    return doomed


@dataclass(frozen=True, slots=True)
class _Position:
    """How far a reader has come: a file by its identity, and a byte in it."""

    inode: int = 0
    offset: int = 0


def _read_whole(path: Path, tail_lines: int | None, since: float | None) -> tuple[_Position, list[LogLine]]:
    position = _Position()
    lines: deque[LogLine] = deque(maxlen=tail_lines)
    for file in _generations(path):
        position, found = _read_file(file, 0)
        lines.extend(line for line in found if since is None or line.timestamp() >= since)
    return position, list(lines)


def _read_more(path: Path, position: _Position) -> tuple[_Position, list[LogLine]]:
    """What follows `position`, in its own file (wherever rotation moved it) and the ones after that."""
    generations = list(_generations(path))
    inodes = [_inode(file) for file in generations]
    start = inodes.index(position.inode) if position.inode in inodes else 0
    lines: list[LogLine] = []
    for file, inode in list(zip(generations, inodes, strict=True))[start:]:
        position, found = _read_file(file, position.offset if inode == position.inode else 0)
        lines.extend(found)
    return position, lines


def _read_file(path: Path, offset: int) -> tuple[_Position, list[LogLine]]:
    """The whole lines from `offset` on."""
    try:
        with path.open("rb") as file:
            inode = os.fstat(file.fileno()).st_ino
            file.seek(offset)
            data = file.read()
    except FileNotFoundError:
        return _Position(), []
    end = data.rfind(b"\n") + 1
    return _Position(inode, offset + end), [_parse(line) for line in data[:end].split(b"\n")[:-1]]


def _parse(line: bytes) -> LogLine:
    time, _, text = line.partition(b" ")
    return LogLine(time.decode("ascii", "replace"), text)


def _generations(path: Path) -> Iterator[Path]:
    """The rotated files of a log and the log itself, oldest first."""
    number = 0
    while _rotated(path, number + 1).exists():
        number += 1
    for older in range(number, -1, -1):
        yield _rotated(path, older)


def _rotated(path: Path, number: int) -> Path:
    return path.with_name(f"{path.name}.{number}") if number else path


def _inode(path: Path) -> int:
    try:
        return path.stat().st_ino
    except OSError:
        return 0


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
