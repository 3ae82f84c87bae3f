"""Hadoop's file system over WebHDFS, the REST interface of its namenode (or of HttpFS).

`hdfs://` and `webhdfs://` both mean it: the URI is a path, and the Secret's `HDFS_NAMENODE` says whose. Requests are
made as the user a Secret names (`USER_PROXY`) or as nobody. Kerberos is not spoken; who asks for it is told so.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from fairlead.errors import StorageError
from fairlead.storage.asking import Allow, Client, Refused, Trust
from fairlead.storage.clouds.layer import Timeouts, first
from fairlead.storage.remotes import truth
from fairlead.storage.source import MOST_FILES, Changed, Entry, checked
from fairlead.storage.uris import HdfsUri
from fairlead.storage.web import read_headers

_CHUNK_BYTES = 256 * 1024
_MOST_LISTING_BYTES = 64 * 1024 * 1024
_KERBEROS = ("KERBEROS_PRINCIPAL", "KERBEROS_KEYTAB")
_CLIENT_CERTIFICATE = ("TLS_CERT", "TLS_KEY")
VARIABLES = (
    "HDFS_NAMENODE", "HDFS_ROOTPATH", "USER_PROXY", "HEADERS", "TLS_CA", "TLS_SKIP_VERIFY", "N_THREADS",
    *_KERBEROS, *_CLIENT_CERTIFICATE,
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class HdfsAccess:
    """A namenode (or several of one cluster, of which one is active), and as whom it is asked."""

    namenodes: tuple[str, ...]
    root: str
    user: str
    headers: tuple[tuple[str, str], ...] = field(repr=False, default=())
    trust: Trust = field(default_factory=Trust)


def read(env: Mapping[str, str], defaults: Mapping[str, str]) -> HdfsAccess:
    """The access these variables describe. Raises StorageError naming the variable that is missing."""
    mine = env if first(env, "HDFS_NAMENODE") else defaults
    namenodes = tuple(_namenode(text) for text in re.split(r"[,;]", first(mine, "HDFS_NAMENODE")) if text.strip())
    if not namenodes:
        raise StorageError("HDFS_NAMENODE is missing: the Secret must name it, such as http://namenode:9870")
    for names, what in ((_KERBEROS, "Kerberos"), (_CLIENT_CERTIFICATE, "a client certificate")):
        if first(mine, *names):
            raise StorageError(
                f"{names[0]}: {what} is not spoken to HDFS here; accepted: HDFS_NAMENODE, HDFS_ROOTPATH, USER_PROXY, "
                "HEADERS, TLS_CA, TLS_SKIP_VERIFY"
            )
    skips = first(mine, "TLS_SKIP_VERIFY")
    return HdfsAccess(
        namenodes=namenodes,
        root=first(mine, "HDFS_ROOTPATH").strip("/"),
        user=first(mine, "USER_PROXY"),
        headers=tuple(read_headers("HEADERS", first(mine, "HEADERS")).items()),
        trust=Trust(ca_pem=first(mine, "TLS_CA"), verify=not truth("TLS_SKIP_VERIFY", skips)),
    )


class HdfsSource:
    """A folder or file of one cluster."""

    def __init__(
        self, uri: HdfsUri, access: HdfsAccess, *, timeouts: Timeouts, secrets: tuple[str, ...], allow: Allow
    ) -> None:
        self._path = "/".join(part for part in (access.root, uri.path.strip("/")) if part)
        self.name = f"{access.namenodes[0]}/webhdfs/v1/{self._path}"
        caller = repr((access.namenodes, access.user, access.headers))
        self.identity = f"{self.name} {hashlib.sha256(caller.encode()).hexdigest()}"
        self._written = str(uri)
        self._access = access
        self._active = access.namenodes[0]
        values = tuple(value for _, value in access.headers)
        self._client = Client(
            name=self._written, timeouts=timeouts, allow=allow, secrets=(*secrets, *values), trust=access.trust
        )
        self._is_file = False

    def entries(self) -> Sequence[Entry]:
        """Every file below the path; if it is a file, that one."""
        status = self._first_answer()
        self._is_file = status.get("type") == "FILE"
        if self._is_file:
            return checked(self._written, [_entry(self._path.rpartition("/")[2], status)])
        return checked(self._written, list(self._walk("")))

    def read(self, entry: Entry, offset: int) -> Iterator[bytes]:
        """The bytes a datanode sends from that offset. The namenode's redirect is followed without our headers."""
        path = self._path if self._is_file else f"{self._path}/{entry.path}".strip("/")
        try:
            response = self._client.ask(self._url(path, "OPEN", offset=str(offset)), credentials=self._headers)
        except Refused as error:
            if error.status == 404:
                raise Changed(f"{self._written}: {entry.path} went away while it was fetched") from error
            raise
        try:
            while chunk := response.read1(_CHUNK_BYTES):
                yield chunk
        except Exception as error:
            raise self._client.translated(error) from error
        finally:
            response.close()

    def clone(self, entry: Entry, target: Path) -> bool:  # noqa: ARG002 - the protocol's signature
        """Files of a cluster are always transferred."""
        return False

    def close(self) -> None:
        """Nothing is held between calls."""

    @property
    def _headers(self) -> dict[str, str]:
        return dict(self._access.headers)

    def _first_answer(self) -> Mapping[str, Any]:
        """The status of the path, from the namenode that is active."""
        for index, namenode in enumerate(self._access.namenodes):
            self._active = namenode
            try:
                return self._status()
            except StorageError as error:
                is_standby = isinstance(error, Refused) and "StandbyException" in str(error)
                if not is_standby or index == len(self._access.namenodes) - 1:
                    raise
        raise AssertionError("unreachable")

    def _status(self) -> Mapping[str, Any]:
        try:
            status = self._json(self._path, "GETFILESTATUS").get("FileStatus")
        except Refused as error:
            if error.status == 404:
                raise StorageError(
                    f"Failed to fetch model. No model found in {self._written}: nothing is there: no file or folder "
                    f"/{self._path} at {self._active}"
                ) from error
            raise
        if not isinstance(status, dict):
            raise StorageError(f"{self._written}: {self._active} does not answer as WebHDFS does")
        return status

    def _walk(self, below: str) -> Iterator[Entry]:
        """Folders are read breadth first, so that a deep tree costs no recursion."""
        waiting, found = [below], 0
        while waiting:
            folder = waiting.pop(0)
            listing = self._json(f"{self._path}/{folder}".strip("/"), "LISTSTATUS").get("FileStatuses", {})
            for status in listing.get("FileStatus", ()):
                path = f"{folder}/{status['pathSuffix']}".lstrip("/")
                found += 1
                if found > 2 * MOST_FILES:
                    raise StorageError(f"{self._written}: more than {MOST_FILES} files lie there")
                if status.get("type") == "DIRECTORY":
                    waiting.append(path)
                else:
                    yield _entry(path, status)

    def _json(self, path: str, operation: str) -> Mapping[str, Any]:
        body, _ = self._client.text(
            self._url(path, operation), limit_bytes=_MOST_LISTING_BYTES, credentials=self._headers
        )
        try:
            answer = json.loads(body)
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise StorageError(f"{self._written}: {self._active} does not answer as WebHDFS does")
        return answer

    def _url(self, path: str, operation: str, **query: str) -> str:
        asked = {"op": operation, **query} | ({"user.name": self._access.user} if self._access.user else {})
        return f"{self._active}/webhdfs/v1/{quote(path)}?{urlencode(asked)}"


def _entry(path: str, status: Mapping[str, Any]) -> Entry:
    size = int(status["length"])
    version = f"{status.get('fileId', '')}-{status.get('modificationTime', '')}-{size}"
    return Entry(path=path, size=size, version=version)


def _namenode(text: str) -> str:
    url = text.strip().rstrip("/")
    url = url if "://" in url else f"http://{url}"
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
        raise StorageError("HDFS_NAMENODE must be the namenode's web address, such as http://namenode:9870")
    return url
