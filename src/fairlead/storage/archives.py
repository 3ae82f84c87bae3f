"""Archives of strangers, read member by member: zip and tar, compressed or not.

Only regular files come out. A name that would leave the folder, a link, a device or an encrypted member refuses the
whole archive; so does one that unpacks to far more than it holds (`Budget`). Nothing here writes.
"""

import lzma
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from fairlead.errors import StorageError
from fairlead.storage.source import MOST_FILES, check_path

_CHUNK_BYTES = 1024 * 1024
_ZIP_TYPES = ("application/x-zip-compressed", "application/zip", "application/zip-compressed")
_TAR_TYPES = ("application/x-tar", "application/x-gtar", "application/x-gzip", "application/gzip")
_TAR_SUFFIXES = (".tar", ".tar.gz", ".tgz")
_EXPORT_SUFFIXES = (".bento", ".bentomodel")
"""What `bentoml export` and `bentoml models export` write: a tar compressed with xz, or however they were told."""
_ZIP_MAGIC = b"PK\x03\x04"
_ANY_TYPE = ("application/octet-stream", "binary/octet-stream")
"""What servers say of files they know nothing of, object stores above all."""
_MOST_UNPACKED_BYTES = 1024**4
_FREE_BYTES = 1024**3
_LARGEST_RATIO = 200
_MOST_HEADER_BYTES = 1024 * 1024
_EXTENDED = frozenset(
    {tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK}
)

Damage = (tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, NotImplementedError)


def is_archive(name: str) -> bool:
    """Whether a file of this name is one that is unpacked."""
    return _is_zip(name) or _is_tar(name) or name.lower().endswith(_EXPORT_SUFFIXES)


def says_nothing(name: str) -> bool:
    """Whether a name does not tell what a file is: the last word of an API's path, say."""
    return "." not in name.rpartition("/")[2]


def is_tar(file: Path) -> bool:
    """Whether a file is a tar, compressed or not, by its first bytes."""
    try:
        with open_tar(file) as tar:
            return tar.next() is not None
    except (*Damage, StorageError):
        return False


def content_types(name: str) -> tuple[str, ...]:
    """What a web server may say an archive of this name is; empty for other files."""
    if _is_zip(name):
        return (*_ZIP_TYPES, *_ANY_TYPE)
    return (*_TAR_TYPES, *_ANY_TYPE) if _is_tar(name) else ()


class Budget:
    """How much may come out of one archive: so many files, so many bytes, and beyond a gigabyte no more than 200 times
    what went in. Real weights compress to no less than a tenth."""

    def __init__(self, written: str, packed_bytes: int, limit_bytes: int | None) -> None:
        most = max(_FREE_BYTES, packed_bytes * _LARGEST_RATIO)
        self._written = written
        self._most_bytes = min(most, _MOST_UNPACKED_BYTES if limit_bytes is None else limit_bytes)
        self._most_skipped = most
        self._bytes = 0
        self._skipped = 0
        self._files = 0

    def file(self) -> None:
        """One more member. Raises StorageError when that is too many."""
        self._files += 1
        if self._files > MOST_FILES:
            raise StorageError(f"{self._written}: refused: the archive holds more than {MOST_FILES} files")

    def skip(self, count: int) -> None:
        """So many bytes that are not wanted, and had to be decompressed all the same."""
        self._skipped += count
        if self._skipped > self._most_skipped:
            raise StorageError(f"{self._written}: refused: what is packed is more than {_LARGEST_RATIO} times its size")

    def spend(self, count: int) -> None:
        """So many bytes more. Raises StorageError when that is too much."""
        self._bytes += count
        if self._bytes > self._most_bytes:
            raise StorageError(
                f"{self._written}: refused: the archive unpacks to more than the limit of {self._most_bytes} bytes"
            )


@dataclass(frozen=True, slots=True)
class Member:
    """One file of an archive. `chunks` may be read once, before the next member is asked for."""

    path: str
    chunks: Iterator[bytes]


def members(written: str, name: str, file: Path, budget: Budget) -> Iterator[Member]:
    """The files of an archive, in its own order. Raises StorageError when it is damaged or refused."""
    is_zip = _is_zip(name) or (name.lower().endswith(_EXPORT_SUFFIXES) and _begins_with(file, _ZIP_MAGIC))
    read = _zip_members if is_zip else _tar_members
    try:
        yield from read(f"{written}: {name}", file, budget)
    except StorageError:
        raise
    except (*Damage, RuntimeError, ValueError) as error:
        raise damaged(f"{written}: {name}", error) from error


def damaged(written: str, error: BaseException) -> StorageError:
    """What to say when an archive ends early or makes no sense."""
    said = " ".join(str(error).split())[:200] or type(error).__name__
    return StorageError(f"{written}: the archive is damaged or not one of .zip, .tar, .tar.gz, .tgz: {said}")


def plain_path(written: str, name: str) -> str:
    """A member's name as a path below the model's folder. Raises StorageError when it would leave it."""
    if name.startswith("/") or "\\" in name:
        raise StorageError(f"{written}: refused: the name {name!r} would leave the model's folder")
    path = "/".join(segment for segment in name.split("/") if segment not in ("", "."))
    check_path(written, path)
    return path


def open_tar(file: Path) -> tarfile.TarFile:
    """A tar, compressed or not, whose headers are of a size that headers have."""
    return tarfile.open(file, "r:*", tarinfo=_Header)


class _Header(tarfile.TarInfo):
    """tarfile reads the headers that carry long names and attributes whole into memory."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> "_Header":
        header = super().frombuf(buf, encoding, errors)
        if header.type in _EXTENDED and header.size > _MOST_HEADER_BYTES:
            raise StorageError(f"refused: the archive has a header of {header.size} bytes")
        return header


def pieces(written: str, source: IO[bytes], budget: Budget) -> Iterator[bytes]:
    """What an open member holds, within the budget. Only reading is looked at here: who writes has own errors."""
    while chunk := _next(written, source):
        budget.spend(len(chunk))
        yield chunk


def _next(written: str, source: IO[bytes]) -> bytes:
    try:
        return source.read(_CHUNK_BYTES)
    except Damage as error:
        raise damaged(written, error) from error


def _begins_with(file: Path, magic: bytes) -> bool:
    with file.open("rb") as opened:
        return opened.read(len(magic)) == magic


def _is_zip(name: str) -> bool:
    return name.lower().endswith(".zip")


def _is_tar(name: str) -> bool:
    return name.lower().endswith(_TAR_SUFFIXES)


def _tar_members(written: str, file: Path, budget: Budget) -> Iterator[Member]:
    with open_tar(file) as tar:
        for info in tar:
            budget.file()
            if info.isdir():
                continue
            if not info.isreg():
                kind = "a link" if info.issym() or info.islnk() else "a device or a pipe"
                raise StorageError(f"{written}: refused: {info.name!r} is {kind}; only files and folders are unpacked")
            source = tar.extractfile(info)
            assert source is not None
            yield Member(plain_path(written, info.name), pieces(written, source, budget))


def _zip_members(written: str, file: Path, budget: Budget) -> Iterator[Member]:
    with zipfile.ZipFile(file) as archive:
        for info in archive.infolist():
            budget.file()
            mode = info.external_attr >> 16
            if info.is_dir():
                continue
            if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
                raise StorageError(f"{written}: refused: {info.filename!r} is a link or a device, not a file")
            if info.flag_bits & 1:
                raise StorageError(f"{written}: refused: {info.filename!r} is encrypted")
            with archive.open(info) as source:
                yield Member(plain_path(written, info.filename), pieces(written, source, budget))
