"""Who we are to a registry: the `auths` of a Docker configuration, from a Secret or from the owner's own file.

Programs that such a file names (`credHelpers`, `credsStore`) are not run.
"""

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fairlead.errors import StorageError
from fairlead.storage.oci.reference import Reference

VARIABLE = "DOCKER_AUTH_CONFIG"
"""Holds the text of a Docker `config.json`; a Secret of type kubernetes.io/dockerconfigjson becomes this."""
_DOCKER_KEYS = ("https://index.docker.io/v1/", "index.docker.io", "docker.io", "registry-1.docker.io")


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """A user of a registry: with a password, or with a refresh token. Nobody when all is empty."""

    user: str = ""
    password: str = field(default="", repr=False)
    refresh_token: str = field(default="", repr=False)

    @property
    def basic(self) -> str:
        """The Authorization header of this user; empty for nobody."""
        if not self.user and not self.password:
            return ""
        return "Basic " + base64.b64encode(f"{self.user}:{self.password}".encode()).decode()

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must not be shown."""
        return tuple(text for text in (self.password, self.refresh_token, self.basic.removeprefix("Basic ")) if text)


def login_for(reference: Reference, config: str) -> Login:
    """The login of a registry in a Docker configuration: the one for the longest prefix of the repository's name."""
    auths = _auths(config)
    names = _DOCKER_KEYS if reference.host in _DOCKER_KEYS else (reference.host,)
    path = f"{reference.host}/{reference.repository}"
    found: dict[str, Any] = {}
    longest = -1
    for key, entry in auths.items():
        plain = key.removeprefix("https://").removeprefix("http://").rstrip("/")
        plain = plain.removesuffix("/v1").removesuffix("/v2")
        if (key in names or plain in names or path == plain or path.startswith(f"{plain}/")) and len(plain) > longest:
            found, longest = entry, len(plain)
    return _login(found)


def merged(configs: list[str]) -> str:
    """One configuration that knows the logins of all of them; the later wins."""
    auths: dict[str, Any] = {}
    for config in configs:
        auths |= _auths(config)
    return json.dumps({"auths": auths}) if auths else ""


def _auths(config: str) -> Mapping[str, Any]:
    if not config.strip():
        return {}
    try:
        read = json.loads(config)
    except ValueError:
        raise StorageError(f"{VARIABLE} is not JSON; it must hold the text of a Docker config.json") from None
    auths = read.get("auths", {}) if isinstance(read, dict) else None
    if not isinstance(auths, dict):
        raise StorageError(f'{VARIABLE} must hold an object such as {{"auths": {{"registry": {{"auth": "…"}}}}}}')
    return {str(key): entry for key, entry in auths.items() if isinstance(entry, dict)}


def _login(entry: Mapping[str, Any]) -> Login:
    user, password = str(entry.get("username", "")), str(entry.get("password", ""))
    if not user and entry.get("auth"):
        try:
            decoded = base64.b64decode(str(entry["auth"]), validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            raise StorageError(f"{VARIABLE}: an 'auth' is not base64 of user:password") from None
        user, _, password = decoded.partition(":")
    token = str(entry.get("identitytoken", ""))
    return Login(user=user, password=password.rstrip("\0"), refresh_token=token)
