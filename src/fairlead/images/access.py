"""How registries are reached: who we are there, whose certificates are believed, and which ones speak without TLS.

Logins are those of a Docker configuration. Programs that such a file names to keep them (`credHelpers`, `credsStore`)
are not run here; a message says so where that is why a registry refuses.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fairlead.errors import ConfigError
from fairlead.storage.oci.logins import VARIABLE, Login, login_for
from fairlead.storage.oci.reference import Reference

_FILE = "config.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """`config` is the text of a Docker configuration. `insecure` are hosts that speak HTTP, besides this machine's own;
    `ca_pem` is believed besides the system's authorities. `home` is a folder of Docker's client (its plugins, contexts
    and builders) that goes on being used with this configuration."""

    config: str = field(default="", repr=False)
    insecure: frozenset[str] = frozenset()
    ca_pem: str = ""
    home: Path | None = None

    def login(self, reference: Reference) -> Login:
        """Who we are to a registry."""
        return login_for(reference, self.config)

    def is_plain(self, reference: Reference) -> bool:
        """Whether it is asked without TLS."""
        return reference.host in self.insecure or (reference.is_loopback and not self.ca_pem)

    @property
    def logins(self) -> str:
        """The configuration with nothing but its logins, for builders."""
        return json.dumps({"auths": _table(self.config).get("auths") or {}})

    def helper(self, reference: Reference) -> str:
        """The program that keeps the login of a registry, when the configuration names one and holds no login."""
        if self.login(reference) != Login():
            return ""
        config = _table(self.config)
        helpers = config.get("credHelpers")
        named = helpers.get(reference.host) if isinstance(helpers, dict) else None
        kept = named or config.get("credsStore")
        return f"docker-credential-{kept}" if isinstance(kept, str) and kept else ""


def access_of(
    environ: Mapping[str, str], *, insecure: frozenset[str] = frozenset(), ca_file: Path | None = None
) -> Access:
    """The access of whoever runs this: `DOCKER_AUTH_CONFIG`, else the file of Docker's or Podman's client."""
    folder = Path(environ.get("DOCKER_CONFIG") or Path(environ.get("HOME") or "/", ".docker"))
    config = environ.get(VARIABLE, "")
    if not config:
        places = (Path(environ.get("REGISTRY_AUTH_FILE") or folder / _FILE), _podmans(environ))
        config = next((_read(path) for path in places if path.is_file()), "")
    ca_pem = _read(ca_file) if ca_file else ""
    return Access(config=config, insecure=insecure, ca_pem=ca_pem, home=folder if folder.is_dir() else None)


def _podmans(environ: Mapping[str, str]) -> Path:
    return Path(environ.get("XDG_RUNTIME_DIR") or "/run/containers/0", "containers", "auth.json")


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from error


def _table(config: str) -> Mapping[str, Any]:
    try:
        read = json.loads(config) if config.strip() else {}
    except ValueError:
        raise ConfigError("the Docker configuration is not JSON") from None
    return read if isinstance(read, dict) else {}
