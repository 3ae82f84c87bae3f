"""Units whose calls wait for somebody else: how many wait at once, and who hears that nobody waits any more."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from fairlead.errors import NotReady
from fairlead.plan.model import Method, Protocol
from fairlead.protocols.exchange import Request
from fairlead.protocols.message import Message
from fairlead.runtimes.base import Done
from fairlead.runtimes.failures import Refused
from support.serving import Fake, Served, Waiting, call, header, served, unit, worker_spec

pytestmark = pytest.mark.anyio
PATH = "/v1/models/m:predict"
ROWS = {"instances": [[1.0, 2.0]]}


class Slow(Fake):
    """Begins predictions, and answers them when it is told to."""

    awaited = frozenset((Method.PREDICT,))

    def __init__(self) -> None:
        super().__init__("m", explain=lambda rows: rows * 2)
        self.begun: list[tuple[Message, Done]] = []
        self.called_off: list[int] = []

    def begin(self, method: Method, message: Message, done: Done) -> Callable[[], None]:
        assert method is Method.PREDICT
        index = len(self.begun)
        self.begun.append((message, done))
        return lambda: self.called_off.append(index)

    def answer(self, index: int) -> None:
        message, done = self.begun[index]
        done(self.invoke(Method.PREDICT, message), None)


def slow(**revision: Any) -> tuple[Slow, Served]:
    unit_ = Slow()
    return unit_, served(worker_spec([unit("m")], call("m"), protocol=Protocol.V1, **revision), m=unit_)


async def test_requests_wait_side_by_side_and_the_answers_come_in_any_order() -> None:
    unit_, surface = slow()
    asked = [asyncio.ensure_future(surface.post(PATH, {"instances": [[number]]})) for number in (1.0, 2.0, 3.0)]
    await asyncio.sleep(0)

    assert len(unit_.begun) == 3
    for index in (2, 0, 1):
        unit_.answer(index)
    answers = await asyncio.gather(*asked)
    assert [answer.body for answer in answers] == [b'{"predictions":[[%s]]}' % n for n in (b"1.0", b"2.0", b"3.0")]


async def test_methods_that_do_not_wait_go_the_usual_way() -> None:
    unit_, surface = slow()

    answer = await surface.post("/v1/models/m:explain", ROWS)

    assert answer.status == 200
    assert not unit_.begun


async def test_a_refusal_keeps_its_status_and_when_to_try_again() -> None:
    unit_, surface = slow()
    refused = Refused("too much", http=503, reason="UpstreamRefused")
    refused.after_s = 7.0
    asked = [asyncio.ensure_future(surface.post(PATH, ROWS)) for _ in range(2)]
    await asyncio.sleep(0)
    unit_.begun[0][1](None, refused)
    unit_.begun[1][1](None, NotReady("not yet"))

    first, second = await asyncio.gather(*asked)

    assert (first.status, first.body, header(first, "Retry-After")) == (503, b'{"error":"too much"}', "7")
    assert (second.status, header(second, "Retry-After")) == (503, "")


async def test_a_client_that_leaves_calls_its_request_off() -> None:
    unit_, surface = slow()
    reply = Waiting()
    surface.handler(Request("POST", PATH, b"", [], b'{"instances":[[1.0]]}'), reply)
    assert reply.on_gone is not None

    reply.on_gone()

    assert unit_.called_off == [0]


async def test_a_request_whose_time_is_over_is_called_off() -> None:
    unit_, surface = slow(timeout_s=0.01)

    answer = await surface.post(PATH, ROWS)

    assert (answer.status, unit_.called_off) == (504, [0])
    unit_.answer(0)  # nobody minds
