"""A worker that follows the frames of `dataplane/spec.py` and serves nothing: for tests of what starts workers.

It answers each connection on its frames socket with its pid. A unit's env says what else it does:
`FAIL=reason:message` fails to load, `EXIT=n` exits after saying what is in `SAY`, `DIE_WHEN=path` exits once that
file exists when it starts, `LINGER=1` ignores a drain, `MODELS` are the names it says it has, `LOADING=1` never gets
ready and hears nothing. Runs in the nursery or as a program of its own.
"""

import argparse
import os
import signal
import socket
import struct
import sys
import threading
from pathlib import Path

import msgspec

from fairlead.dataplane.spec import Drain, Failed, Loading, Ready, ToWorker, UnixSocket, WorkerSpec

_LENGTH = struct.Struct(">I")


def main(spec: WorkerSpec, channel: socket.socket | None) -> int:
    assert channel is not None
    env = {key: value for placement in spec.placements for key, value in placement.env.items()}
    unit = spec.revision.units[0].name if spec.revision.units else ""
    _send(channel, Loading(unit=unit))
    if "SAY" in env:
        print(env["SAY"], flush=True)
    while "LOADING" in env:
        signal.pause()
    if "FAIL" in env:
        reason, _, message = env["FAIL"].partition(":")
        _send(channel, Failed(unit=unit, reason=reason, message=message, detail="Traceback\nthe detail"))
        return 1
    if "EXIT" in env and ("DIE_WHEN" not in env or Path(env["DIE_WHEN"]).exists()):
        return int(env["EXIT"])
    if "ALLOCATE" in env:
        try:
            bytearray(int(env["ALLOCATE"]))
        except MemoryError:
            _send(channel, Failed(unit=unit, reason="OutOfMemory", message="the model does not fit"))
            return 1
    if isinstance(spec.frames, UnixSocket):
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(spec.frames.path)
        listener.listen()
        threading.Thread(target=_serve, args=(listener,), daemon=True).start()
    _send(channel, Ready(models=tuple(env.get("MODELS", "").split())))
    return _until_told(channel, lingers="LINGER" in env)


def _until_told(channel: socket.socket, *, lingers: bool) -> int:
    while True:
        head = _exactly(channel, _LENGTH.size)
        if head is None:
            return 0
        body = _exactly(channel, _LENGTH.unpack(head)[0])
        if body is None:
            return 0
        message = msgspec.msgpack.decode(body, type=ToWorker)
        if isinstance(message, Drain) and not lingers:
            return 0


def _serve(listener: socket.socket) -> None:
    while True:
        connection, _ = listener.accept()
        with connection:
            connection.sendall(f"{os.getpid()}\n".encode())


def _send(channel: socket.socket, message: Loading | Ready | Failed) -> None:
    body = msgspec.msgpack.encode(message)
    channel.sendall(_LENGTH.pack(len(body)) + body)


def _exactly(channel: socket.socket, size: int) -> bytes | None:
    data = b""
    while len(data) < size:
        part = channel.recv(size - len(data))
        if not part:
            return None
        data += part
    return data


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--spec", required=True)
    parser.add_argument("--channel-fd", type=int, required=True)
    options = parser.parse_args()
    told = msgspec.json.decode(Path(options.spec).read_bytes(), type=WorkerSpec)
    sys.exit(main(told, socket.socket(fileno=options.channel_fd)))
