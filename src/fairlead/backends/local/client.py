"""How the control process talks to the supervisor. Connects again by itself; what was missed comes as a listing."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Self

import msgspec

from fairlead.backends.local import rpc
from fairlead.errors import Conflict, NotReady

_FIRST_WAIT_S = 0.05
_LONGEST_WAIT_S = 1.0


class SupervisorStopping(NotReady):
    """The supervisor is on its way out and starts nothing."""

    reason = "SupervisorStopping"


class SupervisorClient:
    """Use as `async with`. Calls return when the supervisor has taken them; they raise `NotReady` while it does not
    answer and `Conflict` when it refuses. `changes` is for one consumer."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._writer: asyncio.StreamWriter | None = None
        self._waiting: dict[int, asyncio.Future[rpc.Answer]] = {}
        self._changes: asyncio.Queue[rpc.Listing | rpc.Changed] = asyncio.Queue()
        self._last_id = 0
        self._task: asyncio.Task[None] | None = None
        self._connected = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._stay_connected())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def connected(self) -> None:
        """Wait until the supervisor answers."""
        await self._connected.wait()

    async def changes(self) -> AsyncIterator[rpc.Listing | rpc.Changed]:
        """After every connect a listing of all replicas, then each change."""
        while True:
            yield await self._changes.get()

    async def start(self, spec: rpc.ReplicaSpec) -> None:
        """Start a replica."""
        await self._ask(rpc.Start(id=self._next_id(), spec=spec))

    async def drain(self, replica: str, *, grace_s: float) -> None:
        """Let a replica finish what it holds and end."""
        await self._ask(rpc.Drain(id=self._next_id(), replica=replica, grace_s=grace_s))

    async def kill(self, replica: str) -> None:
        """End a replica now."""
        await self._ask(rpc.Kill(id=self._next_id(), replica=replica))

    async def forget(self, replica: str) -> None:
        """Drop the supervisor's memory of a replica that is gone."""
        await self._ask(rpc.Forget(id=self._next_id(), replica=replica))

    async def look_again(self, replica: str) -> None:
        """Tell a replica that the list of models which it is to hold has changed."""
        await self._ask(rpc.LookAgain(id=self._next_id(), replica=replica))

    async def warm(self, runtime: str) -> None:
        """Have the fork server of a runtime running before it is needed."""
        await self._ask(rpc.Warm(id=self._next_id(), runtime=runtime))

    async def _ask(self, ask: rpc.Ask) -> rpc.Answer:
        writer = self._writer
        if writer is None or writer.is_closing():
            raise NotReady("the supervisor does not answer", after_s=_LONGEST_WAIT_S)
        future: asyncio.Future[rpc.Answer] = asyncio.get_running_loop().create_future()
        self._waiting[ask.id] = future
        try:
            writer.write(rpc.encode(ask))
            answer = await future
        finally:
            self._waiting.pop(ask.id, None)
        if isinstance(answer, rpc.Refused):
            raise SupervisorStopping(answer.message) if answer.is_stopping else Conflict(answer.message)
        return answer

    def _next_id(self) -> int:
        self._last_id += 1
        return self._last_id

    async def _stay_connected(self) -> None:
        wait_s = _FIRST_WAIT_S
        while True:
            try:
                reader, self._writer = await asyncio.open_unix_connection(self._path)
            except OSError:
                await asyncio.sleep(wait_s)
                wait_s = min(_LONGEST_WAIT_S, wait_s * 2)
                continue
            wait_s = _FIRST_WAIT_S
            try:
                await self._converse(reader, self._writer)
            finally:
                self._disconnected()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        watch = rpc.Watch(id=self._next_id())
        writer.write(rpc.encode(watch))
        decoder = msgspec.msgpack.Decoder(rpc.ToControl)
        while (body := await rpc.read_frame(reader)) is not None:
            message = decoder.decode(body)
            if isinstance(message, rpc.Changed):
                self._changes.put_nowait(message)
            elif message.id == watch.id and isinstance(message, rpc.Listing):
                self._changes.put_nowait(message)
                self._connected.set()
            elif (future := self._waiting.get(message.id)) is not None and not future.done():
                future.set_result(message)

    def _disconnected(self) -> None:
        self._connected.clear()
        if self._writer is not None:
            self._writer.close()
            self._writer = None
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(NotReady("the supervisor went away", after_s=_LONGEST_WAIT_S))
