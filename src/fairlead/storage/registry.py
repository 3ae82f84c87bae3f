"""Models and bentos of a registry that speaks Yatai's protocol: ours, or one that stands elsewhere.

A version is one archive. Ours tells its digest, so what arrives is verified and a copy that is here is not asked for
again; of another registry's, the time when its upload ended tells one content from the next.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http.client import HTTPResponse
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from fairlead.errors import StorageError, StorageUnavailable
from fairlead.storage.asking import Allow, Client, Refused, Trust, starts_at
from fairlead.storage.clouds.layer import Timeouts, first
from fairlead.storage.source import Entry, Packing, Restart, checked
from fairlead.storage.uris import RegistryUri

URL, TOKEN = "FAIRLEAD_REGISTRY_URL", "FAIRLEAD_REGISTRY_TOKEN"
VARIABLES = (URL, TOKEN)
_CHUNK_BYTES = 1024 * 1024
_MOST_ANSWER_BYTES = 64 * 1024**2
"""A version's description holds its manifest, which may hold the text of a lock file."""
_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_UNFINISHED = ("pending", "uploading")


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryAccess:
    """Which registry, and who asks."""

    url: str
    token: str = field(default="", repr=False)
    is_here: bool = False
    """It is the installation's own, on this machine: the bytes go no further, whatever name its certificate is for."""


def read(env: Mapping[str, str], defaults: Mapping[str, str]) -> RegistryAccess:
    """The registry these variables name: a Secret's if it speaks of one, else the installation's own, whose token never
    goes to an address that a Secret chose. Raises StorageError when there is none."""
    is_mine = any(env.get(name, "").strip() for name in VARIABLES)
    mine = env if is_mine else defaults
    url = first(mine, URL).rstrip("/")
    if not url:
        raise StorageError(f"no registry is known here; {URL} says where it answers, and {TOKEN} who asks")
    if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname:
        raise StorageError(f"{URL} must be a URL such as http://127.0.0.1:8090")
    is_here = not is_mine and urlsplit(url).hostname in _LOOPBACK
    return RegistryAccess(url=url, token=first(mine, TOKEN), is_here=is_here)


class RegistrySource:
    """One version of one model or bento, as the archive that was pushed."""

    def __init__(
        self,
        uri: RegistryUri,
        access: RegistryAccess,
        *,
        timeouts: Timeouts,
        secrets: tuple[str, ...],
        allow: Allow,
        trust: Trust,
    ) -> None:
        self.name = str(uri)
        caller = hashlib.sha256(access.token.encode()).hexdigest()
        self.identity = f"{access.url} {self.name} {caller}"
        self._uri = uri
        self._access = access
        trusted = Trust(verify=False) if access.is_here else trust
        self._client = Client(
            name=self.name, timeouts=timeouts, allow=allow, secrets=(*secrets, access.token), trust=trusted
        )
        self._version = ""

    def entries(self) -> Sequence[Entry]:
        """The archive of the version that the tag names now."""
        found = self._described(self._uri.tag or self._newest())
        self._version = str(found["version"])
        digest = str(found.get("digest") or "")
        size = found.get("archive_bytes")
        entry = Entry(
            path="content.tar",
            size=size if isinstance(size, int) and size > 0 else None,
            version=digest or f"{self._version} {found.get('upload_finished_at') or ''}",
            sha256=digest.removeprefix("sha256:"),
            packing=Packing.ARCHIVE,
        )
        return checked(self.name, [entry])

    def read(self, entry: Entry, offset: int) -> Iterator[bytes]:  # noqa: ARG002 - there is one file
        """The archive's bytes from `offset`."""
        response = self._download(offset)
        try:
            while chunk := response.read1(_CHUNK_BYTES):
                yield chunk
        except Exception as error:
            raise self._client.translated(error) from error
        finally:
            response.close()

    def clone(self, entry: Entry, target: Path) -> bool:  # noqa: ARG002 - the protocol's signature
        """A registry's bytes always come by the network."""
        return False

    def close(self) -> None:
        """Nothing stays open."""

    def _newest(self) -> str:
        """The version that `latest` means: lists begin with the newest."""
        answer = self._json(f"{self._place}?start=0&count=10")
        for item in answer.get("items") or ():
            if item.get("upload_status") == "success":
                return str(item["version"])
        raise StorageError(f"{self.name}: the registry has no complete version of it")

    def _described(self, version: str) -> Mapping[str, Any]:
        answer = self._json(f"{self._place}/{quote(version, safe='')}")
        state = answer.get("upload_status")
        if state in _UNFINISHED:
            raise StorageUnavailable(f"{self.name}: it is being pushed and not complete yet")
        if state != "success":
            why = answer.get("upload_finished_reason") or "no reason was given"
            raise StorageError(f"{self.name}: its upload failed: {why}; push it again")
        if not isinstance(answer.get("version"), str):
            raise StorageError(f"{self.name}: the registry's answer does not describe a version")
        return answer

    @property
    def _place(self) -> str:
        kind = "bento" if self._uri.is_bento else "model"
        return f"{self._access.url}/api/v1/{kind}_repositories/{quote(self._uri.name)}/{kind}s"

    @property
    def _credentials(self) -> dict[str, str]:
        return {"X-YATAI-API-TOKEN": self._access.token} if self._access.token else {}

    def _json(self, url: str) -> Mapping[str, Any]:
        try:
            body, _ = self._client.text(url, limit_bytes=_MOST_ANSWER_BYTES, credentials=self._credentials)
            answer = json.loads(body)
        except Refused as error:
            # Yatai before June 2023 says 400 for what is not there.
            if error.status == 404 or "record not found" in str(error):
                raise StorageError(f"{self.name}: the registry at {self._access.url} has no such version") from error
            raise
        except ValueError as error:
            raise StorageError(f"{self.name}: {self._access.url} does not answer as a registry does") from error
        if not isinstance(answer, dict):
            raise StorageError(f"{self.name}: {self._access.url} does not answer as a registry does")
        return answer

    def _download(self, offset: int) -> HTTPResponse:
        headers = {"Range": f"bytes={offset}-"} if offset else {}
        url = f"{self._place}/{quote(self._version, safe='')}/download"
        response = self._client.ask(url, headers=headers, credentials=self._credentials)
        if offset and not starts_at(response, offset):
            response.close()
            raise Restart(f"{self.name}: the registry sends the archive from its beginning only")
        return response
