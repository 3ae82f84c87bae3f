"""What control and supervisor say to each other over the Unix socket.

A frame is a 4-byte big-endian length and one msgpack-encoded message of the types below, tagged by name. Control
asks, the supervisor answers with the same `id`; after `Watch` it also sends `Changed` on its own. The supervisor
decides nothing: it starts what it is told, watches it, and says what became of it.
"""

import asyncio
import struct

import msgspec

from fairlead.dataplane.spec import HeldModel, WorkerSpec
from fairlead.plan.status import Cause, ReplicaState

MAX_FRAME_BYTES = 64 * 1024 * 1024
_LENGTH = struct.Struct(">I")


class Forked(msgspec.Struct, frozen=True, kw_only=True, tag="worker"):
    """A worker process of ours, forked from the nursery of `runtime`. `unit` is empty for the one that runs the
    whole graph. `env` comes on top of the nursery's own. `python` is the interpreter of an environment of its own,
    empty for ours."""

    spec: WorkerSpec
    runtime: str = "python"
    unit: str = ""
    env: dict[str, str] = {}
    cwd: str = ""
    python: str = ""


class Program(msgspec.Struct, frozen=True, kw_only=True, tag="program"):
    """Another program that serves a unit.

    It is up when it answers at `address` (`host:port`; empty means as soon as it runs). With `speaks_frames` it
    says itself how it goes, in a worker's frames, on the descriptor named by FAIRLEAD_CHANNEL_FD, where it first
    reads one frame that holds `told`. `what` is its name in messages.

    With a `ready_path` it is up when that answers with success, and with a `live_path` it is ended when that does not
    answer for long. `folder` and `python` are what it reads and runs in, not to be removed. One that `is_python` tells
    by its last traceback, not by its last line, why it ended."""

    unit: str
    what: str = "the program"
    told: bytes = b""
    argv: list[str]
    env: dict[str, str] = {}
    cwd: str = ""
    address: str = ""
    answers_http: bool = True
    speaks_frames: bool = False
    ready_path: str = ""
    live_path: str = ""
    folder: str = ""
    python: str = ""
    is_python: bool = False


Member = Forked | Program


class ReplicaSpec(msgspec.Struct, frozen=True, kw_only=True):
    """Everything the supervisor needs to start one replica, and what control needs to know it again."""

    replica: str
    namespace: str
    service: str
    """Key of the plan it belongs to: `Kind/namespace/name`."""
    component: str
    revision: str
    members: list[Member]
    frames: str = ""
    """Path of the socket the gateway uses."""
    workdir: str = ""
    log: str = ""
    secrets: list[str] = []
    """Values that must not appear in anything people are shown."""
    restarts: int = 0
    failures: int = 0
    has_served: bool = False
    """Whether an earlier life of it was ready."""
    start_timeout_s: float = 600.0
    drain_s: float = 20.0


class ReplicaInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a replica. `is_stopping` says that somebody asked for its end. Times are seconds since the
    epoch, 0 for not yet."""

    spec: ReplicaSpec
    state: ReplicaState
    pid: int = 0
    pids: tuple[int, ...] = ()
    """All of its processes that were started, those below them not among them."""
    started_at: float = 0.0
    ready_at: float = 0.0
    gone_at: float = 0.0
    is_stopping: bool = False
    cause: Cause | None = None
    models: tuple[str, ...] = ()
    """What the models of its graph are called, as its worker says."""
    held: tuple[HeldModel, ...] | None = None
    """The models that it took in while it ran, as its worker says; `None` before it said anything."""


class Start(msgspec.Struct, frozen=True, tag=True):
    """Start a replica. One of that name must not be running."""

    id: int
    spec: ReplicaSpec


class Drain(msgspec.Struct, frozen=True, tag=True):
    """Let a replica finish what it holds, then end it."""

    id: int
    replica: str
    grace_s: float


class Kill(msgspec.Struct, frozen=True, tag=True):
    """End a replica now."""

    id: int
    replica: str


class Forget(msgspec.Struct, frozen=True, tag=True):
    """Drop the memory of a replica that is gone."""

    id: int
    replica: str


class LookAgain(msgspec.Struct, frozen=True, tag=True):
    """Tell a replica that the list of models which it is to hold has changed."""

    id: int
    replica: str


class Warm(msgspec.Struct, frozen=True, tag=True):
    """Have the nursery of a runtime running before a replica needs it."""

    id: int
    runtime: str


class Watch(msgspec.Struct, frozen=True, tag=True):
    """Answer with every replica, then tell every change on this connection."""

    id: int


class Done(msgspec.Struct, frozen=True, tag=True):
    """It is under way."""

    id: int


class Refused(msgspec.Struct, frozen=True, tag=True):
    """It cannot be done, and why. `is_stopping`: because the supervisor is on its way out."""

    id: int
    message: str
    is_stopping: bool = False


class Listing(msgspec.Struct, frozen=True, tag=True):
    """Every replica that runs or is remembered."""

    id: int
    replicas: list[ReplicaInfo]


class Changed(msgspec.Struct, frozen=True, tag=True):
    """A replica moved on."""

    replica: ReplicaInfo


Ask = Start | Drain | Kill | Forget | LookAgain | Warm | Watch
Answer = Done | Refused | Listing
ToControl = Answer | Changed

_encoder = msgspec.msgpack.Encoder()


def encode(message: msgspec.Struct) -> bytes:
    """One message as a frame."""
    return frame(_encoder.encode(message))


def frame(body: bytes) -> bytes:
    """A body with its length before it."""
    return _LENGTH.pack(len(body)) + body


async def read_frame(reader: asyncio.StreamReader) -> bytes | None:
    """The body of the next frame; `None` at the end of the stream, also in the middle of a frame or after a
    length that nobody honest sends."""
    try:
        (length,) = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
        return await reader.readexactly(length) if length <= MAX_FRAME_BYTES else None
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
