"""Names of images as people write them: `registry/repository:tag@digest`, with Docker's short forms."""

import re
from dataclasses import dataclass

from fairlead.errors import StorageError

_PATH = re.compile(r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_HOST = re.compile(r"([A-Za-z0-9.-]+|\[[0-9a-fA-F:]+\])(:\d{1,5})?")
_DOCKER = "registry-1.docker.io"
_DOCKER_NAMES = frozenset({"docker.io", "index.docker.io", "registry-1.docker.io"})
_LOOPBACK = re.compile(r"(localhost|127(\.\d+){3}|\[::1\])(:\d+)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """`host` is where the registry answers. `version` is a tag or a digest."""

    host: str
    repository: str
    version: str

    @property
    def is_digest(self) -> bool:
        """Whether the version names exactly one content."""
        return ":" in self.version

    @property
    def is_loopback(self) -> bool:
        """Whether the registry is on this machine."""
        return bool(_LOOPBACK.fullmatch(self.host))

    def __str__(self) -> str:
        return f"{self.host}/{self.repository}{'@' if self.is_digest else ':'}{self.version}"


def parse(written: str) -> Reference:
    """Read a reference. Raises StorageError saying which part is wrong."""
    name, at, digest = written.partition("@")
    if at and not _DIGEST.fullmatch(digest):
        raise StorageError(f"oci://{written}: {digest!r} is not a digest: sha256: and 64 hexadecimal digits")
    first, slash, rest = name.partition("/")
    has_host = bool(slash) and ("." in first or ":" in first or first == "localhost")
    host, path = (first, rest) if has_host else ("docker.io", name)
    path, colon, tag = path.partition(":")
    if colon and not _TAG.fullmatch(tag):
        raise StorageError(f"oci://{written}: {tag!r} is not a tag")
    if host in _DOCKER_NAMES:
        host, path = _DOCKER, path if "/" in path else f"library/{path}"
    if not _HOST.fullmatch(host):
        raise StorageError(f"oci://{written}: {host!r} is not a registry's host")
    if not _PATH.fullmatch(path):
        raise StorageError(f"oci://{written}: {path!r} is not a repository's name; names are in lower case")
    return Reference(host=host, repository=path, version=digest or tag or "latest")
