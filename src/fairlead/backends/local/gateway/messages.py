"""What the admin socket speaks: a 4-byte big-endian length and a msgpack message, a reply for each request.

Only the owner of the socket file may connect, so nothing here asks who is there.
"""

import asyncio

import msgspec

from fairlead.errors import BadRequest
from fairlead.plan.routing import RouteTable, Service

_MOST_BYTES = 256 * 1024 * 1024


class Publish(msgspec.Struct, frozen=True, tag="publish"):
    """Serve this table from now on. `mark` is its name for a later `Amend`; a table without one cannot be amended."""

    table: RouteTable
    mark: str = ""


class Amend(msgspec.Struct, frozen=True, tag="amend"):
    """Serve the table `since` with these services in place of those of the same identity, and without the `gone`;
    `mark` names the result. With a thousand services a whole table takes 40 ms to hand over, a change of one 3."""

    since: str
    mark: str
    changed: tuple[Service, ...] = ()
    gone: tuple[tuple[str, str, str], ...] = ()


class AskStats(msgspec.Struct, frozen=True, tag="stats"):
    """How is it going?"""


class AskDemand(msgspec.Struct, frozen=True, tag="follow-demand"):
    """Tell what is asked of the components, a `Demand` every second, for as long as this connection lasts."""


class ComponentDemand(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked of one component since its last report. `concurrency` is how many requests were at its replicas or
    waited for one, averaged over that time; `requests` arrived in it, `waiting` wait now. With `is_poke` some wait and
    no replica can be reached."""

    kind: str
    namespace: str
    service: str
    component: str
    concurrency: float
    requests: int
    waiting: int
    is_poke: bool = False


class Demand(msgspec.Struct, frozen=True, tag="demand"):
    """Components that are not idle, and once more each that just became so. Comes every second, and at once when a
    request begins to wait where no replica can be reached: what such a report told, the next one does not tell again,
    so all that are told within a second may be added up."""

    components: tuple[ComponentDemand, ...] = ()


class ComponentScale(msgspec.Struct, frozen=True, kw_only=True):
    """What decides how many replicas one component has: loads over both windows, and what one replica should have."""

    kind: str
    namespace: str
    service: str
    component: str
    desired: int
    ready: int
    is_panicking: bool = False
    stable: float = 0.0
    panic: float = 0.0
    target: float = 0.0
    excess_burst: int = 0


class Scales(msgspec.Struct, frozen=True, tag="scales"):
    """Show these in the metrics, and those that are gone no more. With `is_whole` there are no others."""

    components: tuple[ComponentScale, ...] = ()
    gone: tuple[tuple[str, str, str, str], ...] = ()
    is_whole: bool = False


class KnownToken(msgspec.Struct, frozen=True, kw_only=True):
    """A token of the installation by the SHA-256 digest of its text. No namespaces means all of them."""

    digest: bytes
    namespaces: tuple[str, ...] = ()
    expires_at: float | None = None


class KnownIssuer(msgspec.Struct, frozen=True, kw_only=True):
    """An issuer of signed tokens, and its JWK Set as it gives it."""

    issuer: str
    keys: bytes


class Admit(msgspec.Struct, frozen=True, tag="admit"):
    """Let these into deployments that do not answer everybody, and nobody else."""

    tokens: tuple[KnownToken, ...] = ()
    issuers: tuple[KnownIssuer, ...] = ()


class PoolStats(msgspec.Struct, frozen=True, kw_only=True):
    """One component: replicas that can be reached, requests there, requests that wait for one, and answers given."""

    kind: str
    namespace: str
    service: str
    component: str
    ready: int
    in_flight: int
    waiting: int
    answered: int


class GatewayStats(msgspec.Struct, frozen=True, kw_only=True, tag="gateway-stats"):
    """The gateway now. `port` is the TCP port that takes requests."""

    pid: int
    port: int
    connections: int
    pools: tuple[PoolStats, ...] = ()


class Published(msgspec.Struct, frozen=True, tag="published"):
    """The table is in force and on disk."""


class Shown(msgspec.Struct, frozen=True, tag="shown"):
    """The next scrape tells it."""


class Unknown(msgspec.Struct, frozen=True, tag="unknown"):
    """The table in force is not the one that was to be amended: publish it whole."""


class Refused(msgspec.Struct, frozen=True, tag="refused"):
    """The request could not be done; `message` says why."""

    message: str


ToGateway = Publish | Amend | AskStats | AskDemand | Scales | Admit
FromGateway = GatewayStats | Demand | Published | Shown | Unknown | Refused


async def read_message(reader: asyncio.StreamReader) -> bytes | None:
    """The next message, or `None` at the end of the stream."""
    try:
        length = int.from_bytes(await reader.readexactly(4), "big")
        if length > _MOST_BYTES:
            raise BadRequest(f"a message of {length} bytes is refused")
        return await reader.readexactly(length)
    except (asyncio.IncompleteReadError, ConnectionError):
        return None


def write_message(writer: asyncio.StreamWriter, message: ToGateway | FromGateway) -> None:
    """Queue a message; `drain` sends it."""
    body = msgspec.msgpack.encode(message)
    writer.write(len(body).to_bytes(4, "big") + body)
