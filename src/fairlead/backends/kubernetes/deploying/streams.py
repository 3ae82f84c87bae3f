"""What an API server tells for as long as somebody listens: the log of a pod, and that objects have changed.

However many wait for the same kind in the same namespace, one watch is open for them, and only while somebody does.
What changed is not looked at: who waits reads anew.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Collection, Iterator, Mapping
from contextlib import aclosing, contextmanager
from dataclasses import dataclass, field

import httpx2

from fairlead.backends.kubernetes.operator.api import Api, refusal
from fairlead.backends.kubernetes.operator.resources import ResourceType
from fairlead.errors import FairleadError, Retryable

_log = logging.getLogger(__name__)

_CONNECT_S = 10.0
_WATCH_S = 300
# A server that ends watches does so by itself; one that is silent for longer is no longer there.
_SILENCE_S = _WATCH_S + 30.0
_PAUSE_S = 1.0
_LONGEST_PAUSE_S = 30.0

Where = tuple[ResourceType, str]
"""A kind, in one namespace, or in all when that is empty."""


@dataclass(frozen=True, slots=True)
class Streams:
    """Answers that come a line at a time. Raises errors of ours."""

    client: httpx2.AsyncClient

    async def open(self, path: str, params: Mapping[str, str], *, silence_s: float | None) -> httpx2.Response:
        """An answer whose lines are still to come."""
        timeout = httpx2.Timeout(_CONNECT_S, read=silence_s)
        request = self.client.build_request("GET", path, params=params, timeout=timeout)
        try:
            answer = await self.client.send(request, stream=True)
            if answer.status_code < 300:
                return answer
            content = await answer.aread()
        except httpx2.HTTPError as error:
            raise _away(error) from error
        await answer.aclose()
        raise refusal(answer.status_code, content)


async def lines(answer: httpx2.Response) -> AsyncGenerator[bytes, None]:
    """Its lines, each with its end of line."""
    rest = b""
    try:
        async for chunk in answer.aiter_bytes():
            *whole, rest = (rest + chunk).split(b"\n")
            for line in whole:
                yield line + b"\n"
        if rest:
            yield rest + b"\n"
    except httpx2.HTTPError as error:
        raise _away(error) from error
    finally:
        await answer.aclose()


def _away(error: httpx2.HTTPError) -> Retryable:
    return Retryable(f"the API server does not answer: {str(error) or type(error).__name__}")


@dataclass(slots=True)
class _Watch:
    task: asyncio.Task[None]
    waiting: list[asyncio.Event]


@dataclass(slots=True)
class Watches:
    """`api` lists, `streams` follow."""

    api: Api
    streams: Streams
    pause_s: float = _PAUSE_S
    """Between a watch that ended and the next; more when it failed."""
    _open: dict[Where, _Watch] = field(default_factory=dict)

    @contextmanager
    def told(self, wheres: Collection[Where], happened: asyncio.Event) -> Iterator[None]:
        """Set the event whenever objects there may have changed, until the block ends."""
        for where in wheres:
            self._join(where, happened)
        try:
            yield
        finally:
            for where in wheres:
                self._leave(where, happened)

    def _join(self, where: Where, happened: asyncio.Event) -> None:
        found = self._open.get(where)
        if found is None:
            found = _Watch(task=asyncio.create_task(self._follow(where)), waiting=[])
            self._open[where] = found
        found.waiting.append(happened)

    def _leave(self, where: Where, happened: asyncio.Event) -> None:
        found = self._open[where]
        found.waiting.remove(happened)
        if not found.waiting:
            del self._open[where]
            found.task.cancel()

    async def _follow(self, where: Where) -> None:
        """One watch after the other. Between two of them anything may have happened."""
        pause_s = self.pause_s
        while True:
            try:
                await self._watch(where)
                pause_s = self.pause_s
            except FairleadError as error:
                pause_s = min(_LONGEST_PAUSE_S, pause_s * 2)
                _log.warning("%s cannot be followed, tried again in %g s: %s", where[0].plural, pause_s, error)
            await asyncio.sleep(pause_s)

    async def _watch(self, where: Where) -> None:
        kind, namespace = where
        version = await self.api.version(kind, namespace)
        self._tell(where)
        params = {"watch": "true", "resourceVersion": version, "timeoutSeconds": str(_WATCH_S)}
        answer = await self.streams.open(kind.path(namespace), params, silence_s=_SILENCE_S)
        async with aclosing(lines(answer)) as events:
            async for _ in events:
                self._tell(where)

    def _tell(self, where: Where) -> None:
        for happened in self._open[where].waiting:
            happened.set()
