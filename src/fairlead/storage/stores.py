"""Listing and reading objects through obstore, and its errors in our words.

obstore reports most failures as one class whose text holds the request, the answer and a debug dump. What a person
needs of it is the status and the store's own code and message; that is taken out here, and nowhere else.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from fairlead.errors import FairleadError, StorageError, StorageUnavailable
from fairlead.storage import answers
from fairlead.storage.clouds.azure import AzureAccess
from fairlead.storage.clouds.gcs import GcsAccess
from fairlead.storage.clouds.layer import Timeouts
from fairlead.storage.clouds.s3 import S3Access
from fairlead.storage.redaction import cleaned
from fairlead.storage.source import MOST_FILES, Changed, Entry, Restart, checked

if TYPE_CHECKING:
    from obstore import GetOptions, ObjectMeta
    from obstore.store import ObjectStore

_CHUNK_BYTES = 256 * 1024
_LIST_CHUNK = 1000
_STATUS = re.compile(r"non-2xx status code: (\d{3})([^:\n]*):?(.*?)(?:\n\nDebug source|\Z)", re.DOTALL)
_WHOLE_OBJECT = "Received non-partial response when range requested"
_CAUSE = re.compile(r'(?:message|error): "((?:[^"\\]|\\.)+)"')
_LASTING = (
    "without LOCATION",
    "Error parsing Path",
    "Encountered illegal",
    "InvalidPath",
    "Configuration",
    "InvalidCertificate",
)
_SILENT_CAUSES = {
    "InvalidCertificate": "the server's certificate is not trusted",
    "TimedOut": "nothing arrived in time",
    "IncompleteMessage": "the connection was closed",
}


class ObjectSource:
    """The objects under a prefix of one bucket, or one object."""

    def __init__(
        self,
        access: S3Access | GcsAccess | AzureAccess,
        *,
        bucket: str,
        key: str,
        written: str,
        timeouts: Timeouts,
        secrets: tuple[str, ...],
    ) -> None:
        self.name = access.name(bucket, key)
        self.identity = f"{self.name} {access.endpoint} {access.caller}"
        self._access = access
        self._bucket = bucket
        self._key = key
        self._written = written
        self._timeouts = timeouts
        self._secrets = secrets
        self._opened: ObjectStore | None = None
        self._keys: dict[str, str] = {}

    def entries(self) -> Sequence[Entry]:
        """Everything below the prefix; if that is nothing, the object of that name."""
        metas = self._ask(self._list)
        self._keys = {}
        found: list[Entry] = []
        folders = {str(parent) for meta in metas for parent in PurePosixPath(meta["path"]).parents}
        for meta in metas:
            path = self._relative(meta["path"])
            # Consoles create empty objects named like folders; obstore shows them without their final slash.
            if path and not (meta["size"] == 0 and meta["path"] in folders):
                self._keys[path] = meta["path"]
                found.append(Entry(path=path, size=meta["size"], version=_version(meta)))
        if not found:
            raise StorageError(self._nothing())
        return checked(self._written, found)

    def read(self, entry: Entry, offset: int) -> Iterator[bytes]:
        """The object's bytes, from the version that was listed."""
        options: GetOptions = {"range": {"offset": offset}} if offset else {}
        try:
            import obstore

            result = obstore.get(self._store(), self._keys[entry.path], options=options)
            if _version(result.meta) != entry.version:
                raise Changed(f"{self._written}: {entry.path} changed while it was fetched")
            for chunk in result.stream(min_chunk_size=_CHUNK_BYTES):
                yield bytes(chunk)
        except FairleadError:
            raise
        except FileNotFoundError as error:
            raise Changed(f"{self._written}: {entry.path} went away while it was fetched") from error
        except Exception as error:
            raise self._translated(error) from error

    def clone(self, entry: Entry, target: Path) -> bool:  # noqa: ARG002 - the protocol's signature
        """Objects are always transferred."""
        return False

    def close(self) -> None:
        """Connections close with the store."""
        self._opened = None

    def _list(self) -> list["ObjectMeta"]:
        import obstore

        found: list[ObjectMeta] = []
        for chunk in obstore.list(self._store(), self._key or None, chunk_size=_LIST_CHUNK):
            found.extend(chunk)
            if len(found) > MOST_FILES:
                return found
        if not found and self._key:
            found = [obstore.head(self._store(), self._key)]
        return found

    def _ask(self, call: Callable[[], list["ObjectMeta"]]) -> list["ObjectMeta"]:
        try:
            return call()
        except FairleadError:
            raise
        except FileNotFoundError as error:
            raise StorageError(self._nothing()) from error
        except Exception as error:
            raise self._translated(error) from error

    def _store(self) -> "ObjectStore":
        if self._opened is None:
            self._opened = self._access.open(self._bucket, self._timeouts)
        return self._opened

    def _relative(self, path: str) -> str:
        if path == self._key:
            return path.rpartition("/")[2]
        return path.removeprefix(f"{self._key}/") if self._key else path

    def _nothing(self) -> str:
        return (
            f"Failed to fetch model. No model found in {self._written}: nothing is there: no object {self._key!r} and "
            f"none under {self._key + '/'!r} in {self._bucket!r} at {self._access.endpoint}"
        )

    def _translated(self, error: Exception) -> FairleadError:
        return translated(error, written=self._written, access=self._access, secrets=self._secrets)


def translated(
    error: Exception, *, written: str, access: S3Access | GcsAccess | AzureAccess, secrets: tuple[str, ...]
) -> FairleadError:
    """The one place where obstore's exceptions become ours."""
    text = str(error)
    if _WHOLE_OBJECT in text:
        return Restart(f"{written}: the store sends objects from their beginning only")
    status, words = _status_and_words(text)
    said = cleaned(words, secrets)
    if "Encountered object with invalid path" in text:
        return StorageError(f"{written}: refused: the store holds a name that cannot be a file here: {said}")
    hint = access.hint() if status in (401, 403, 404) else ""
    message = f"{written}: {access.endpoint}: {said}" + (f" ({hint})" if hint else "")
    if status is None and _is_configuration(error, text):
        return StorageError(message)
    if status is None or status in answers.TRANSIENT:
        return StorageUnavailable(message)
    return StorageError(message)


def _version(meta: "ObjectMeta") -> str:
    """Listings leave the quotes off that single answers have. Without an ETag, time and size must do."""
    if tag := (meta.get("e_tag") or "").strip('"'):
        return tag
    return f"{meta['last_modified'].timestamp()}-{meta['size']}"


def _status_and_words(text: str) -> tuple[int | None, str]:
    if match := _STATUS.search(text):
        return int(match[1]), answers.words(int(match[1]), match[3], phrase=match[2].strip())
    summary, _, dump = text.partition("\n\nDebug source")
    summary = summary.rpartition(" - ")[2]
    causes = [said for word, said in _SILENT_CAUSES.items() if word in dump] or _CAUSE.findall(dump)[-1:]
    return None, ": ".join((summary, *causes))


def _is_configuration(error: Exception, text: str) -> bool:
    """Failures that asking again will not cure: a bad name or option, a credential that cannot be used."""
    if isinstance(error, ValueError | TypeError | KeyError):
        return True
    return any(sign in text for sign in _LASTING)
