"""Repositories of the Hugging Face Hub, or of any server that speaks its API, through the Hub's own client library.

The library asks and finds its way to where large files lie; the bytes come to us as from any other store, so that they
are resumed, checked by digest and kept once. A revision is resolved to its commit first: what is listed is what comes.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar
from urllib.parse import urlsplit

from fairlead.errors import FairleadError, MissingExtra, StorageError, StorageUnavailable
from fairlead.storage import answers
from fairlead.storage.clouds.layer import Timeouts, first
from fairlead.storage.redaction import cleaned
from fairlead.storage.source import Changed, Entry, Restart, checked
from fairlead.storage.uris import HubUri

_CHUNK_BYTES = 256 * 1024
_MOST_REDIRECTS = 6
_PUBLIC = "https://huggingface.co"
VARIABLES = ("HF_TOKEN", "HF_ENDPOINT", "HUGGING_FACE_HUB_TOKEN")
_NO_SUCH = ("RepositoryNotFoundError", "RevisionNotFoundError", "EntryNotFoundError", "RemoteEntryNotFoundError")

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class HubAccess:
    """Which hub, and who asks."""

    endpoint: str = _PUBLIC
    token: str = field(default="", repr=False)

    @property
    def caller(self) -> str:
        """Tells one caller from another without holding the secret."""
        return hashlib.sha256(self.token.encode()).hexdigest() if self.token else "anonymous"


def read(env: Mapping[str, str], defaults: Mapping[str, str]) -> HubAccess:
    """The access these variables describe: the Secret's if it speaks of a hub, else the installation's own, whose
    token never goes to an endpoint that a Secret chose."""
    mine = env if any(env.get(name, "").strip() for name in VARIABLES) else defaults
    endpoint = first(mine, "HF_ENDPOINT").rstrip("/") or _PUBLIC
    if urlsplit(endpoint).scheme not in ("http", "https") or not urlsplit(endpoint).hostname:
        raise StorageError("HF_ENDPOINT must be a URL such as https://huggingface.co")
    return HubAccess(endpoint=endpoint, token=first(mine, "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"))


class HubSource:
    """One revision of one repository."""

    def __init__(
        self,
        uri: HubUri,
        access: HubAccess,
        *,
        timeouts: Timeouts,
        secrets: tuple[str, ...],
        allow: Callable[[str], None],
    ) -> None:
        self._hub = _library()
        self.name = str(uri) if access.endpoint == _PUBLIC else f"{access.endpoint}/{uri.repository}"
        self.identity = f"{self.name} {uri.revision} {access.caller}"
        self._uri = uri
        self._access = access
        self._timeouts = timeouts
        self._allow = allow
        self._secrets = (*secrets, *((access.token,) if access.token else ()))
        self._api = self._hub.HfApi(endpoint=access.endpoint, token=access.token or False)
        self._commit = ""

    def entries(self) -> Sequence[Entry]:
        """Every file of the revision, at the commit it names now."""
        return checked(str(self._uri), self._ask(self._list))

    def read(self, entry: Entry, offset: int) -> Iterator[bytes]:
        """The file's bytes at the commit that was listed."""
        try:
            with closing(self._open(entry, offset)) as response:
                if offset and response.status_code != 206:
                    raise Restart(f"{self._uri}: the hub sends the file from its beginning only")
                yield from response.iter_bytes(_CHUNK_BYTES)
        except FairleadError:
            raise
        except Exception as error:
            if type(error).__name__ in _NO_SUCH:
                raise Changed(f"{self._uri}: {entry.path} went away while it was fetched") from error
            raise self._translated(error) from error

    def clone(self, entry: Entry, target: Path) -> bool:  # noqa: ARG002 - the protocol's signature
        """Files of a hub are always transferred."""
        return False

    def close(self) -> None:
        """Connections belong to the library."""

    def _list(self) -> list[Entry]:
        repository, revision = self._uri.repository, self._uri.revision or None
        self._commit = self._api.repo_info(repository, revision=revision, timeout=self._timeouts.read_s).sha
        tree = self._api.list_repo_tree(repository, revision=self._commit, recursive=True)
        return [_entry(item) for item in tree if hasattr(item, "blob_id")]

    def _open(self, entry: Entry, offset: int) -> Any:
        url = self._hub.hf_hub_url(
            self._uri.repository, entry.path, revision=self._commit, endpoint=self._access.endpoint
        )
        headers = self._hub.utils.build_hf_headers(token=self._access.token or False)
        # The sizes that were listed are those of the files themselves.
        headers["Accept-Encoding"] = "identity"
        if offset:
            headers["Range"] = f"bytes={offset}-"
        session = self._hub.get_session()
        request = session.build_request("GET", url, headers=headers, timeout=self._timeouts.read_s)
        for _ in range(_MOST_REDIRECTS):
            response = session.send(request, stream=True, follow_redirects=False)
            try:
                if response.next_request is None:
                    if response.status_code >= 400:
                        response.read()
                    self._hub.utils.hf_raise_for_status(response)
                    return response
                # The library has left the token off already where this leads to another origin.
                self._check_redirect(entry, request.url, response.next_request.url)
                request = response.next_request
            except BaseException:
                response.close()
                raise
            response.close()
        raise StorageError(f"{self._uri}: {entry.path}: the hub redirects too often")

    def _check_redirect(self, entry: Entry, here: Any, there: Any) -> None:
        """Where a digest says what must arrive, it does not matter from whom."""
        if there.scheme not in ("http", "https") or (here.scheme == "https" and there.scheme == "http"):
            raise StorageError(f"{self._uri}: refused: it redirects to {there.host}, which is not https")
        if not entry.sha256:
            self._allow(f"{there.scheme}://{there.netloc.decode()}{there.path}")

    def _ask(self, call: Callable[[], T]) -> T:
        try:
            return call()
        except FairleadError:
            raise
        except Exception as error:
            raise self._translated(error) from error

    def _translated(self, error: Exception) -> FairleadError:
        """The one place where the library's exceptions become ours."""
        kind = type(error).__name__
        response = getattr(error, "response", None)
        status = getattr(response, "status_code", None)
        said = cleaned(str(error).partition("\n")[0] or kind, self._secrets)
        if kind == "GatedRepoError":
            return StorageError(f"{self._uri}: {self._access.endpoint}: the repository is gated: {self._hint()}")
        if kind in _NO_SUCH or status in (401, 403):
            return StorageError(f"{self._uri}: {self._access.endpoint}: {said} ({self._hint()})")
        if kind == "HFValidationError":
            return StorageError(f"{self._uri}: {said}")
        if status is not None and status not in answers.TRANSIENT:
            return StorageError(f"{self._uri}: {self._access.endpoint}: {said}")
        return StorageUnavailable(f"{self._uri}: {self._access.endpoint}: {said}")

    def _hint(self) -> str:
        if self._access.token:
            return "the HF_TOKEN that was sent may not read it, or there is no such repository or revision"
        return "no HF_TOKEN is configured: a private or gated repository needs one"


def _entry(item: Any) -> Entry:
    large = item.lfs
    digest = str(large.sha256) if large is not None else ""
    return Entry(path=item.path, size=item.size, version=digest or item.blob_id, sha256=digest)


def _library() -> ModuleType:
    try:
        import huggingface_hub
        import huggingface_hub.utils
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] != "huggingface_hub":
            raise
        raise MissingExtra(library="huggingface_hub (needed for hf:// models)", extra="hub") from error
    if not hasattr(huggingface_hub, "set_client_factory"):
        # Before 1.0 it spoke through another HTTP client, with other sessions and errors.
        raise MissingExtra(library="huggingface_hub 1.0 or later (needed for hf:// models)", extra="hub")
    return huggingface_hub
