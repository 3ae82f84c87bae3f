"""Where a pod takes requests: one port for HTTP/1.1, one for gRPC, or one for both.

A pod says it by its ports as it does to Knative: a name with `grpc` or `h2c` in it means HTTP/2 without TLS, any other
HTTP/1.1, and without ports it is 8080. Calls go to the port that speaks HTTP/2, or else to the only one there is.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Json = Mapping[str, Any]
_DEFAULT_PORT = 8080
_APART = " "


@dataclass(frozen=True, slots=True, kw_only=True)
class PodAddress:
    """`http` and `calls` are ports, 0 for none."""

    host: str
    http: int
    calls: int

    def __str__(self) -> str:
        return _APART.join((self.host, str(self.http), str(self.calls)))

    @classmethod
    def of(cls, text: str) -> "PodAddress":
        """The opposite of `str`."""
        host, http, calls = text.split(_APART)
        return cls(host=host, http=int(http), calls=int(calls))


def address_of(pod: Json) -> PodAddress | None:
    """Where a pod takes requests; `None` while it has no address."""
    host = str((pod.get("status") or {}).get("podIP") or "")
    if not host:
        return None
    plain, calls = 0, 0
    for name, number in _ports(pod):
        if "grpc" in name or "h2c" in name:
            calls = calls or number
        else:
            plain = plain or number
    if not plain and not calls:
        plain = _DEFAULT_PORT
    return PodAddress(host=host, http=plain, calls=calls)


def _ports(pod: Json) -> Iterator[tuple[str, int]]:
    for container in (pod.get("spec") or {}).get("containers") or ():
        for port in container.get("ports") or ():
            if (port.get("protocol") or "TCP") == "TCP" and "metrics" not in (port.get("name") or ""):
                yield str(port.get("name") or ""), int(port["containerPort"])
