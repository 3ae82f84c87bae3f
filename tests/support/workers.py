"""A worker in a process of its own, and a client that speaks to it over its socket."""

import http.client
import os
import select
import socket
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from fairlead.dataplane.spec import Drain, Failed, FromWorker, Loading, Placement, Ready, TcpSocket, WorkerSpec
from fairlead.plan.model import Unit, UserCode
from support.serving import call, unit, worker_spec

IMAGE = "seldonio/sklearnserver:1.11.0"
_LENGTH = struct.Struct(">I")


@dataclass(frozen=True)
class HttpAnswer:
    """A whole answer; header names are lower case."""

    status: int
    reason: str
    headers: dict[str, str]
    body: bytes


@dataclass
class RunningWorker:
    """One worker and the supervisor's end of its channel."""

    process: subprocess.Popen[bytes]
    channel: socket.socket
    log: Path
    port: int = 0

    def hear(self, timeout_s: float = 60) -> FromWorker | None:
        """The next thing it says; `None` when it is gone."""
        head = self._exactly(_LENGTH.size, timeout_s)
        if head is None:
            return None
        body = self._exactly(_LENGTH.unpack(head)[0], timeout_s)
        assert body is not None
        word: FromWorker = msgspec.msgpack.decode(body, type=FromWorker)
        return word

    def last_word(self) -> FromWorker | None:
        """What it says after its units loaded, or why they did not."""
        while isinstance(word := self.hear(), Loading):
            pass
        if isinstance(word, Ready):
            self.port = word.http_port
        return word

    def say(self, message: Drain) -> None:
        """Tell the worker something."""
        frame = msgspec.msgpack.encode(message)
        self.channel.sendall(_LENGTH.pack(len(frame)) + frame)

    def request(
        self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> HttpAnswer:
        """One request on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            names = {name.lower(): value for name, value in answer.getheaders()}
            return HttpAnswer(answer.status, answer.reason, names, answer.read())
        finally:
            connection.close()

    def _exactly(self, size: int, timeout_s: float) -> bytes | None:
        got = b""
        while len(got) < size:
            ready, _, _ = select.select([self.channel], [], [], timeout_s)
            assert ready, f"the worker said nothing for {timeout_s} s: {self.log.read_text()}"
            piece = self.channel.recv(size - len(got))
            if not piece:
                return None
            got += piece
        return got


@contextmanager
def started_worker(spec: WorkerSpec, *, env: dict[str, str] | None = None) -> Iterator[RunningWorker]:
    """A worker that may still be loading. It is killed at the end unless it left."""
    ours, theirs = socket.socketpair()
    with tempfile.TemporaryDirectory() as folder, ours:
        file, log = Path(folder) / "spec.json", Path(folder) / "log"
        file.write_bytes(msgspec.json.encode(spec))
        words = [sys.executable, "-m", "fairlead.dataplane", "--spec", str(file), "--channel-fd", str(theirs.fileno())]
        with theirs, log.open("wb") as output:
            process = subprocess.Popen(
                words, pass_fds=[theirs.fileno()], stdout=output, stderr=output, env=os.environ | (env or {})
            )
        try:
            yield RunningWorker(process, ours, log)
        finally:
            process.kill()
            process.wait()


@contextmanager
def running_worker(of: Unit, *, placement: Placement | None = None, **fields: Any) -> Iterator[RunningWorker]:
    """A worker of one unit that answers."""
    spec = worker_spec([of], call(of.name), http=TcpSocket("127.0.0.1", 0), **fields)
    if placement is not None:
        spec = msgspec.structs.replace(spec, placements=[placement])
    with started_worker(spec) as worker:
        word = worker.last_word()
        assert isinstance(word, Ready), word
        yield worker


def python_unit(folder: Path, target: str, name: str = "classifier") -> Unit:
    """A user's class as a unit."""
    return unit(name, code=UserCode(target=target, path=str(folder)), image=IMAGE)


__all__ = ["Failed", "HttpAnswer", "RunningWorker", "python_unit", "running_worker", "started_worker"]
