"""Asking a predictor or explainer elsewhere over HTTP, as KServe's transformers do.

Of the request's headers only those travel that KServe lets through. The call blocks on a thread: a transformer's own
event loop stays free.
"""

import asyncio
import http.client
import json
from typing import Any, NamedTuple

from fairlead.errors import UnitFailed

_FORWARDED = frozenset(("x-request-id", "x-b3-traceid", "authorization"))


class Place(NamedTuple):
    """Where to ask, and how long to wait for an answer. `retries` are for connections that fail."""

    host: str
    use_ssl: bool
    timeout_s: float
    retries: int


async def ask(place: Place, path: str, body: Any, headers: dict[str, str] | None) -> Any:
    """The JSON it answers. Raises `UnitFailed` with its words when it refuses or cannot be reached."""
    return await asyncio.to_thread(_ask, place, path, json.dumps(body).encode(), headers or {})


def _ask(place: Place, path: str, body: bytes, headers: dict[str, str]) -> Any:
    sent = {name: value for name, value in headers.items() if name.lower() in _FORWARDED}
    sent["Content-Type"] = "application/json"
    for attempt in range(place.retries + 1):
        try:
            status, reason, answer = _post(place, path, body, sent)
            break
        except (OSError, http.client.HTTPException) as error:
            if attempt == place.retries:
                words = "All connection attempts failed" if isinstance(error, OSError) else str(error)
                raise UnitFailed(f"ConnectError : {words} ({place.host}: {error})") from error
    try:
        value = json.loads(answer)
    except ValueError:
        value = None
    if status != 200:
        told = value.get("error") if isinstance(value, dict) else None
        url = f"{'https' if place.use_ssl else 'http'}://{place.host}{path}"
        raise UnitFailed(f"HTTPStatusError : {told or reason}, '{status} {reason}' for url '{url}'")
    if value is None:
        raise UnitFailed(f"{place.host}{path} answered what is not JSON")
    return value


def _post(place: Place, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, str, bytes]:
    kind = http.client.HTTPSConnection if place.use_ssl else http.client.HTTPConnection
    connection = kind(place.host, timeout=place.timeout_s)
    try:
        connection.request("POST", path, body, headers)
        answer = connection.getresponse()
        return answer.status, answer.reason, answer.read()
    finally:
        connection.close()
