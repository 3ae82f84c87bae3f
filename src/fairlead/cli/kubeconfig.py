"""Reads the part of a kubeconfig that says where the API is and who we are.

The same file format serves a laptop (`up` writes one in its home) and a cluster. Certificates, tokens and basic
settings are understood; an `exec` or `auth-provider` plugin is refused by name, because running a program that a
file names is the owner's decision, and kubectl can turn it into a token.
"""

import base64
import binascii
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fairlead.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One API server and our identity there. Certificates and keys are PEM bytes."""

    server: str
    namespace: str = "default"
    token: str = field(default="", repr=False)
    ca: bytes = b""
    client_certificate: bytes = b""
    client_key: bytes = field(default=b"", repr=False)
    is_insecure: bool = False
    tls_name: str = ""


def read(path: Path, *, context: str = "") -> Target:
    """The target of one context (the file's current one when `context` is empty). Raises `ConfigError`."""
    document = _parse(path)
    name = context or str(document.get("current-context") or "")
    if not name:
        raise ConfigError(f"{path}: no current-context; choose one with --context: {_names(document, 'contexts')}")
    chosen = _entry(document, path, "contexts", "context", name)
    cluster = _entry(document, path, "clusters", "cluster", str(chosen.get("cluster", "")))
    user_name = str(chosen.get("user") or "")
    user = _entry(document, path, "users", "user", user_name) if user_name else {}
    _refuse_plugins(path, user_name, user)
    server = str(cluster.get("server") or "")
    if not server.startswith(("http://", "https://")):
        raise ConfigError(f"{path}: cluster {chosen.get('cluster')!r} has no http(s) server address")
    folder = path.resolve().parent
    return Target(
        server=server.rstrip("/"),
        namespace=str(chosen.get("namespace") or "default"),
        token=_token(user, folder),
        ca=_pem(cluster, "certificate-authority", folder),
        client_certificate=_pem(user, "client-certificate", folder),
        client_key=_pem(user, "client-key", folder),
        is_insecure=bool(cluster.get("insecure-skip-tls-verify")),
        tls_name=str(cluster.get("tls-server-name") or ""),
    )


def _parse(path: Path) -> dict[str, Any]:
    import yaml  # 40 ms, which commands that talk to no server (`up`, `serve`) do not spend

    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file") from None
    except (OSError, ValueError, yaml.YAMLError) as problem:
        raise ConfigError(f"{path}: cannot be read as a kubeconfig: {problem}") from problem
    if not isinstance(document, dict):
        raise ConfigError(f"{path}: not a kubeconfig")
    return document


def _entry(document: dict[str, Any], path: Path, plural: str, key: str, name: str) -> dict[str, Any]:
    for entry in document.get(plural) or []:
        if isinstance(entry, dict) and entry.get("name") == name:
            return dict(entry.get(key) or {})
    raise ConfigError(f"{path}: no {key} named {name!r}; it has: {_names(document, plural)}")


def _names(document: dict[str, Any], plural: str) -> str:
    names = [str(entry.get("name")) for entry in document.get(plural) or [] if isinstance(entry, dict)]
    return ", ".join(sorted(names)) or "none"


def _refuse_plugins(path: Path, name: str, user: dict[str, Any]) -> None:
    for plugin in ("exec", "auth-provider"):
        if plugin in user:
            raise ConfigError(
                f"{path}: user {name!r} signs in with an {plugin} plugin, which fairlead does not run; "
                "put a token there (`kubectl create token …`) or use a context with one"
            )


def _token(user: dict[str, Any], folder: Path) -> str:
    if token := user.get("token"):
        return str(token)
    if file := user.get("tokenFile"):
        return _read_bytes(folder / str(file)).decode().strip()
    return ""


def _pem(entry: dict[str, Any], key: str, folder: Path) -> bytes:
    if inline := entry.get(f"{key}-data"):
        try:
            return base64.b64decode(str(inline), validate=True)
        except binascii.Error as problem:
            raise ConfigError(f"{key}-data in the kubeconfig is not base64") from problem
    if file := entry.get(key):
        return _read_bytes(folder / str(file))
    return b""


def _read_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as problem:
        raise ConfigError(f"{path}: named by the kubeconfig, cannot be read: {problem.strerror}") from problem
