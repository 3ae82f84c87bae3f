"""The gateway's table: which requests go where, with the endpoints that can take them now.

A back-end makes it from plans and what it observes; the gateway only reads it. It is written to disk as JSON,
so a gateway that restarts while nobody is there to ask serves what it served before.
"""

from dataclasses import dataclass

from fairlead.plan.model import Route

REPLICA_LIMIT = 1024
"""Requests that one replica holds when nothing else is said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A ready replica. `frames` is the path of the Unix socket that takes frames."""

    replica: str
    frames: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """The replicas that serve one component now.

    With no endpoint, requests wait up to `wait_s` seconds (a replica is on its way) unless `refusal` says why
    there will be none. `protocol` is the component's, for the shape of the gateway's own error bodies. Each replica
    holds `replica_limit` requests at most; more of them wait too, up to `queue_limit`, and while replicas are ready up
    to `replica_queue_limit` for each, if that is not 0. Open streams take none of those places unless it
    `counts_streams`.
    """

    endpoints: tuple[Endpoint, ...] = ()
    wait_s: float = 30.0
    refusal: str = ""
    queue_limit: int = 1000
    replica_queue_limit: int = 0
    replica_limit: int = REPLICA_LIMIT
    counts_streams: bool = False
    protocol: str = "seldon"


@dataclass(frozen=True, slots=True, kw_only=True)
class HostCertificate:
    """The certificate of these hosts, where TLS is spoken: a file with it and its key in PEM, which only its owner can
    read. `mark` changes with the file's content."""

    hosts: tuple[str, ...]
    path: str
    mark: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One resource's routes and pools; `pools` pairs a component's name with its pool. `kind`, `namespace`,
    `name` and `docs_path` are for the listing at `/`. `models` are the names that a gRPC message may call the
    service's models by."""

    kind: str
    namespace: str
    name: str
    routes: tuple[Route, ...]
    pools: tuple[tuple[str, Pool], ...]
    state: str = ""
    docs_path: str = ""
    models: tuple[str, ...] = ()
    certificates: tuple[HostCertificate, ...] = ()

    @property
    def identity(self) -> tuple[str, str, str]:
        """What tells it from all others in a table."""
        return self.kind, self.namespace, self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteTable:
    """Everything the gateway serves."""

    services: tuple[Service, ...] = ()
