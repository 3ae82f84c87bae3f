"""Trying until it works, for what must be here sooner or later: later each time, and never in anybody's way."""

import asyncio
from collections.abc import Awaitable, Callable

from fairlead.backends.local.backoff import REFERENCES, TRANSFERS
from fairlead.backends.local.preparing import PreparationFailed
from fairlead.plan.status import Cause


async def insist(
    attempt: Callable[[], Awaitable[None]],
    *,
    unit: str,
    failed: Callable[[Cause], None],
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> None:
    """Return once `attempt` did not fail. `failed` is told why it did, before each wait. What a full disk refuses is
    a failure as any: raised, it would end everything that runs beside."""
    failures = 0
    while True:
        try:
            return await attempt()
        except PreparationFailed as error:
            cause, backoff = error.cause, REFERENCES if error.is_reference else TRANSFERS
        except OSError as error:
            message = f"it cannot be kept on this disk: {error.strerror or error}"
            cause, backoff = Cause(unit=unit, reason="DiskError", message=message), REFERENCES
        failures += 1
        failed(cause)
        await sleep(backoff.delay_s(failures))
