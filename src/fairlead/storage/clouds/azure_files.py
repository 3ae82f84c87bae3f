"""Azure file shares, over the REST interface that obstore does not speak: list a folder, read a file.

Requests are signed with the account's key, carry a shared access signature, or a token of Entra ID.
"""

import base64
import binascii
import hashlib
import hmac
import http.client
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from email.message import Message
from email.utils import formatdate
from pathlib import Path
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from fairlead.errors import StorageError
from fairlead.storage.asking import Allow, Client, Refused, length, starts_at
from fairlead.storage.clouds.layer import Timeouts, first
from fairlead.storage.source import MOST_FILES, Changed, Entry, Restart, checked
from fairlead.storage.uris import ShareUri

_VERSION = "2023-11-03"
_CHUNK_BYTES = 256 * 1024
_MOST_LISTING_BYTES = 16 * 1024 * 1024
_KEYS = ("AZURE_STORAGE_ACCESS_KEY", "AZURE_STORAGE_ACCOUNT_KEY", "AZURE_STORAGE_KEY")
_SIGNATURES = ("AZURE_STORAGE_SAS_TOKEN", "AZURE_STORAGE_SAS_KEY")
_TOKENS = ("AZURE_ACCESS_TOKEN",)
_ACCOUNTS = ("AZURE_STORAGE_ACCOUNT_NAME", "AZURE_STORAGE_ACCOUNT")
_ENDPOINT = "AZURE_STORAGE_FILE_ENDPOINT"


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareAccess:
    """One account's shares."""

    account: str
    endpoint: str
    key: str = field(default="", repr=False)
    sas: str = field(default="", repr=False)
    token: str = field(default="", repr=False)

    @property
    def is_anonymous(self) -> bool:
        """Whether requests carry no credential, which no share accepts."""
        return not (self.key or self.sas or self.token)

    def headers(self, url: str, offset: int) -> dict[str, str]:
        """What a GET of this URL must say: version, date, range, and who asks."""
        headers = {"x-ms-version": _VERSION, "x-ms-date": formatdate(usegmt=True)}
        if offset:
            headers["x-ms-range"] = f"bytes={offset}-"
        if self.token:
            return headers | {"x-ms-file-request-intent": "backup", "Authorization": f"Bearer {self.token}"}
        if self.key and not self.sas:
            return headers | {"Authorization": f"SharedKey {self.account}:{self._signature(url, headers)}"}
        return headers

    def _signature(self, url: str, headers: Mapping[str, str]) -> str:
        """Shared Key: an empty line for each standard header, then the x-ms headers and the resource."""
        parts = urlsplit(url)
        lines = ["GET", *[""] * 11, *(f"{name}:{headers[name]}" for name in sorted(headers))]
        lines.append(f"/{self.account}{parts.path}")
        lines += [f"{name.lower()}:{value}" for name, value in sorted(parse_qsl(parts.query, keep_blank_values=True))]
        try:
            key = base64.b64decode(self.key, validate=True)
        except binascii.Error:
            raise StorageError(f"{_KEYS[0]} is not base64, as keys of Azure storage accounts are") from None
        return base64.b64encode(hmac.digest(key, "\n".join(lines).encode(), hashlib.sha256)).decode()


def read(uri: ShareUri, env: Mapping[str, str], defaults: Mapping[str, str]) -> ShareAccess:
    """The access that the URI and these variables describe: the Secret's if it speaks of Azure, else the
    installation's own, which is not sent to an endpoint that a Secret chose."""
    mine = env if any(name.startswith(("AZURE_", "AZ_")) for name in env) else defaults
    endpoint = first(mine, _ENDPOINT).rstrip("/") or f"https://{uri.host}"
    if uri.query:
        return ShareAccess(account=uri.account, endpoint=endpoint, sas=uri.query)
    if first(mine, *_ACCOUNTS) not in ("", uri.account):
        return ShareAccess(account=uri.account, endpoint=endpoint)
    return ShareAccess(
        account=uri.account,
        endpoint=endpoint,
        key=first(mine, *_KEYS),
        sas=first(mine, *_SIGNATURES).removeprefix("?"),
        token=first(mine, *_TOKENS),
    )


