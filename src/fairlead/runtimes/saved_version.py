"""Which scikit-learn a pickle was made with, read without unpickling it: the one thing worth knowing about a model
that does not load."""

import bz2
import lzma
import re
import zlib
from pathlib import Path

# The key is followed by at most one memo opcode, then the value as a short or a long string.
_SAVED_VERSION = re.compile(rb"_sklearn_version(?:\x94|q.|r.{4})?(?:\x8c.|X.{4})(\d+\.\d+[0-9a-z.]*)", re.DOTALL)
_SCAN_BYTES = 256 * 1024 * 1024
"""Read at most this much, as stored and again when inflated."""


def saved_version(path: Path) -> str | None:
    """The version, `None` when the file does not say (it may be compressed in a way that is not looked into)."""
    with path.open("rb") as file:
        raw = file.read(_SCAN_BYTES)
    try:
        content = _inflated(raw)
    except (zlib.error, lzma.LZMAError, OSError, EOFError):
        return None
    found = _SAVED_VERSION.search(content)
    return found.group(1).decode() if found else None


def _inflated(raw: bytes) -> bytes:
    """The content of what joblib may have compressed; truncated input gives what there is of it."""
    if raw.startswith(b"\x1f\x8b"):
        return zlib.decompressobj(31).decompress(raw, _SCAN_BYTES)
    if raw.startswith(b"\x78"):
        return zlib.decompressobj().decompress(raw, _SCAN_BYTES)
    if raw.startswith(b"BZh"):
        return bz2.BZ2Decompressor().decompress(raw, _SCAN_BYTES)
    if raw.startswith((b"\xfd7zXZ", b"\x5d\x00\x00")):
        return lzma.LZMADecompressor().decompress(raw, _SCAN_BYTES)
    return raw
