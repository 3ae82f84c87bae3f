"""The part of the OCI distribution API that a reader needs: manifests, blobs, and the ways registries ask who we are.

Every answer is held against its digest by whoever asks for it. A login goes to the registry and to the token service
that the registry names over the same or better protection; blobs that lie elsewhere are fetched without it.
"""

import base64
import hashlib
import http.client
import json
import re
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fairlead.errors import StorageError
from fairlead.storage.asking import Client, Refused
from fairlead.storage.oci.logins import Login
from fairlead.storage.oci.reference import Reference

_MOST_MANIFEST_BYTES = 4 * 1024 * 1024
_MOST_TOKEN_BYTES = 1024 * 1024
_CHALLENGE = re.compile(r'([a-z_]+)="([^"]*)"', re.IGNORECASE)
MANIFESTS = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
INDEXES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)


@dataclass(slots=True, kw_only=True)
class Registry:
    """One repository of one registry."""

    reference: Reference
    client: Client
    login: Login = field(repr=False)
    is_plain: bool
    _authorization: str = field(default="", repr=False)

    def manifest(self, version: str) -> tuple[Any, str]:
        """A manifest or index, decoded, and its digest. Raises StorageError when it is not what its digest says."""
        url = f"{self._base}/manifests/{version}"
        accept = ", ".join((*MANIFESTS, *INDEXES))
        with self._ask(url, {"Accept": accept}) as response:
            try:
                body = response.read(_MOST_MANIFEST_BYTES + 1)
            except Exception as error:
                raise self.client.translated(error) from error
        if len(body) > _MOST_MANIFEST_BYTES:
            raise StorageError(f"{self.client.name}: the manifest is larger than {_MOST_MANIFEST_BYTES} bytes")
        digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
        if ":" in version and digest != version:
            raise StorageError(f"{self.client.name}: the manifest is damaged: its digest is {digest}, not {version}")
        try:
            return json.loads(body), digest
        except ValueError as error:
            raise StorageError(f"{self.client.name}: the registry's manifest is not JSON") from error

    def digest(self, version: str) -> str:
        """What a tag names now; empty when there is no such tag or repository. Nothing is downloaded."""
        accept = ", ".join((*MANIFESTS, *INDEXES))
        try:
            with self._ask(f"{self._base}/manifests/{version}", {"Accept": accept}, method="HEAD") as response:
                return response.headers.get("Docker-Content-Digest") or version
        except StorageError as error:
            if isinstance(error.__cause__, Refused) and error.__cause__.status == http.HTTPStatus.NOT_FOUND:
                return ""
            raise

    def blob(self, digest: str, offset: int) -> http.client.HTTPResponse:
        """The bytes of a blob, from an offset if the registry can."""
        headers = {"Range": f"bytes={offset}-"} if offset else {}
        return self._ask(f"{self._base}/blobs/{digest}", headers)

    @property
    def _base(self) -> str:
        return f"{'http' if self.is_plain else 'https'}://{self.reference.host}/v2/{self.reference.repository}"

    def _ask(self, url: str, headers: Mapping[str, str], method: str = "GET") -> http.client.HTTPResponse:
        try:
            return self._once(url, headers, method)
        except Refused as error:
            if error.status != http.HTTPStatus.UNAUTHORIZED:
                raise self._explained(error) from error
            challenges = error.headers.get_all("WWW-Authenticate") or []
            self._authorization = self._authorize(challenges, error)
        try:
            return self._once(url, headers, method)
        except Refused as error:
            raise self._explained(error) from error

    def _once(self, url: str, headers: Mapping[str, str], method: str) -> http.client.HTTPResponse:
        credentials = {"Authorization": self._authorization} if self._authorization else {}
        return self.client.ask(url, headers=headers, credentials=credentials, method=method)

    def _authorize(self, challenges: list[str], refusal: Refused) -> str:
        """What to say to a registry that asks. Raises when there is nothing to say."""
        for challenge in challenges:
            scheme, _, rest = challenge.partition(" ")
            if scheme.lower() == "bearer":
                return f"Bearer {self._token(dict(_CHALLENGE.findall(rest)))}"
        if any(challenge.lower().startswith("basic") for challenge in challenges):
            if self.login.basic and self._authorization != self.login.basic:
                return self.login.basic
            raise self._explained(refusal)
        raise self._explained(refusal)

    def _token(self, asked: Mapping[str, str]) -> str:
        """A token from the service the registry names. Raises StorageError when there is none to be had."""
        realm = asked.get("realm", "")
        scheme = urllib.parse.urlsplit(realm).scheme.lower()
        if scheme not in ("http", "https") or (scheme == "http" and not self.is_plain):
            raise StorageError(f"{self.client.name}: refused: the registry's token service {realm!r} is not https")
        scope = asked.get("scope") or f"repository:{self.reference.repository}:pull"
        query = {"scope": scope} | ({"service": asked["service"]} if asked.get("service") else {})
        url = f"{realm}{'&' if '?' in realm else '?'}{urllib.parse.urlencode(query)}"
        basic = self._basic()
        try:
            body, _ = self.client.text(
                url, limit_bytes=_MOST_TOKEN_BYTES, credentials={"Authorization": basic} if basic else {}
            )
        except Refused as error:
            raise self._explained(error) from error
        try:
            answer = json.loads(body)
        except ValueError:
            answer = None
        token = (answer.get("token") or answer.get("access_token")) if isinstance(answer, dict) else None
        if not isinstance(token, str) or re.search(r"[\x00-\x20\x7f]", token):
            raise StorageError(f"{self.client.name}: the registry's token service gave no token")
        return token

    def _basic(self) -> str:
        """A refresh token is given as the password of a user that has none, where the service takes GET."""
        if self.login.refresh_token:
            text = f"{self.login.user or '<token>'}:{self.login.refresh_token}"
            return "Basic " + base64.b64encode(text.encode()).decode()
        return self.login.basic

    def _explained(self, error: Refused) -> StorageError:
        if error.status not in (401, 403, 404):
            return error
        if self.login.user or self.login.refresh_token:
            hint = f"asked as {self.login.user or 'the holder of a token'}"
        else:
            hint = "asked without a login: no Secret of type kubernetes.io/dockerconfigjson names this registry"
        return StorageError(f"{error} ({hint})")
