"""What a worker is told when it starts, and what it says while it lives.

The supervisor writes a `WorkerSpec` as JSON; the worker answers on one socket with frames: a 4-byte big-endian
length and a msgpack-encoded message of the types below, tagged by name. Either side treats the end of the
stream as "stop".
"""

from enum import StrEnum

import msgspec

from fairlead.plan.model import Revision


class UnixSocket(msgspec.Struct, frozen=True, tag="unix", tag_field="kind"):
    """A socket in the file system."""

    path: str


class TcpSocket(msgspec.Struct, frozen=True, tag="tcp", tag_field="kind"):
    """A TCP port; 0 lets the system choose."""

    host: str
    port: int


Listen = UnixSocket | TcpSocket


class Placement(msgspec.Struct, frozen=True, kw_only=True):
    """Where a unit's files are and which environment is its own. `address` is `host:port` of a unit that runs
    outside this worker (empty for the others), `grpc_address` where it speaks gRPC; they are the same when it speaks
    nothing else. `kept` is the folder for what it wants to find again in its next life."""

    unit: str
    folder: str | None = None
    env: dict[str, str] = {}
    address: str = ""
    grpc_address: str = ""
    kept: str = ""


class OwnDoor(msgspec.Struct, frozen=True, kw_only=True):
    """Ports at which one unit of a graph answers for itself, as if it ran in a process of its own."""

    unit: str
    listen: list[TcpSocket]


class Checking(StrEnum):
    """When a unit in another process counts as ready: it answers HTTP, its port takes connections, or what it says of
    its health is good."""

    ANSWERS = "answers"
    CONNECTS = "connects"
    IS_HEALTHY = "is-healthy"


class Tls(msgspec.Struct, frozen=True, kw_only=True):
    """Files with the certificate and the key that clients of `http` and `grpc` are shown."""

    certificate: str
    key: str


class WorkerSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One replica of one revision."""

    replica: str
    namespace: str
    service: str
    """The resource's name: the deployment label of metrics and the name in the docs page."""
    component: str
    revision: Revision
    placements: list[Placement] = []
    http: Listen | None = None
    """HTTP for people and peers; `None` when only the gateway talks to it."""
    grpc: Listen | None = None
    """A second port of the same kind, for clients that expect gRPC on one of its own."""
    frames: Listen | None = None
    """Where the gateway connects (`fairlead.protocols.frames`)."""
    metrics: Listen | None = None
    inside: UnixSocket | None = None
    """Where it asks other services of ours, by the names that their routes have."""
    workdir: str = ""
    memory_limit_bytes: int | None = None
    threads: int = 1
    max_body_bytes: int = 100 * 1024 * 1024
    log_env: dict[str, str] = {}
    """Credentials for the stores that payload logs are written to."""
    single_unit: bool = False
    """Answer as one bare unit (the microservice contract) rather than as a whole graph."""
    own_doors: list[OwnDoor] = []
    endpoint: str = ""
    """Which of several versions of the component it is, for payload logs."""
    checking: Checking = Checking.ANSWERS
    metrics_path: str = ""
    """Where all metrics are besides /prometheus and /metrics."""
    tls: Tls | None = None


class Loading(msgspec.Struct, frozen=True, tag=True):
    """A unit is being loaded."""

    unit: str


class Ready(msgspec.Struct, frozen=True, tag=True):
    """Every unit answers. `http_port` is the TCP port that was bound, 0 for none; `models` are the names that its
    models go by, those that only their folders know (a Triton repository's, say) too."""

    http_port: int = 0
    models: tuple[str, ...] = ()


class Failed(msgspec.Struct, frozen=True, tag=True):
    """The worker cannot start; it exits after saying so. `detail` is a traceback for the log."""

    unit: str
    reason: str
    message: str
    detail: str = ""


class HeldModel(msgspec.Struct, frozen=True):
    """A model that a unit took in beside what it started with, or could not: then `reason` says why."""

    name: str
    is_loaded: bool
    reason: str = ""


class Held(msgspec.Struct, frozen=True, tag=True):
    """The models of units that take them in and let them go, all of them; and the names of all models as in `Ready`."""

    held: tuple[HeldModel, ...]
    models: tuple[str, ...] = ()


class LookAgain(msgspec.Struct, frozen=True, tag=True):
    """The list of models that units are to hold has changed."""


class Drain(msgspec.Struct, frozen=True, tag=True):
    """Take nothing new, finish what is held within `grace_s` seconds, exit."""

    grace_s: float


FromWorker = Loading | Ready | Failed | Held
ToWorker = Drain | LookAgain
