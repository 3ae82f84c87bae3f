"""The machine's own address, for host names that lead to it from wherever it can be reached."""

import socket

LOOPBACK = "127.0.0.1"
# Never asked: a datagram socket that is connected sends nothing, and has the address that a packet would go out by.
# RFC 5737 and RFC 3849 keep both for documentation.
_ELSEWHERE = ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1"))


def address_of(host: str) -> str:
    """The address behind what a gateway listens on. One that listens on all is reached at the machine's main one."""
    if host in ("0.0.0.0", "::", ""):  # noqa: S104 - compared, not listened on
        return _outward()
    if host == "localhost":
        return LOOPBACK
    return host


def _outward() -> str:
    for family, address in _ELSEWHERE:
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as probe:
                probe.connect((address, 9))
                return str(probe.getsockname()[0])
        except OSError:
            continue
    return LOOPBACK
