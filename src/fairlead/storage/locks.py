"""One holder at a time for a named thing, among threads and processes, freed by the kernel when a holder dies."""

import fcntl
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

_POLL_S = 0.1


@contextmanager
def held(path: Path, *, waiting: Callable[[], None]) -> Iterator[None]:
    """Hold the lock file `path` alone. While another holds it, `waiting` is called about ten times a second and may
    raise to give up. The file is removed at the end."""
    descriptor = _take(path, waiting)
    try:
        yield
    finally:
        # Removed while still locked; whoever waits on this inode sees that the name is gone and starts over.
        path.unlink(missing_ok=True)
        os.close(descriptor)


@contextmanager
def shared(path: Path) -> Iterator[None]:
    """Hold `path` together with others who share it; waits for an exclusive holder."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def exclusive_now(path: Path) -> Iterator[bool]:
    """Hold `path` alone if nobody shares it now; yields whether that worked."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        yield _try_lock(descriptor)
    finally:
        os.close(descriptor)


def _take(path: Path, waiting: Callable[[], None]) -> int:
    tick = threading.Event()
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            while not _try_lock(descriptor):
                waiting()
                tick.wait(_POLL_S)
            if _is_at(path, descriptor):
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_at(path: Path, descriptor: int) -> bool:
    try:
        there = path.stat()
    except FileNotFoundError:
        return False
    return os.path.samestat(there, os.fstat(descriptor))
