"""Loads that come in the ways that matter: all at once, slowly more and less, and now and then."""

import math
import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Trace:
    """Requests that arrive in each second, how long each takes, and how many a replica takes at once."""

    name: str
    title: str
    arrivals: tuple[int, ...]
    service_s: float = 0.5
    limit: int = 1


def every() -> tuple[Trace, ...]:
    """All of them, the same ones each time."""
    return burst(), ramp(), idle()


def burst() -> Trace:
    """From a little to a lot within a second, and back."""
    chance = random.Random(1)
    rates = [2.0] * 120 + [30.0] * 60 + [2.0] * 180 + [0.0] * 140
    return Trace("burst", "A burst: 30 requests per second for a minute", _arrivals(rates, chance))


def ramp() -> Trace:
    """Slowly more, slowly less."""
    chance = random.Random(2)
    rates = [20.0 * second / 240 for second in range(240)] + [20.0 * (1 - second / 180) for second in range(180)]
    return Trace("ramp", "A ramp: up to 20 requests per second and down", _arrivals([*rates, *[0.0] * 120], chance))


def idle() -> Trace:
    """A request now and then, and long nothing."""
    arrivals = [0] * 900
    for second in (20, 25, 90, 300, 301, 302, 620):
        arrivals[second] = 1
    return Trace("idle", "Now and then a request, with scale to zero", tuple(arrivals))


def _arrivals(rates: list[float], chance: random.Random) -> tuple[int, ...]:
    return tuple(_poisson(rate, chance) for rate in rates)


def _poisson(rate: float, chance: random.Random) -> int:
    """Knuth's way: how many draws until their product is below e^-rate."""
    below, product, count = math.exp(-rate), chance.random(), 0
    while product > below:
        product *= chance.random()
        count += 1
    return count
