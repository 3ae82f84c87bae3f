"""One file behind an http or https URL.

The first answer is both listing and beginning of the transfer, so a signed URL for GET alone is enough and one request
does for a small file. Headers a Secret gives for the host (`<host>-headers`) go to that host and to no other.
"""

import base64
import hashlib
import http.client
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from email.message import Message
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

from fairlead.errors import StorageError
from fairlead.storage import archives
from fairlead.storage.asking import Allow, Client, Refused, Trust, length, starts_at
from fairlead.storage.clouds.layer import Timeouts
from fairlead.storage.redaction import secrets_of_query
from fairlead.storage.source import Changed, Entry, Restart, checked
from fairlead.storage.uris import HttpUri

_CHUNK_BYTES = 256 * 1024
_BEYOND_END = http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


class WebSource:
    """The file of one URL. `allow` is asked about every URL a redirect leads to. `headers` are for the URL's own
    origin; `unpacks` says that an archive is wanted for what is in it."""

    def __init__(
        self,
        uri: HttpUri,
        *,
        timeouts: Timeouts,
        allow: Allow,
        secrets: tuple[str, ...],
        headers: Mapping[str, str] | None = None,
        unpacks: bool = False,
        trust: Trust | None = None,
    ) -> None:
        self.name = str(uri)
        private = dict(headers or {})
        seed = "\0".join((uri.url, *(f"{name}: {value}" for name, value in sorted(private.items()))))
        self.identity = f"{self.name} {hashlib.sha256(seed.encode()).hexdigest()}"
        self._url, authorization, own = _without_login(uri.url)
        self._credentials = ({"Authorization": authorization} if authorization else {}) | private
        self._unpacks = unpacks
        self._client = Client(
            name=self.name,
            timeouts=timeouts,
            allow=allow,
            trust=trust or Trust(),
            secrets=(*secrets, *own, *private.values(), *secrets_of_query(urlsplit(uri.url).query)),
        )
        self._first: http.client.HTTPResponse | None = None

    def entries(self) -> Sequence[Entry]:
        """The one file, by its name in the answer or in the URL."""
        self.close()
        response = self._ask({})
        self._first = response
        name = _file_name(response, self._url)
        self._refuse_what_is_no_file(response, name)
        if not name:
            raise StorageError(
                f"No filename contained in URI: {self.name}; there is no file name in the URL or the answer: "
                "add the file's name to the URL"
            )
        return checked(self.name, [Entry(path=name, size=length(response), version=_version(response))])

    def read(self, entry: Entry, offset: int) -> Iterator[bytes]:
        """The bytes from `offset`: the answer that is open, or a new one for the rest."""
        response = self._resume(entry, offset) if offset else self._begin(entry)
        try:
            while chunk := response.read1(_CHUNK_BYTES):
                yield chunk
        except Exception as error:
            raise self._client.translated(error) from error
        finally:
            response.close()

    def clone(self, entry: Entry, target: Path) -> bool:  # noqa: ARG002 - the protocol's signature
        """Files behind URLs are always transferred."""
        return False

    def close(self) -> None:
        """Drop an answer nobody read."""
        if self._first is not None:
            self._first.close()
            self._first = None

    def _ask(self, headers: Mapping[str, str]) -> http.client.HTTPResponse:
        return self._client.ask(self._url, headers=headers, credentials=self._credentials)

    def _begin(self, entry: Entry) -> http.client.HTTPResponse:
        response, self._first = self._first or self._ask({}), None
        if _version(response) != entry.version or length(response) != entry.size:
            response.close()
            raise Changed(f"{self.name}: {entry.path} changed while it was fetched")
        return response

    def _resume(self, entry: Entry, offset: int) -> http.client.HTTPResponse:
        self.close()
        headers = {"Range": f"bytes={offset}-"}
        if not entry.version.startswith("W/"):
            headers["If-Range"] = entry.version
        try:
            response = self._ask(headers)
        except Refused as error:
            if error.status == _BEYOND_END:
                raise Restart(f"{self.name}: the file ends where the copy ends") from error
            raise
        if _version(response) != entry.version:
            response.close()
            raise Changed(f"{self.name}: {entry.path} changed while it was fetched")
        if not starts_at(response, offset):
            response.close()
            raise Restart(f"{self.name}: the server sends the file from its beginning only")
        return response

    def _refuse_what_is_no_file(self, response: http.client.HTTPResponse, name: str) -> None:
        encoding = response.headers.get("Content-Encoding", "identity")
        if encoding.strip().lower() not in ("", "identity"):
            raise StorageError(f"{self.name}: the server encodes the file ({encoding}) although it was asked not to")
        said = response.headers.get_content_type() if response.headers.get("Content-Type") else ""
        if self._unpacks and said and (accepted := archives.content_types(name)) and said not in accepted:
            raise StorageError(
                f"URI: {self.name} did not respond with any of following 'Content-Type': {', '.join(accepted)}; "
                f"it responded with {said!r}"
            )
        if said == "text/html" and not urlsplit(self._url).path.lower().endswith((".html", ".htm")):
            raise StorageError(
                f"URI: {self.name} did not respond with 'Content-Type': 'application/octet-stream'; the answer is a "
                "web page (a login or an index?), not a model file"
            )


def headers_for(url: str, env: Mapping[str, str]) -> dict[str, str]:
    """The headers that the variable `<host>-headers` holds."""
    host = urlsplit(url).hostname or ""
    variable = next((name for name in env if name.lower() == f"{host}-headers"), "")
    return read_headers(variable, env.get(variable, ""))


def read_headers(variable: str, text: str) -> dict[str, str]:
    """Headers as a JSON object. Raises StorageError naming the variable, never showing any of it."""
    if not text.strip():
        return {}
    try:
        headers = json.loads(text)
    except ValueError:
        headers = None
    if not isinstance(headers, dict):
        raise StorageError(f'{variable} must be a JSON object of header names and values: {{"Name": "value"}}')
    for name, value in headers.items():
        if not _TOKEN.fullmatch(name) or not isinstance(value, str) or re.search(r"[\x00\r\n]", value):
            raise StorageError(f"{variable}: {name[:40]!r} is not a header with a text of one line")
    return headers


def _without_login(url: str) -> tuple[str, str, tuple[str, ...]]:
    """The URL without `user:password@`, the header that says it instead, and what must not be shown."""
    parts = urlsplit(url)
    login, at, host = parts.netloc.rpartition("@")
    plain = urlunsplit(parts._replace(netloc=host, fragment=""))
    if not at:
        return plain, "", ()
    user, _, password = login.partition(":")
    said = base64.b64encode(f"{unquote(user)}:{unquote(password)}".encode()).decode()
    return plain, f"Basic {said}", tuple(secret for secret in (said, password, unquote(password)) if secret)


def _file_name(response: http.client.HTTPResponse, url: str) -> str:
    header = Message()
    header["Content-Disposition"] = response.headers.get("Content-Disposition", "")
    for said in (header.get_filename(""), unquote(urlsplit(url).path), unquote(urlsplit(response.url).path)):
        name = re.split(r"[/\\]", said)[-1].strip()
        if name not in ("", ".", ".."):
            return name
    return ""


def _version(response: http.client.HTTPResponse) -> str:
    """A validator as If-Range takes it: the ETag, else the date; empty if the server gives neither."""
    return response.headers.get("ETag", "").strip() or response.headers.get("Last-Modified", "").strip()