class ShareSource:
    """A folder or file of a share."""

    def __init__(
        self, uri: ShareUri, access: ShareAccess, *, timeouts: Timeouts, secrets: tuple[str, ...], allow: Allow
    ) -> None:
        self.name = f"{access.endpoint}/{uri.path}"
        secret = "\0".join((access.key, access.sas, access.token))
        self.identity = f"{self.name} {hashlib.sha256(secret.encode()).hexdigest()}"
        self._access = access
        self._path = uri.path
        own = tuple(text for text in (access.key, access.sas, access.token) if text)
        self._client = Client(name=str(uri), timeouts=timeouts, allow=allow, secrets=(*secrets, *own))
        self._is_file = False

    def entries(self) -> Sequence[Entry]:
        """Every file below the folder; if it is a file, that one."""
        try:
            found = list(self._walk())
        except Refused as error:
            if error.status != 404:
                raise self._explained(error) from error
            found = []
        self._is_file = not found and "/" in self._path
        if self._is_file:
            found = [self._single()]
        return checked(self._client.name, found)

    def read(self, entry: Entry, offset: int) -> Iterator[bytes]:
        """The file's bytes, of the version that was listed."""
        path = self._path if self._is_file else f"{self._path}/{entry.path}"
        try:
            response = self._ask(self._url(path), offset)
        except Refused as error:
            if error.status == 404:
                raise Changed(f"{self._client.name}: {entry.path} went away while it was fetched") from error
            raise
        try:
            if offset and not starts_at(response, offset):
                raise Restart(f"{self._client.name}: the share sends files from their beginning only")
            if self._is_file and _version(response.headers) != entry.version:
                raise Changed(f"{self._client.name}: {entry.path} changed while it was fetched")
            while chunk := response.read1(_CHUNK_BYTES):
                yield chunk
        except Exception as error:
            raise self._client.translated(error) from error
        finally:
            response.close()

    def clone(self, entry: Entry, target: Path) -> bool:  # noqa: ARG002 - the protocol's signature
        """Files of a share are always transferred."""
        return False

    def close(self) -> None:
        """Nothing is held between calls."""

    def _single(self) -> Entry:
        try:
            with self._ask(self._url(self._path), 0) as response:
                size, version = length(response), _version(response.headers)
        except Refused as error:
            if error.status == 404:
                raise StorageError(
                    f"Failed to fetch model. No model found in {self._client.name}: nothing is there: no file or "
                    "folder of that name is in the share"
                ) from error
            raise self._explained(error) from error
        return Entry(path=self._path.rpartition("/")[2], size=size, version=version)

    def _walk(self) -> Iterator[Entry]:
        waiting, found = [""], 0
        while waiting:
            folder = waiting.pop(0)
            for item in self._list(f"{self._path}/{folder}".rstrip("/")):
                found += 1
                if found > 2 * MOST_FILES:
                    raise StorageError(f"{self._client.name}: more than {MOST_FILES} files lie there")
                path = f"{folder}/{item.findtext('Name', '')}".lstrip("/")
                if item.tag == "Directory":
                    waiting.append(path)
                else:
                    size = int(item.findtext("Properties/Content-Length", "0"))
                    version = item.findtext("Properties/Etag") or item.findtext("Properties/LastWriteTime") or ""
                    yield Entry(path=path, size=size, version=f"{version.strip(chr(34))}-{size}")

    def _list(self, path: str) -> Iterator[ElementTree.Element]:
        marker = ""
        while True:
            query = {"restype": "directory", "comp": "list", "include": "Timestamps,Etag"}
            query |= {"marker": marker} if marker else {}
            url = self._url(path, **query)
            body, _ = self._client.text(url, limit_bytes=_MOST_LISTING_BYTES, credentials=self._access.headers(url, 0))
            try:
                listing = ElementTree.fromstring(body)  # noqa: S314 - expat of today refuses entity bombs
            except ElementTree.ParseError as error:
                raise StorageError(f"{self._client.name}: the answer is not a listing of a share") from error
            yield from listing.iterfind("Entries/*")
            marker = listing.findtext("NextMarker", "") or ""
            if not marker:
                return

    def _ask(self, url: str, offset: int) -> http.client.HTTPResponse:
        return self._client.ask(url, credentials=self._access.headers(url, offset))

    def _url(self, path: str, **query: str) -> str:
        asked = "&".join(part for part in (urlencode(query), self._access.sas) if part)
        return f"{self._access.endpoint}/{quote(path)}" + (f"?{asked}" if asked else "")

    def _explained(self, error: Refused) -> StorageError:
        if self._access.is_anonymous and error.status in (401, 403):
            return StorageError(
                f"{error} (no Azure credentials are configured: {_KEYS[0]}, {_SIGNATURES[0]} or {_TOKENS[0]})"
            )
        return error


def _version(headers: Message) -> str:
    return (headers.get("ETag") or headers.get("Last-Modified") or "").strip('"')
