"""Tells the gateway how components are scaled, for the metrics: what is new, and now and then everything, because a
gateway that was started again has forgotten it."""

import asyncio
import logging
from collections.abc import Iterable
from typing import Protocol

from fairlead.backends.local.gateway.messages import ComponentScale, Scales
from fairlead.backends.local.scaling.scaler import Line, Scaler
from fairlead.errors import FairleadError

_log = logging.getLogger(__name__)
_EVERY_S = 2.0
_WHOLE_EVERY = 15


class Shows(Protocol):
    """What is needed of the gateway's client."""

    async def show(self, scales: Scales) -> None: ...


async def show_forever(scaler: Scaler, gateway: Shows) -> None:
    """Until cancelled."""
    turn = 0
    is_known = False
    while True:
        told = await tell(scaler, gateway, is_whole=not is_known or turn % _WHOLE_EVERY == 0)
        is_known, turn = told, turn + 1
        await asyncio.sleep(_EVERY_S)


async def tell(scaler: Scaler, gateway: Shows, *, is_whole: bool) -> bool:
    """Whether the gateway knows all there is now."""
    changed, gone = scaler.news()
    if is_whole:
        changed = scaler.everything()
    if not changed and not gone:
        return True
    names = tuple((*service.split("/", 2), component) for service, component in gone)
    scales = Scales(tuple(scales_of(changed)), tuple(name for name in names if len(name) == 4), is_whole)
    try:
        await gateway.show(scales)
    except (FairleadError, OSError, EOFError, TimeoutError) as error:
        _log.debug("the gateway does not show how components are scaled: %s", error)
        return False
    return True


def scales_of(lines: Iterable[Line]) -> Iterable[ComponentScale]:
    """The same as the gateway's metrics tell it."""
    for line in lines:
        kind, namespace, service = line.key[0].split("/", 2)
        gauges = line.verdict.gauges
        yield ComponentScale(
            kind=kind,
            namespace=namespace,
            service=service,
            component=line.key[1],
            desired=line.verdict.replicas,
            ready=line.ready,
            is_panicking=gauges.is_panicking,
            stable=gauges.stable,
            panic=gauges.panic,
            target=gauges.target,
            excess_burst=gauges.excess_burst,
        )
