"""Faults on request: what goes wrong between a client and an API server, by rules that a test sets.

Chance comes from a seed, so that a failing run can be repeated.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from random import Random
from typing import Any

from support.cluster.calls import Call
from support.cluster.refusals import Refusal, conflict, too_many


class Fault(Enum):
    """What goes wrong."""

    SERVER_ERROR = "500"
    UNAVAILABLE = "503"
    GATEWAY_TIMEOUT = "504"
    CONFLICT = "409"
    THROTTLED = "429"
    RESET = "the connection breaks before anything happens"
    LOST_ANSWER = "the connection breaks after the request has been done"
    LOST_ANSWER_500 = "an error is answered after the request has been done"
    SLOW = "the answer waits until the test lets it go"


@dataclass
class Rule:
    """When a fault happens. Words that are empty match everything."""

    fault: Fault
    verbs: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    every: int = 1
    chance: float = 1.0
    times: int | None = None
    where: Callable[[Call], bool] = lambda _call: True
    seen: int = 0
    happened: int = 0

    def applies(self, call: Call, random: Random) -> bool:
        """Whether it happens to this call; counts the calls that it could have happened to."""
        if self.verbs and call.verb not in self.verbs:
            return False
        if self.kinds and call.resource.kind not in self.kinds:
            return False
        if not self.where(call) or (self.times is not None and self.happened >= self.times):
            return False
        self.seen += 1
        if self.seen % self.every or random.random() >= self.chance:
            return False
        self.happened += 1
        return True


@dataclass
class Faults:
    """The rules in force; the first that applies decides."""

    random: Random = field(default_factory=lambda: Random(7))
    rules: list[Rule] = field(default_factory=list)
    let_go: asyncio.Event = field(default_factory=asyncio.Event)
    retry_after_s: int = 1

    def add(self, fault: Fault, **when: Any) -> Rule:
        """A rule: `verbs`, `kinds`, `every` nth, with a `chance`, at most so many `times`, `where` a call is so."""
        rule = Rule(fault, **{key: _words(value) for key, value in when.items()})
        self.rules.append(rule)
        return rule

    def clear(self) -> None:
        """Nothing goes wrong any more."""
        self.rules.clear()

    def pick(self, call: Call) -> Fault | None:
        """What happens to a call."""
        return next((rule.fault for rule in self.rules if rule.applies(call, self.random)), None)


def _words(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


def refusal(fault: Fault, call: Call, retry_after_s: int = 1) -> Refusal | None:
    """The answer that a fault is, if it is one."""
    if fault in (Fault.SERVER_ERROR, Fault.LOST_ANSWER_500):
        text = "Internal error occurred: etcdserver: leader changed"
        return Refusal(500, "InternalError", text)
    if fault is Fault.UNAVAILABLE:
        return Refusal(503, "ServiceUnavailable", "the server is currently unable to handle the request")
    if fault is Fault.GATEWAY_TIMEOUT:
        return Refusal(504, "Timeout", "Timeout: request did not complete within the allotted timeout", retry_after_s=1)
    if fault is Fault.CONFLICT:
        return conflict(call.resource.group, call.resource.plural, call.name)
    return too_many(retry_after_s) if fault is Fault.THROTTLED else None
