"""Where units outside the worker are, and how they are called there: `host:port`, a URL, or the Unix socket behind
which a gateway knows the way to services of ours."""

from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urlsplit

from fairlead.dataplane.graph.remote import Peer
from fairlead.errors import ConfigError
from fairlead.plan.model import Unit

if TYPE_CHECKING:
    import ssl

SOCKET = "unix:"
"""What the address of a Unix socket starts with."""
_PORTS = {"http": 80, "https": 443}


def peer_at(unit: Unit, address: str, *, limit_bytes: int) -> Peer:
    """Who is at an address, asked below its path. One behind a Unix socket is named by the unit's URL. Raises
    `ConfigError` for an address that is none."""
    if address.startswith(SOCKET):
        named = urlsplit(unit.url)
        return _behind(address, _host(named), base=named.path.rstrip("/"), limit_bytes=limit_bytes)
    host, port, base = split(unit, address)
    return Peer(host, port, base=base, limit_bytes=limit_bytes, tls=_tls(address))


def service_at(unit: Unit, address: str, *, limit_bytes: int) -> Peer:
    """Who is at the host of the unit's URL, or behind the Unix socket at the address; asked at whole paths, and named
    as the URL does. Raises `ConfigError`."""
    named = urlsplit(unit.url)
    if address.startswith(SOCKET):
        return _behind(address, _host(named), base="", limit_bytes=limit_bytes)
    where = f"{named.scheme}://{_host(named)}"
    host, port, _ = split(unit, where)
    return Peer(host, port, limit_bytes=limit_bytes, tls=_tls(where), authority=_host(named))


def split(unit: Unit, address: str) -> tuple[str, int, str]:
    """Host, port and base path of an address. Of a URL the port may be left out."""
    scheme, _, rest = address.rpartition("://")
    where, _, base = rest.partition("/")
    host, colon, port = where.rpartition(":")
    if scheme in _PORTS and (not colon or where.endswith("]")):
        host, port = where, str(_PORTS[scheme])
    if not host or not port.isdigit() or scheme not in ("", *_PORTS):
        raise ConfigError(f"unit {unit.name!r}: {address!r} is no address; expected host:port, http://… or https://…")
    return host.strip("[]"), int(port), f"/{base}".rstrip("/")


def _behind(address: str, authority: str, *, base: str, limit_bytes: int) -> Peer:
    path = address.removeprefix(SOCKET)
    return Peer("", 0, base=base, limit_bytes=limit_bytes, authority=authority, socket=path)


def _host(url: SplitResult) -> str:
    """Host and port as the URL writes them, without the user who may be in front."""
    return url.netloc.rpartition("@")[2]


def _tls(address: str) -> "ssl.SSLContext | None":
    if not address.startswith("https://"):
        return None
    import ssl  # only for those that want it

    return ssl.create_default_context()
