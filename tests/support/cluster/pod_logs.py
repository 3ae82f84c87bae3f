"""Logs of pods, as a kubelet tells them through the API server: plain text, and more of it for whoever follows.

A container has a log from its first line on; before, it waits to start and has none.
"""

import asyncio
from dataclasses import dataclass, field

from aiohttp import web

from support.cluster.calls import Call
from support.cluster.refusals import bad_request, not_found
from support.cluster.state import State


@dataclass
class Log:
    """The lines of one container."""

    lines: list[bytes] = field(default_factory=list)
    has_ended: bool = False


class PodLogs:
    """Tests write them; `namespace/pod/container` is where."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._logs: dict[tuple[str, str, str], Log] = {}
        self._changed = asyncio.Event()

    def write(self, where: str, *lines: str, ends: bool = False) -> None:
        """More lines, the last ones if it `ends`."""
        namespace, pod, container = where.split("/")
        log = self._logs.setdefault((namespace, pod, container), Log())
        log.lines += [line.encode() + b"\n" for line in lines]
        log.has_ended = log.has_ended or ends
        self._tell()

    def end(self) -> None:
        """Nobody writes any more."""
        for log in self._logs.values():
            log.has_ended = True
        self._tell()

    def _tell(self) -> None:
        told, self._changed = self._changed, asyncio.Event()
        told.set()

    def find(self, call: Call) -> Log:
        """The log that a call asks for, or the API server's refusal."""
        pod = self._state.storage.get(("", "pods"), call.namespace, call.name)
        if pod is None:
            raise not_found("", "pods", call.name)
        names = [one["name"] for one in (*(pod["spec"].get("initContainers") or ()), *pod["spec"]["containers"])]
        asked = call.params.get("container") or (names[0] if len(names) == 1 else "")
        if not asked:
            raise bad_request(
                f"a container name must be specified for pod {call.name}, choose one of: [{' '.join(names)}]"
            )
        if asked not in names:
            raise bad_request(f"container {asked} is not valid for pod {call.name}")
        log = self._logs.get((call.namespace, call.name, asked))
        if log is None:
            raise bad_request(f'container "{asked}" in pod "{call.name}" is waiting to start: ContainerCreating')
        return log

    async def send(self, request: web.BaseRequest, call: Call, log: Log) -> web.StreamResponse:
        """Its lines, and those that come while somebody follows."""
        response = web.StreamResponse(headers={"Content-Type": "text/plain"})
        await response.prepare(request)
        tail = call.params.get("tailLines")
        sent = max(0, len(log.lines) - int(tail)) if tail is not None else 0
        try:
            while True:
                changed = self._changed
                for line in log.lines[sent:]:
                    await response.write(b"2026-01-01T00:00:00Z " + line if call.flag("timestamps") else line)
                sent = len(log.lines)
                if log.has_ended or not call.flag("follow"):
                    break
                await changed.wait()
            await response.write_eof()
        except ConnectionError:
            pass
        return response
