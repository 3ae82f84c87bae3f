"""The cluster's name server: A records of Services, read from the API server as they are asked for.

`python resolver.py STATE HOST PORT TOKEN` answers on HOST, port 53. Plain library code, so that any Python runs it.
"""

import json
import socket
import ssl
import struct
import sys
import threading
import urllib.error
import urllib.request
from typing import Any

ZONE = ".svc.cluster.local"
_TTL_S = 5
_ADDRESS = 1
_FOUND, _NOT_FOUND = 0x8580, 0x8583


class Resolver:
    """Answers from what the API server has at the time."""

    def __init__(self, state: str, host: str, port: str, token: str) -> None:
        self._base, self._token = f"https://{host}:{port}/api/v1/namespaces/", token
        self._tls = ssl.create_default_context(cafile=f"{state}/ca.crt")

    def addresses(self, name: str) -> list[str] | None:
        """Of a name; `None` when there is no such name."""
        service, _, namespace = name.rstrip(".").lower().removesuffix(ZONE).partition(".")
        if not name.rstrip(".").lower().endswith(ZONE) or not namespace or "." in namespace:
            return None
        found = self._get(f"{namespace}/services/{service}")
        if found is None:
            return None
        spec = found["spec"]
        if spec.get("externalName"):
            return self.addresses(spec["externalName"])
        if spec.get("clusterIP", "None") != "None":
            return [spec["clusterIP"]]
        endpoints = self._get(f"{namespace}/endpoints/{service}") or {}
        return [one["ip"] for subset in endpoints.get("subsets") or () for one in subset.get("addresses") or ()]

    def answer(self, query: bytes) -> bytes:
        """The reply to a query with one question."""
        name, end = _question(query)
        (kind,) = struct.unpack(">H", query[end - 4 : end - 2])
        found = self.addresses(name)
        records = found if found and kind == _ADDRESS else []
        head = query[:2] + struct.pack(">HHHHH", _NOT_FOUND if found is None else _FOUND, 1, len(records), 0, 0)
        body = b"".join(b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, _TTL_S, 4) + socket.inet_aton(one) for one in records)
        return head + query[12:end] + body

    def _get(self, path: str) -> Any:
        asked = urllib.request.Request(self._base + path, headers={"Authorization": f"Bearer {self._token}"})  # noqa: S310
        try:
            with urllib.request.urlopen(asked, context=self._tls, timeout=3) as answer:  # noqa: S310
                return json.load(answer)
        except urllib.error.URLError:
            return None


def _question(query: bytes) -> tuple[str, int]:
    """The name asked for, and where the question ends."""
    labels, at = [], 12
    while query[at]:
        labels.append(query[at + 1 : at + 1 + query[at]].decode())
        at += 1 + query[at]
    return ".".join(labels), at + 5


def main() -> None:
    resolver = Resolver(*sys.argv[1:5])
    listening = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    listening.bind((sys.argv[2], 53))

    def reply(query: bytes, client: Any) -> None:
        listening.sendto(resolver.answer(query), client)

    while True:
        query, client = listening.recvfrom(512)
        threading.Thread(target=reply, args=(query, client), daemon=True).start()


if __name__ == "__main__":
    main()
