"""Which environment speaks for a store: the Secret's, or the installation's own.

The installation's credentials are used when the Secret says nothing about that kind of store, and are never sent to an
endpoint that a Secret chose: whoever may write a Secret must not be able to collect the owner's credentials.
"""

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from fairlead.errors import ConfigError, StorageError
from fairlead.storage.remotes import Remote, truth

if TYPE_CHECKING:
    from obstore.store import ClientConfig, RetryConfig

CA_PEM = "CA_BUNDLE_PEM"
"""The text of a bundle of authorities that every store but a hub is believed with, besides the system's."""
ReadFile = Callable[[Path], str]
"""Reads a small file that a variable names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """How long one request may take to connect and to send the next bytes."""

    connect_s: float
    read_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """The variables that configure one store. `is_owners` says that they are the installation's own; `owners` are
    those, for a Secret that asks for ambient credentials (rclone's ENV_AUTH)."""

    remote: Remote
    env: Mapping[str, str] = field(repr=False)
    owners: Mapping[str, str] = field(repr=False)
    is_owners: bool
    read_file: ReadFile = field(repr=False)

    def first(self, *names: str) -> str:
        """The first of these variables that is set."""
        return first(self.env, *names)

    def option(self, option: str, *names: str) -> str:
        """The remote's option, else the first of these variables."""
        return self.remote.text(option) or self.first(*names)

    def file(self, variable: str, path: str) -> str:
        """The text of a file that `variable` names. Raises StorageError without showing any of it."""
        try:
            return self.read_file(Path(path)) if not self.is_owners else Path(path).read_text()
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "not text"
            raise StorageError(f"{variable}: cannot read {path}: {why}") from None

    def need(self, option: str, value: str, because: str) -> str:
        """The value, or an error that names the variable to set."""
        if not value:
            raise StorageError(f"{self.remote.variable(option)} is missing: {because}")
        return value

    def flag(self, *names: str, default: bool) -> bool:
        """The first of these boolean variables that is set."""
        for name in names:
            if self.env.get(name, "").strip():
                return truth(name, self.env[name])
        return default


def first(env: Mapping[str, str], *names: str) -> str:
    """The first of these variables that is set, without blanks around it."""
    return next((value for name in names if (value := env.get(name, "").strip())), "")


def with_scheme(endpoint: str, *, secure: bool = True) -> str:
    """An endpoint as a URL; rclone and annotations leave the scheme out."""
    url = endpoint if "://" in endpoint else f"{'https' if secure else 'http'}://{endpoint}"
    return url.rstrip("/")


def client_options(endpoint: str, timeouts: Timeouts, *, verify_tls: bool = True, ca_pem: str = "") -> "ClientConfig":
    """obstore's client for this endpoint. The whole request may take a day: large files are not errors."""
    options: ClientConfig = {
        "allow_http": endpoint.startswith("http://"),
        "connect_timeout": timedelta(seconds=timeouts.connect_s),
        "read_timeout": timedelta(seconds=timeouts.read_s),
        "timeout": timedelta(days=1),
        "user_agent": "fairlead",
    }
    if not verify_tls:
        options["allow_invalid_certificates"] = True
    if ca_pem:
        options["root_certificate"] = ca_pem
    return options


def retries() -> "RetryConfig":
    """None inside obstore: `transfer.patiently` does it, sees every failure, and can be stopped."""
    return {"max_retries": 0}


def refuse_process_variables(names: Iterable[str], kind: str) -> None:
    """obstore reads these from the process and would send them instead of the credential that was chosen."""
    for name in names:
        if name in os.environ:
            raise ConfigError(f"{name} in Fairlead's own environment overrides every {kind} credential; unset it")
