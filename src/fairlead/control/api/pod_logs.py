"""What a replica printed, as `kubectl logs` asks for it."""

from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from fairlead.control.api.calls import Call
from fairlead.control.api.streams import Stream
from fairlead.control.store import Store
from fairlead.errors import BadRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class LogQuery:
    """Which part of a log. `None` means no bound; an empty container means whatever the replica wrote."""

    container: str = ""
    follow: bool = False
    previous: bool = False
    timestamps: bool = False
    tail_lines: int | None = None
    since: datetime | None = None
    limit_bytes: int | None = None


class PodSource(Protocol):
    """Where logs come from. Raises before it returns when there is nothing to read; the generator ends with the log,
    or with the replica when following. The pods themselves are mirrored into the store (`Store.mirror`)."""

    async def log(self, namespace: str, name: str, query: LogQuery) -> AsyncGenerator[bytes, None]: ...


class PodLogs:
    """Checks the question against the pod and hands it on."""

    def __init__(self, store: Store, source: PodSource, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._source = source
        self._clock = clock

    async def get(self, call: Call) -> Stream:
        """The log as plain text."""
        pod = await self._store.get(call.resource.storage, call.namespace, call.address.name)
        names = [container["name"] for container in pod.get("spec", {}).get("containers") or ()]
        container = call.text("container")
        if container and container not in names:
            raise BadRequest(
                f"container {container} is not valid for pod {call.address.name}, choose one of: [{' '.join(names)}]"
            )
        query = LogQuery(
            container=container,
            follow=call.flag("follow"),
            previous=call.flag("previous"),
            timestamps=call.flag("timestamps"),
            tail_lines=call.number("tailLines"),
            since=self._since(call),
            limit_bytes=call.number("limitBytes"),
        )
        chunks = await self._source.log(call.namespace, call.address.name, query)
        return Stream(_limited(chunks, query.limit_bytes), media_type="text/plain")

    def _since(self, call: Call) -> datetime | None:
        seconds, text = call.number("sinceSeconds"), call.text("sinceTime")
        if seconds is not None:
            return datetime.fromtimestamp(self._clock().timestamp() - seconds, self._clock().tzinfo)
        try:
            return datetime.fromisoformat(text) if text else None
        except ValueError as error:
            raise BadRequest(f"sinceTime: {text!r} is not an RFC 3339 time") from error


async def _limited(chunks: AsyncGenerator[bytes, None], limit_bytes: int | None) -> AsyncGenerator[bytes, None]:
    """The bound holds whether or not the source looks at it."""
    left = limit_bytes
    try:
        async for chunk in chunks:
            yield chunk if left is None else chunk[:left]
            if left is not None:
                left -= len(chunk)
                if left <= 0:
                    break
    finally:
        await chunks.aclose()
