"""The TLS side of every listener of ours: TLS 1.2 at least, and certificates that are followed on disk.

Certificates are renewed while servers run, by programs that know nothing of us. The files are looked at when a client
connects, at most once a second; what changed is loaded whole into a context of its own and used from that handshake
on. Connections that stand are not touched, and a pair that cannot be used changes nothing but the log.
"""

import contextlib
import logging
import ssl
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

from fairlead.dataplane.net.opening import ALPN
from fairlead.errors import ConfigError

log = logging.getLogger(__name__)

_LOOK_EVERY_S = 1.0
_Mark = tuple[tuple[int, int, int], ...]


def server_context(
    certificate: Path | None,
    key: Path | None = None,
    *,
    alpn: Sequence[str] = ALPN,
    clock: Callable[[], float] = time.monotonic,
    named: "NamedCertificates | None" = None,
) -> ssl.SSLContext | None:
    """A context for listeners, `None` without a certificate. The key may be in the certificate's file. Clients that ask
    for a host of `named` are shown that host's certificate. Raises `ConfigError` when the pair cannot be used now."""
    if certificate is None:
        if key is not None:
            raise ConfigError(f"a TLS key ({key}) without a certificate: give both")
        return None
    return _Followed(certificate, key, alpn=alpn, clock=clock, named=named).context


class NamedCertificates:
    """Certificates of host names, each in a file with its key. What cannot be used is one line in the log, and clients
    of those hosts are shown what all others are."""

    def __init__(self, *, alpn: Sequence[str] = ALPN, clock: Callable[[], float] = time.monotonic) -> None:
        self._alpn = alpn
        self._clock = clock
        self._files: dict[str, Path] = {}
        self._followed: dict[Path, _Followed | None] = {}

    def replace(self, files: Mapping[str, Path], *, changed: Collection[Path] = ()) -> None:
        """Use these files for these hosts from now on; `changed` are looked at again."""
        self._files = {host.lower(): path for host, path in files.items()}
        wanted = set(self._files.values())
        self._followed = {path: one for path, one in self._followed.items() if path in wanted and path not in changed}

    def context_for(self, host: str | None) -> ssl.SSLContext | None:
        """The context of a host, `None` when it has none."""
        path = self._files.get((host or "").lower().rstrip("."))
        if path is None:
            return None
        if path not in self._followed:
            try:
                self._followed[path] = _Followed(path, None, alpn=self._alpn, clock=self._clock)
            except ConfigError as error:
                log.error("%s; clients of %s are shown the certificate of all hosts", error, host)
                self._followed[path] = None
        followed = self._followed[path]
        return None if followed is None else followed.latest()


class _Followed:
    """A pair of files and the context made of them last. `context` is what listeners use; every handshake takes the
    latest in its place."""

    def __init__(
        self,
        certificate: Path,
        key: Path | None,
        *,
        alpn: Sequence[str],
        clock: Callable[[], float],
        named: NamedCertificates | None = None,
    ) -> None:
        self._named = named
        self._certificate = certificate
        self._key = key
        self._alpn = list(alpn)
        self._clock = clock
        self._looked = clock()
        self._mark = self._read_mark()
        self._latest = self._load()
        self.context = self._load()
        self.context.sni_callback = self._take_latest

    def latest(self) -> ssl.SSLContext:
        """The context of the files as they are now, or were a moment ago."""
        now = self._clock()
        if now - self._looked >= _LOOK_EVERY_S:
            self._looked = now
            self._follow()
        return self._latest

    def _take_latest(self, connection: ssl.SSLObject, name: str | None, _context: ssl.SSLContext) -> None:
        own = self._named.context_for(name) if self._named is not None else None
        connection.context = self.latest() if own is None else own

    def _follow(self) -> None:
        mark = self._read_mark()
        if mark == self._mark:
            return
        self._mark = mark
        try:
            self._latest = self._load()
        except ConfigError as error:
            log.error("%s; the one before stays in use", error)
            return
        log.info("the TLS certificate %s was loaded again", self._certificate)

    def _read_mark(self) -> _Mark:
        """What tells that a file was changed or replaced; nothing for one that cannot be seen."""
        marks = []
        for path in filter(None, (self._certificate, self._key)):
            try:
                found = path.stat()
            except OSError:
                marks.append((0, 0, 0))
            else:
                marks.append((found.st_ino, found.st_size, found.st_mtime_ns))
        return tuple(marks)

    def _load(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(self._alpn)
        try:
            # A file with a passphrase would ask for it on the terminal, for ever.
            context.load_cert_chain(self._certificate, self._key, password=_refuse_passphrase)
        except (OSError, ssl.SSLError, ValueError) as error:
            names = f"the TLS certificate {self._certificate}"
            names += f" and key {self._key}" if self._key is not None else ""
            raise ConfigError(f"{names} cannot be used: {self._why(error)}") from error
        return context

    def _why(self, error: Exception) -> str:
        """OpenSSL's words, except where they tell nobody anything."""
        if isinstance(error, ssl.SSLError) and error.reason == "KEY_VALUES_MISMATCH":
            return "the key belongs to another certificate"
        for path, mark, what in (
            (self._certificate, b"-----BEGIN CERTIFICATE-----", "certificate"),
            (self._key or self._certificate, b"PRIVATE KEY-----", "private key"),
        ):
            with contextlib.suppress(OSError):
                if mark not in path.read_bytes():
                    return f"there is no PEM {what} in {path}"
        return str(error)


def _refuse_passphrase() -> str:
    raise ValueError("the key has a passphrase; give one without")
