"""Another service as a unit: asked by POST at the whole of its URL, with bytes that nobody here looks into.

Its status is part of its answer. Only when there is none does the call fail, in the words that Go's HTTP client has for
it, because clients of KServe's router know them.
"""

import asyncio
import logging
from time import perf_counter
from urllib.parse import SplitResult, unquote, urljoin, urlsplit

from fairlead.dataplane.graph.asked_unit import AskedUnit
from fairlead.dataplane.graph.contracts import SELDON_PATHS
from fairlead.dataplane.graph.driving import Later
from fairlead.dataplane.graph.outcome import Outcome
from fairlead.dataplane.graph.parcel import Parcel, Stopped, Walk, plain
from fairlead.dataplane.graph.remote import Answer, Peer, PeerFailed
from fairlead.dataplane.metering import Meters
from fairlead.errors import ClientGone, FairleadError
from fairlead.plan.model import Method, Unit
from fairlead.protocols.wire import JSON, Body, GraphFailed

_log = logging.getLogger(__name__)

RETRIES = "retries"
"""The parameter of a unit that says how often it is asked again."""
_PASSING = frozenset((502, 503, 504))
"""Statuses that may be others a moment later."""
_FIRST_PAUSE_S = 0.1
_MOVED = frozenset((307, 308))
_MOST_MOVES = 5
_OWN = frozenset(
    (
        b"host", b"connection", b"content-length", b"content-encoding", b"transfer-encoding", b"keep-alive",
        b"proxy-connection", b"te", b"trailer", b"upgrade", b"expect", b"accept-encoding",
    )
)  # fmt: skip


class ServiceUnit(AskedUnit):
    """A service at an address."""

    def __init__(self, unit: Unit, peer: Peer, meters: Meters, *, timeout_s: float | None, limit_bytes: int) -> None:
        super().__init__(unit)
        url = urlsplit(unit.url)
        self._peer = peer
        self._path = (url.path or "/") + (f"?{url.query}" if url.query else "")
        self._origin = f"{url.scheme}://{url.netloc.rpartition('@')[2]}"
        self._credentials = _credentials(url)
        self._meters = meters
        self._timeout_s = timeout_s
        self._limit_bytes = limit_bytes
        self._retries = next((int(one.value) for one in unit.parameters if one.name == RETRIES), 0)

    async def call(self, method: Method, parcel: Parcel, walk: Walk) -> Outcome:  # noqa: ARG002 - there is one
        """The service's answer, whatever its status, unless it is one to try again for."""
        assert isinstance(parcel, Outcome)  # as the surface of such graphs makes
        headers = self._headers(walk)
        for attempt in range(self._retries):
            try:
                answer = await self._ask(parcel.data, headers, walk)
                if answer.status not in _PASSING:
                    return self._outcome(answer)
            except PeerFailed as error:
                _log.info("%s is asked again: %s", self.unit.name, error)
            await walk.waiting(_pause(_FIRST_PAUSE_S * 2**attempt))
        try:
            return self._outcome(await self._ask(parcel.data, headers, walk))
        except PeerFailed as error:
            _log.error("%s gave no answer: %s", self.unit.name, error)
            raise Stopped(self.unit.name, error) from error

    def close(self) -> None:
        """Drop the connections."""
        self._peer.close()

    def _headers(self, walk: Walk) -> list[tuple[bytes, bytes]]:
        headers = [(name, value) for name, value in walk.headers if name not in _OWN]
        names = {name for name, _ in headers}
        if b"content-type" not in names:
            headers.append((b"content-type", JSON))
        if self._credentials and b"authorization" not in names:
            headers.append((b"authorization", self._credentials))
        return headers

    async def _ask(self, data: bytes, headers: list[tuple[bytes, bytes]], walk: Walk) -> Answer:
        """The answer, where the service says that it is: frameworks send paths with a slash too many elsewhere."""
        path = self._path
        answer = await self._send(path, data, headers, walk)
        for _ in range(_MOST_MOVES):
            moved = self._moved(path, answer)
            if moved is None:
                break
            path = moved
            answer = await self._send(path, data, headers, walk)
        return answer

    def _moved(self, path: str, answer: Answer) -> str | None:
        """The path of this service to which a request moves as it is."""
        if answer.status not in _MOVED:
            return None
        url = urlsplit(urljoin(self._origin + path, answer.headers.get(b"location", b"").decode("latin-1")))
        if f"{url.scheme}://{url.netloc}" != self._origin:
            return None
        return (url.path or "/") + (f"?{url.query}" if url.query else "")

    async def _send(self, path: str, data: bytes, headers: list[tuple[bytes, bytes]], walk: Walk) -> Answer:
        started = perf_counter()
        code = "500"
        try:
            asking = self._peer.call("POST", path, headers, data, timeout_s=self._timeout_s)
            answer = await walk.waiting(asking)
            code = str(answer.status)
        except ClientGone as error:
            code = str(error.http)
            raise
        finally:
            series = self._meters.client(self.unit, SELDON_PATHS[Method.PREDICT], code)
            series.observe(perf_counter() - started)
        return answer

    def _outcome(self, answer: Answer) -> Outcome:
        body = Body(answer.body, answer.headers.get(b"content-type", b""), answer.headers.get(b"content-encoding", b""))
        try:
            body = plain(body, self._limit_bytes)
        except FairleadError as error:
            raise Stopped(self.unit.name, GraphFailed(f"{self._peer.url}: {error}", unit=self.unit.name)) from error
        return Outcome(bytes_=body, status=answer.status, is_answer=True)


def _pause(seconds: float) -> Later[None]:
    over: Later[None] = Later()
    asyncio.get_running_loop().call_later(seconds, over.resolve, None)
    return over


def _credentials(url: SplitResult) -> bytes:
    """What a user and password in a URL become."""
    if url.username is None:
        return b""
    import base64

    pair = f"{unquote(url.username)}:{unquote(url.password or '')}"
    return b"Basic " + base64.b64encode(pair.encode())
