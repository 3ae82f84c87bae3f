"""Requests over http and https with the standard library, by our rules: object-store clients do not keep queries, read
file names from headers, or let us say where a redirect may lead.

A credential goes to the origin it was meant for and nowhere else: a redirect to another host, port or scheme goes
without it. https never becomes http. Foreign exceptions become ours here.
"""

import http.client
import re
import socket
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.message import Message
from typing import IO
from urllib.parse import urlsplit

from fairlead.errors import FairleadError, StorageError, StorageUnavailable
from fairlead.storage import answers
from fairlead.storage.clouds.layer import Timeouts
from fairlead.storage.redaction import cleaned
from fairlead.storage.uris import without_secrets

_SHOWN_BODY_BYTES = 4096
_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")
_PORTS = {"http": 80, "https": 443}
Allow = Callable[[str], None]


class Refused(StorageError):
    """An answer that says no, with its status and headers for who can do something about it."""

    def __init__(self, message: str, *, status: int, headers: Message) -> None:
        super().__init__(message)
        self.status = status
        self.headers = headers


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """Whose certificates are believed: the system's authorities, those of `ca_pem` besides, or anybody's."""

    ca_pem: str = ""
    verify: bool = True

    def context(self) -> ssl.SSLContext:
        """For one connection. Raises StorageError when the PEM text cannot be read."""
        context = ssl.create_default_context()
        if self.ca_pem:
            try:
                context.load_verify_locations(cadata=self.ca_pem)
            except ssl.SSLError as error:
                raise StorageError("the CA bundle cannot be read; it must hold certificates in PEM form") from error
        if not self.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """Asks on behalf of the source `name`. `allow` is asked about every URL a redirect leads to; `secrets` are kept out
    of messages."""

    name: str
    timeouts: Timeouts
    allow: Allow = field(repr=False)
    secrets: tuple[str, ...] = field(repr=False, default=())
    trust: Trust = field(default_factory=Trust)

    def ask(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        credentials: Mapping[str, str] | None = None,
        method: str = "GET",
    ) -> http.client.HTTPResponse:
        """GET, or HEAD. `credentials` are headers for this URL's own origin. Raises Refused, StorageError or
        StorageUnavailable; the caller closes the answer."""
        private = dict(credentials or {})
        try:
            own = {"User-Agent": "fairlead", "Accept-Encoding": "identity"}
            request = urllib.request.Request(url, headers=own, method=method)  # noqa: S310 - http and https only, see _opener
            for header, value in (headers or {}).items():
                request.add_header(header, value)
            for header, value in private.items():
                request.add_unredirected_header(header, value)
            opener = _opener(_Redirects(self.allow, private), self.trust)
            response: http.client.HTTPResponse = opener.open(request, timeout=self.timeouts.read_s)
        except Exception as error:
            raise self.translated(error) from error
        return response

    def text(
        self, url: str, *, limit_bytes: int, headers: Mapping[str, str] | None = None,
        credentials: Mapping[str, str] | None = None,
    ) -> tuple[bytes, Message]:  # fmt: skip
        """A small answer's body and headers. Raises StorageError when it is larger than the limit."""
        with self.ask(url, headers=headers, credentials=credentials) as response:
            try:
                body = response.read(limit_bytes + 1)
            except Exception as error:
                raise self.translated(error) from error
            if len(body) > limit_bytes:
                raise StorageError(f"{self.name}: {without_secrets(url)} answers more than {limit_bytes} bytes")
            return body, response.headers

    def translated(self, error: Exception) -> FairleadError:
        """The one place where the standard library's exceptions become ours."""
        if isinstance(error, FairleadError):
            return error
        if isinstance(error, urllib.error.HTTPError):
            return self._refusal(error)
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        if isinstance(reason, ssl.SSLCertVerificationError):
            return StorageError(f"{self.name}: the server's certificate is not trusted: {reason.verify_message}")
        if isinstance(reason, TimeoutError):
            return StorageUnavailable(f"{self.name}: nothing arrived for {self.timeouts.read_s:g} s")
        if isinstance(reason, socket.gaierror):
            return StorageUnavailable(f"{self.name}: the host's address cannot be found: {reason.strerror}")
        if isinstance(reason, http.client.InvalidURL | ValueError):
            return StorageError(f"{self.name}: not a URL that can be asked for: {self.clean(str(reason))}")
        said = reason.strerror if isinstance(reason, OSError) and reason.strerror else str(reason)
        return StorageUnavailable(f"{self.name}: {self.clean(said) or type(reason).__name__}")

    def clean(self, text: str) -> str:
        """The text as people may read it."""
        return cleaned(text, self.secrets)

    def _refusal(self, error: urllib.error.HTTPError) -> FairleadError:
        with error:
            try:
                body = error.read(_SHOWN_BODY_BYTES).decode(errors="replace")
            except (OSError, http.client.HTTPException):
                body = ""
        said = self.clean(answers.words(error.code, body, phrase=str(error.reason)))
        if error.code in answers.TRANSIENT:
            return StorageUnavailable(f"{self.name}: {said}", after_s=_retry_after(error.headers))
        return Refused(f"{self.name}: {said}", status=error.code, headers=error.headers)


def length(response: http.client.HTTPResponse) -> int | None:
    """The size of the whole file, also when this answer holds only its end."""
    if match := _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", "")):
        return int(match[3]) if match[3] != "*" else None
    text = response.headers.get("Content-Length", "")
    return int(text) if text.isdecimal() else None


def starts_at(response: http.client.HTTPResponse, offset: int) -> bool:
    """Whether this answer is the part of the file that begins there."""
    asked = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
    return response.status == http.HTTPStatus.PARTIAL_CONTENT and asked is not None and int(asked[1]) == offset


def origin(url: str) -> tuple[str, str, int]:
    """Scheme, host and port: what a credential belongs to."""
    parts = urlsplit(url)
    scheme = parts.scheme.lower()
    return scheme, (parts.hostname or "").lower(), parts.port or _PORTS.get(scheme, 0)


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follow to http and https only, never from https back to http, and never where the owner does not allow. Headers
    that are credentials come along while the origin stays."""

    max_redirections = 5

    def __init__(self, allow: Allow, credentials: Mapping[str, str]) -> None:
        self._allow = allow
        self._credentials = credentials

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
        following = super().redirect_request(req, fp, code, msg, headers, newurl)
        # What was dropped on the way to a stranger stays dropped, also if the stranger sends us back.
        carried = any(req.get_header(name.capitalize()) == value for name, value in self._credentials.items())
        if following is not None and carried and origin(newurl) == origin(req.full_url):
            for name, value in self._credentials.items():
                following.add_unredirected_header(name, value)
        return following

    def _check(self, request: urllib.request.Request, target: str) -> None:
        scheme = urlsplit(target).scheme.lower()
        here, there = without_secrets(request.full_url), without_secrets(target)
        if scheme not in _PORTS or (request.type == "https" and scheme == "http"):
            raise StorageError(f"{here}: refused: it redirects to {there}, which is not https")
        self._allow(there)


def _opener(redirects: _Redirects, trust: Trust) -> urllib.request.OpenerDirector:
    """Without the handlers for file, ftp and data URLs that `build_opener` adds."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(context=trust.context()),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        redirects,
    ):
        opener.add_handler(handler)
    return opener


def _retry_after(headers: Message) -> float | None:
    text = (headers.get("Retry-After") or "").strip()
    return min(float(text), 60.0) if text.isdecimal() else None
