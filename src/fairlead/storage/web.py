"""One file behind an http or https URL, with the standard library: object-store clients do not keep queries, read
file names from headers or follow redirects by our rules.

The first answer is both listing and beginning of the transfer, so a signed URL for GET alone is enough and one request
does for a small file.
"""

import base64
import hashlib
import http.client
import re
import socket
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from email.message import Message
from pathlib import Path
from typing import IO
from urllib.parse import unquote, urlsplit, urlunsplit

from fairlead.errors import FairleadError, StorageError, StorageUnavailable
from fairlead.storage import answers
from fairlead.storage.clouds.layer import Timeouts
from fairlead.storage.redaction import cleaned, secrets_of_query
from fairlead.storage.source import Changed, Entry, Restart, checked
from fairlead.storage.uris import HttpUri, without_secrets

_CHUNK_BYTES = 256 * 1024
_SHOWN_BODY_BYTES = 4096
_BEYOND_END = http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE
_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")
Allow = Callable[[str], None]


class WebSource:
    """The file of one URL. `allow` is asked about every URL a redirect leads to."""

    def __init__(self, uri: HttpUri, *, timeouts: Timeouts, allow: Allow, secrets: tuple[str, ...]) -> None:
        self.name = str(uri)
        self.identity = f"{self.name} {hashlib.sha256(uri.url.encode()).hexdigest()}"
        self._url, self._authorization, own = _without_login(uri.url)
        self._secrets = (*secrets, *own, *secrets_of_query(urlsplit(uri.url).query))
        self._timeouts = timeouts
        self._opener = _opener(_Redirects(allow))
        self._first: http.client.HTTPResponse | None = None

    def entries(self) -> Sequence[Entry]:
        """The one file, by its name in the answer or in the URL."""
        self.close()
        response = self._request({})
        self._first = response
        self._refuse_what_is_no_file(response)
        name = _file_name(response, self._url)
        if not name:
            raise StorageError(f"{self.name}: no file name in the URL or the answer; add the file's name to the URL")
        return checked(self.name, [Entry(path=name, size=_length(response), version=_version(response))])

    def read(self, entry: Entry, offset: int) -> Iterator[bytes]:
        """The bytes from `offset`: the answer that is open, or a new one for the rest."""
        response = self._resume(entry, offset) if offset else self._begin(entry)
        try:
            while chunk := response.read1(_CHUNK_BYTES):
                yield chunk
        except Exception as error:
            raise self._translated(error) from error
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

    def _begin(self, entry: Entry) -> http.client.HTTPResponse:
        response, self._first = self._first or self._request({}), None
        if _version(response) != entry.version or _length(response) != entry.size:
            response.close()
            raise Changed(f"{self.name}: {entry.path} changed while it was fetched")
        return response

    def _resume(self, entry: Entry, offset: int) -> http.client.HTTPResponse:
        self.close()
        headers = {"Range": f"bytes={offset}-"}
        if not entry.version.startswith("W/"):
            headers["If-Range"] = entry.version
        response = self._request(headers, beyond_end=Restart(f"{self.name}: the file ends where the copy ends"))
        asked = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
        if _version(response) != entry.version:
            response.close()
            raise Changed(f"{self.name}: {entry.path} changed while it was fetched")
        if response.status != http.HTTPStatus.PARTIAL_CONTENT or not asked or int(asked[1]) != offset:
            response.close()
            raise Restart(f"{self.name}: the server sends the file from its beginning only")
        return response

    def _request(self, headers: dict[str, str], beyond_end: Restart | None = None) -> http.client.HTTPResponse:
        request = urllib.request.Request(self._url, headers={"User-Agent": "fairlead", "Accept-Encoding": "identity"})  # noqa: S310 - http and https only, see _opener
        for name, value in headers.items():
            request.add_header(name, value)
        if self._authorization:
            request.add_unredirected_header("Authorization", self._authorization)
        try:
            response: http.client.HTTPResponse = self._opener.open(request, timeout=self._timeouts.read_s)
        except Exception as error:
            if beyond_end and isinstance(error, urllib.error.HTTPError) and error.code == _BEYOND_END:
                error.close()
                raise beyond_end from error
            raise self._translated(error) from error
        return response

    def _refuse_what_is_no_file(self, response: http.client.HTTPResponse) -> None:
        encoding = response.headers.get("Content-Encoding", "identity")
        if encoding.strip().lower() not in ("", "identity"):
            raise StorageError(f"{self.name}: the server encodes the file ({encoding}) although it was asked not to")
        path = urlsplit(self._url).path.lower()
        if response.headers.get_content_type() == "text/html" and not path.endswith((".html", ".htm")):
            raise StorageError(f"{self.name}: the answer is a web page (a login or an index?), not a model file")

    def _translated(self, error: Exception) -> FairleadError:
        """The one place where the standard library's exceptions become ours."""
        if isinstance(error, FairleadError):
            return error
        if isinstance(error, urllib.error.HTTPError):
            with error:
                body = error.read(_SHOWN_BODY_BYTES).decode(errors="replace")
            said = self._clean(answers.words(error.code, body, phrase=str(error.reason)))
            if error.code in answers.TRANSIENT:
                return StorageUnavailable(f"{self.name}: {said}", after_s=_retry_after(error.headers))
            return StorageError(f"{self.name}: {said}")
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        if isinstance(reason, ssl.SSLCertVerificationError):
            return StorageError(f"{self.name}: the server's certificate is not trusted: {reason.verify_message}")
        if isinstance(reason, TimeoutError):
            return StorageUnavailable(f"{self.name}: nothing arrived for {self._timeouts.read_s:g} s")
        if isinstance(reason, socket.gaierror):
            return StorageUnavailable(f"{self.name}: the host's address cannot be found: {reason.strerror}")
        if isinstance(reason, http.client.InvalidURL | ValueError):
            return StorageError(f"{self.name}: not a URL that can be asked for: {self._clean(str(reason))}")
        said = reason.strerror if isinstance(reason, OSError) and reason.strerror else str(reason)
        return StorageUnavailable(f"{self.name}: {self._clean(said) or type(reason).__name__}")

    def _clean(self, text: str) -> str:
        return cleaned(text, self._secrets)


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follow to http and https only, never from https back to http, and never where the owner does not allow."""

    max_redirections = 5

    def __init__(self, allow: Allow) -> None:
        self._allow = allow

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        try:
            self._check(req, newurl)
        except FairleadError:
            fp.close()
            raise
        return super().redirect_request(req, fp, code, msg, headers, newurl)

    def _check(self, request: urllib.request.Request, target: str) -> None:
        scheme = urlsplit(target).scheme.lower()
        here, there = without_secrets(request.full_url), without_secrets(target)
        if scheme not in ("http", "https") or (request.type == "https" and scheme == "http"):
            raise StorageError(f"{here}: refused: it redirects to {there}, which is not https")
        self._allow(there)


def _opener(redirects: _Redirects) -> urllib.request.OpenerDirector:
    """Without the handlers for file, ftp and data URLs that `build_opener` adds."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(context=ssl.create_default_context()),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        redirects,
    ):
        opener.add_handler(handler)
    return opener


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


def _length(response: http.client.HTTPResponse) -> int | None:
    """The size of the whole file, also when this answer holds only its end."""
    if match := _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", "")):
        return int(match[3]) if match[3] != "*" else None
    text = response.headers.get("Content-Length", "")
    return int(text) if text.isdecimal() else None


def _version(response: http.client.HTTPResponse) -> str:
    """A validator as If-Range takes it: the ETag, else the date; empty if the server gives neither."""
    return response.headers.get("ETag", "").strip() or response.headers.get("Last-Modified", "").strip()


def _retry_after(headers: Message) -> float | None:
    text = (headers.get("Retry-After") or "").strip()
    return min(float(text), 60.0) if text.isdecimal() else None
