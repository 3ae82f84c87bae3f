"""The clients of a soak, each asking again and again until it is told to stop, and how their requests end."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack
from typing import Any

from bench.soak.grpc_traffic import ConnectionLost, GrpcTraffic
from bench.soak.hostile import Hostile
from bench.soak.rest_traffic import RestTraffic
from bench.soak.rude_traffic import RudeTraffic
from bench.soak.scene import Scene
from bench.soak.tally import Tally, Wrong

Kind = Callable[[], Awaitable[str]]
TIMED = ("right",)
_REFUSED_REST_S = 0.25
REST = {
    "seldon": (3, 0.02),
    "pipelined": (1, 0.05),
    "chunked": (1, 0.05),
    "large_text": (1, 0.4),
    "large_table": (1, 1.0),
    "graph": (2, 0.03),
    "logged": (2, 0.03),
    "limited": (10, 0.02),
    "gathered": (6, 0.02),
    "too_slow": (2, 0.5),
    "v2": (2, 0.02),
    "v2_binary": (1, 0.05),
    "tensorflow": (2, 0.03),
}
"""How many clients of each kind, and how long each rests between two requests."""
GRPC = {
    "predict": (2, 0.02),
    "graph": (1, 0.03),
    "large": (1, 0.5),
    "infer": (2, 0.02),
    "stream": (2, 0.05),
    "deadline": (2, 0.1),
    "cancelled": (2, 0.1),
}
RUDE = {"bad_request": (1, 0.1), "bad_call": (1, 0.1), "hang_up": (2, 0.15)}
SLOW_ATTACKS = {
    "slow_head": (10, 0.5),
    "half_body": (5, 0.5),
    "slow_frame": (5, 0.5),
    "half_call": (3, 0.5),
    "slow_reader": (2, 0.5),
    "no_window": (2, 0.5),
}
STORMS = {"storm": (2, 0.5), "drizzle": (3, 0.2)}


class Clients:
    """All clients of a run."""

    def __init__(self, port: int, scene: Scene, tally: Tally, seed: int) -> None:
        self._port = port
        self._scene = scene
        self._tally = tally
        self._seed = seed
        self._tasks: set[asyncio.Task[object]] = set()
        self._storms: set[asyncio.Task[object]] = set()
        self._stack = AsyncExitStack()
        self._is_over = False

    def start(self, *, with_attacks: bool) -> None:
        """Start those that ask throughout."""
        for kind, (count, rest_s) in REST.items():
            for _ in range(count):
                rest = RestTraffic(self._port, self._scene, self._chance())
                self._stack.callback(rest.cut)
                self._begin(f"REST {kind}", getattr(rest, kind), rest_s, on_error=rest.cut)
        for kind, (count, rest_s) in GRPC.items():
            for _ in range(count):
                calls = GrpcTraffic(self._port, self._scene, self._chance())
                self._stack.push_async_callback(calls.close)
                self._begin(f"gRPC {kind}", getattr(calls, kind), rest_s)
        rude = RudeTraffic(self._port, self._chance())
        self._stack.push_async_callback(rude.close)
        for kind, (count, rest_s) in RUDE.items():
            for _ in range(count):
                self._begin(f"rude {kind}", getattr(rude, kind), rest_s)
        if with_attacks:
            self._attack(SLOW_ATTACKS, self._tasks)

    def begin_storm(self, idle: int, lasting_s: float) -> None:
        """Start resets by the thousand, and connections that say nothing."""
        self._attack(STORMS, self._storms)
        hostile = Hostile(self._port, self._tally, self._chance())
        self._keep(self._storms, self._once("attack idle", lambda: hostile.idle(idle, lasting_s)))

    async def end_storm(self) -> None:
        """Stop those again."""
        await _cancel(self._storms)

    async def stop(self) -> None:
        """Let every request end, then hang up. Attacks are cut."""
        self._is_over = True
        await self.end_storm()
        attacks = {task for task in self._tasks if task.get_name().startswith("attack")}
        await _cancel(attacks)
        if self._tasks - attacks:
            await asyncio.wait(self._tasks - attacks)
        await self._stack.aclose()

    def _attack(self, kinds: dict[str, tuple[int, float]], into: set[asyncio.Task[object]]) -> None:
        for kind, (count, rest_s) in kinds.items():
            for _ in range(count):
                hostile = Hostile(self._port, self._tally, self._chance())
                self._begin(f"attack {kind}", getattr(hostile, kind), rest_s, into=into)

    def _begin(
        self,
        name: str,
        kind: Kind,
        rest_s: float,
        *,
        on_error: Callable[[], None] = lambda: None,
        into: set[asyncio.Task[object]] | None = None,
    ) -> None:
        self._keep(self._tasks if into is None else into, self._repeat(name, kind, rest_s, on_error), name)

    def _keep(self, tasks: set[asyncio.Task[object]], work: Coroutine[Any, Any, object], name: str = "attack") -> None:
        tasks.add(asyncio.create_task(work, name=name))

    async def _repeat(self, name: str, kind: Kind, rest_s: float, on_error: Callable[[], None]) -> None:
        chance = self._chance()
        while not self._is_over:
            outcome = await self._once(name, kind)
            if not outcome:
                on_error()
            # Who is refused comes back later, as clients do; too many for `limited` is the purpose.
            is_turned_away = outcome.startswith("refused") and name != "REST limited"
            await asyncio.sleep(_REFUSED_REST_S if is_turned_away else rest_s * chance.uniform(0.5, 1.5))

    async def _once(self, name: str, kind: Kind) -> str:
        """Ask once; how that ended, or "" when the connection is good for nothing any more."""
        tally, began = self._tally, time.monotonic()
        try:
            outcome = await kind()
        except Wrong as error:
            tally.violate(name, str(error))
        except TimeoutError:
            tally.violate(name, f"no answer within {time.monotonic() - began:.0f} s")
        except (OSError, EOFError, ConnectionLost) as error:
            tally.lose(name, f"the connection broke after {time.monotonic() - began:.2f} s: {error!r}")
        except Exception as error:
            tally.violate(name, f"{type(error).__name__}: {error}")
        else:
            tally.note(name, outcome, time.monotonic() - began if outcome in TIMED else None)
            return outcome
        return ""

    def _chance(self) -> random.Random:
        self._seed += 1
        return random.Random(self._seed)


async def _cancel(tasks: set[asyncio.Task[object]]) -> None:
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks)
    tasks.clear()
