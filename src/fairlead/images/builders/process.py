"""Runs a builder's program: its lines one by one, without secrets; and none of its processes outlives the call."""

import asyncio
import contextlib
import os
import re
import signal
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from fairlead.images.builders.base import Say
from fairlead.images.failures import NoBuilder

_GRACE_S = 5.0
_READ_BYTES = 64 * 1024
_LONGEST_LINE = 16 * 1024
_USER_IN_URL = re.compile(r"(?<=://)[^/\s@]+@")
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """How programs are started: the environment, and what must not be shown of what they say."""

    env: Mapping[str, str] = field(repr=False)
    secrets: tuple[str, ...] = field(repr=False, default=())

    async def run(self, argv: Sequence[str], say: Say) -> int:
        """Run to the end; gives the exit code. Output and errors come in one stream, in their order. When this is
        cancelled the whole process group is ended first."""
        try:
            process = await asyncio.create_subprocess_exec(
                *argv,
                env=dict(self.env),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            raise NoBuilder(f"{argv[0]} cannot be started: {error.strerror}") from error
        try:
            await self._follow(process, say)
            return await process.wait()
        finally:
            if process.returncode is None:
                await _end(process)

    def clean(self, text: str) -> str:
        """The text as people may read it: without secrets, passwords in URLs and colours."""
        for secret in self.secrets:
            text = text.replace(secret, "***")
        return _ESCAPES.sub("", _USER_IN_URL.sub("***@", text))

    async def _follow(self, process: asyncio.subprocess.Process, say: Say) -> None:
        assert process.stdout is not None
        lines = _Lines()
        while part := await process.stdout.read(_READ_BYTES):
            for line in lines.take(part):
                say(self.clean(line))
        for line in lines.end():
            say(self.clean(line))


class _Lines:
    """Cuts a stream into lines; one that is endless is cut, and what redraws itself after `\\r` counts once."""

    def __init__(self) -> None:
        self._held = b""

    def take(self, part: bytes) -> Iterator[str]:
        *whole, self._held = (self._held + part).split(b"\n")
        yield from (line for raw in whole if (line := _text(raw)))
        if len(self._held) > _LONGEST_LINE:
            yield _text(self._held)
            self._held = b""

    def end(self) -> Iterator[str]:
        if line := _text(self._held):
            yield line


def _text(raw: bytes) -> str:
    last = raw.rstrip(b"\r").rpartition(b"\r")[2]
    return last[:_LONGEST_LINE].decode("utf-8", "replace").rstrip()


async def _end(process: asyncio.subprocess.Process) -> None:
    """Ask, then insist. Shielded by nobody: a second cancellation kills at once."""
    _signal(process, signal.SIGTERM)
    try:
        async with asyncio.timeout(_GRACE_S):
            await process.wait()
    except TimeoutError:
        pass
    finally:
        # The group may have members left when its leader is gone.
        _signal(process, signal.SIGKILL)
        await process.wait()


def _signal(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)
