"""Writing to the disk while more comes. A file that has to be forced to the disk in the end waits there for all of it,
unless the kernel was told to begin; Python has no call for that."""

import ctypes
from typing import BinaryIO

_BEGIN = 2  # SYNC_FILE_RANGE_WRITE: start, and wait for nothing.
_STEP_BYTES = 16 * 1024 * 1024
_libc = ctypes.CDLL(None, use_errno=True)


class Flushing:
    """Begins to write a file out, a step behind its end. Errors are those of the fsync that follows."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._begun = 0

    def reached(self, size: int) -> None:
        """The file has so many bytes now."""
        if size - self._begun < _STEP_BYTES or not hasattr(_libc, "sync_file_range"):
            return
        start, length = ctypes.c_int64(self._begun), ctypes.c_int64(size - self._begun)
        _libc.sync_file_range(self._file.fileno(), start, length, _BEGIN)
        self._begun = size
