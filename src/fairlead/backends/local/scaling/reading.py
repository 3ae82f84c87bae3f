"""Takes the readings of Kubernetes' rule: from the processes of the replicas, and from the servers a manifest names."""

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

from fairlead.backends.local.scaling.asking import Questions
from fairlead.backends.local.scaling.hpa import Reading
from fairlead.backends.local.scaling.usage import UsageMeter
from fairlead.backends.local.scaling.watching import HorizontalWatch
from fairlead.errors import FairleadError
from fairlead.plan.scaling import MetricTarget, ScaleMetric


class _Used(NamedTuple):
    cores: float | None
    memory_bytes: int


class Reader:
    """For as long as the loop runs. `close` when it ends."""

    def __init__(self) -> None:
        self._meter = UsageMeter()
        self._questions = Questions()

    async def read(self, watched: Sequence[HorizontalWatch], *, now: float) -> None:
        """Put new readings into all of these."""
        needs_usage = [one for one in watched if any(t.metric is not ScaleMetric.EXTERNAL for t in one.rule.metrics)]
        used = await asyncio.to_thread(self._use, needs_usage, now)
        await asyncio.gather(*(self._read_one(one, used) for one in watched))

    async def close(self) -> None:
        """End connections."""
        await self._questions.close()

    async def _read_one(self, one: HorizontalWatch, used: dict[str, _Used]) -> None:
        here = [used[name] for name, _ in (one.seen.pids if one.seen else ()) if name in used]
        readings = []
        for target in one.rule.metrics:
            if target.target <= 0:
                readings.append(Reading(target=target, problem=f"the target of {target.metric.value} is not above 0"))
            elif target.metric is ScaleMetric.EXTERNAL:
                readings.append(await self._ask(target))
            else:
                readings.append(_resource(target, here, one.requested[target.metric]))
        one.readings = tuple(readings)

    async def _ask(self, target: MetricTarget) -> Reading:
        try:
            return Reading(target=target, total=await self._questions.ask(target))
        except FairleadError as error:
            return Reading(target=target, problem=str(error))

    def _use(self, watched: Sequence[HorizontalWatch], now: float) -> dict[str, _Used]:
        replicas = {name: pids for one in watched if one.seen for name, pids in one.seen.pids}
        self._meter.keep(replicas)
        found: dict[str, _Used] = {}
        for name, pids in replicas.items():
            used = self._meter.cores_and_bytes(name, pids, now=now)
            if used is not None:
                found[name] = _Used(*used)
        return found


def _resource(target: MetricTarget, here: Sequence[_Used], requested: float) -> Reading:
    name = target.metric.value
    values = [
        float(one.memory_bytes) if target.metric is ScaleMetric.MEMORY else one.cores
        for one in here
        if target.metric is ScaleMetric.MEMORY or one.cores is not None
    ]
    known = [value for value in values if value is not None]
    if target.kind == "utilization" and not requested:
        return Reading(target=target, problem=f"no unit requests {name}, so there is no percentage of it")
    if not known:
        return Reading(target=target, problem=f"{name} was not measured yet")
    return Reading(target=target, total=sum(known), measured=len(known), requested=requested)
