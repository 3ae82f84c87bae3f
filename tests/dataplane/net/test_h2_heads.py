"""Heads of HTTP/2 requests that repeat, in whole or but for their deadline."""

import pytest

from fairlead.dataplane.net.h2_heads import CallMemory, Malformed
from fairlead.protocols.exchange import Head, Headers

CALL: Headers = [
    (b":method", b"POST"),
    (b":scheme", b"http"),
    (b":path", b"/inference.GRPCInferenceService/ModelInfer"),
    (b":authority", b"localhost"),
    (b"te", b"trailers"),
    (b"content-type", b"application/grpc"),
]


def timed(*raw: bytes, grpc: bool = True) -> Headers:
    headers = CALL if grpc else CALL[:-1]
    return [*headers, *((b"grpc-timeout", one) for one in raw), (b"user-agent", b"test")]


class Counting:
    """Counts the heads that are read as new ones."""

    def __init__(self) -> None:
        self.read = 0

    def __call__(self, head: Head) -> bool:
        self.read += 1
        return True


def test_a_head_that_differs_in_its_deadline_alone_is_read_no_more_than_twice() -> None:
    reads = Counting()
    memory = CallMemory(reads)

    calls = [memory.find(timed(b"%dm" % number)) for number in range(1, 50)]

    assert reads.read == 2
    assert [call.timeout_s for call in calls] == pytest.approx([number / 1000 for number in range(1, 50)])
    assert all(call.is_grpc and call.head.is_streamed for call in calls)
    assert [dict(call.head.headers)[b"grpc-timeout"] for call in calls[-2:]] == [b"48m", b"49m"]
    assert calls[-1].head.headers == CallMemory(None).find(timed(b"49m")).head.headers


def test_a_deadline_that_repeats_gives_the_same_head() -> None:
    memory = CallMemory(None)
    for number in range(4):
        memory.find(timed(b"%dS" % number))
    memory.find(timed(b"9S"))

    assert memory.find(timed(b"9S")) is memory.find(timed(b"9S"))


@pytest.mark.parametrize("raw", [b"soon", b""])
def test_what_is_no_timeout_is_none_however_often_the_rest_came(raw: bytes) -> None:
    memory = CallMemory(None)
    for number in range(4):
        memory.find(timed(b"%dS" % number))

    call = memory.find(timed(raw))

    assert call.timeout_s == 0
    assert dict(call.head.headers)[b"grpc-timeout"] == raw


def test_a_value_that_none_can_be_is_refused_however_often_the_rest_came() -> None:
    memory = CallMemory(None)
    for number in range(4):
        memory.find(timed(b"%dS" % number))

    with pytest.raises(Malformed):
        memory.find(timed(b"\x00"))
    with pytest.raises(Malformed):
        memory.find(timed(b" 1S"))


def test_a_request_that_is_no_call_has_no_deadline() -> None:
    memory = CallMemory(None)

    assert {memory.find(timed(b"%dS" % number, grpc=False)).timeout_s for number in range(5)} == {0}


def test_the_first_of_several_deadlines_counts() -> None:
    memory = CallMemory(None)

    assert [memory.find(timed(b"1S", b"%dS" % number)).timeout_s for number in range(5)] == [1] * 5
