"""Whether a unit in another process is there, as an orchestrator in a pod asks: its port takes a connection, or what it
says of its health is good.

A server that works on one request at a time answers no question about its health meanwhile, but its port takes
connections all along; a pod must not lose its traffic for being busy.
"""

import asyncio
from collections.abc import Callable

from fairlead.dataplane.graph.driving import Later, Step
from fairlead.dataplane.graph.remote import Peer, PeerFailed
from fairlead.plan.model import Protocol

Check = Callable[[], Step[bool]]

_WITHIN_S = 1.0
_HEALTH = {Protocol.SELDON: "/api/v1.0/health/status", Protocol.V2: "/v2/health/ready"}


def connecting(host: str, port: int) -> Check:
    """A check that connects and hangs up."""

    async def check() -> bool:
        later: Later[bool] = Later()
        task = asyncio.get_running_loop().create_task(_connects(host, port), name="check a port")
        task.add_done_callback(lambda done: later.resolve(not done.cancelled() and done.result()))
        return await later

    return check


def healthy(peer: Peer, protocol: Protocol) -> Check | None:
    """A check that asks where units of this protocol tell of their health; `None` where they have no such place."""
    path = _HEALTH.get(protocol)
    if path is None:
        return None

    async def check() -> bool:
        try:
            answer = await peer.call("GET", path, [], b"", timeout_s=_WITHIN_S)
        except PeerFailed:
            return False
        return answer.status == 200

    return check


async def _connects(host: str, port: int) -> bool:
    try:
        async with asyncio.timeout(_WITHIN_S):
            _, writer = await asyncio.open_connection(host, port)
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True
