"""Trace Context and B3 in headers, as their specifications have them."""

import pytest

from fairlead.protocols.trace_context import Parent, Propagator, read, write

TRACE, SPAN = 0x0AF7651916CD43DD8448EB211C80319C, 0x00F067AA0BA902B7
W3C = b"00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01"


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([(b"traceparent", W3C)], Parent(TRACE, SPAN, True)),
        ([(b"traceparent", W3C), (b"tracestate", b"a=b")], Parent(TRACE, SPAN, True, "a=b")),
        ([(b"traceparent", W3C[:-2] + b"00")], Parent(TRACE, SPAN, False)),
        # A later version may say more at its end.
        ([(b"traceparent", b"01" + W3C[2:] + b"-more")], Parent(TRACE, SPAN, True)),
        ([(b"b3", W3C[3:52] + b"-1")], Parent(TRACE, SPAN, True)),
        ([(b"b3", W3C[3:52] + b"-d")], Parent(TRACE, SPAN, True)),
        ([(b"b3", W3C[3:52] + b"-0-00f067aa0ba902b8")], Parent(TRACE, SPAN, False)),
        ([(b"b3", W3C[3:52])], Parent(TRACE, SPAN, None)),
        (
            [(b"x-b3-traceid", W3C[3:35]), (b"x-b3-spanid", W3C[36:52]), (b"x-b3-sampled", b"1")],
            Parent(TRACE, SPAN, True),
        ),
        ([(b"x-b3-traceid", W3C[19:35]), (b"x-b3-spanid", W3C[36:52])], Parent(TRACE & (2**64 - 1), SPAN, None)),
        (
            [(b"x-b3-traceid", W3C[3:35]), (b"x-b3-spanid", W3C[36:52]), (b"x-b3-flags", b"1")],
            Parent(TRACE, SPAN, True),
        ),
    ],
)
def test_a_parent_is_read_in_every_form(headers: list[tuple[bytes, bytes]], expected: Parent) -> None:
    assert read(headers) == expected


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [(b"traceparent", b"")],
        [(b"traceparent", W3C[:-1])],
        [(b"traceparent", W3C + b"-more")],
        [(b"traceparent", b"ff" + W3C[2:])],
        [(b"traceparent", b"00-" + b"0" * 32 + W3C[35:])],
        [(b"traceparent", W3C.upper())],
        [(b"b3", b"0")],
        [(b"x-b3-traceid", W3C[3:35])],
    ],
)
def test_what_is_malformed_counts_as_not_there(headers: list[tuple[bytes, bytes]]) -> None:
    assert read(headers) is None


@pytest.mark.parametrize("propagator", Propagator)
@pytest.mark.parametrize("is_sampled", [True, False])
def test_what_is_written_can_be_read(propagator: Propagator, is_sampled: bool) -> None:
    parent = Parent(TRACE, SPAN, is_sampled)

    assert read(write(parent, [propagator]), [propagator]) == parent


def test_state_travels_with_the_w3c_form() -> None:
    parent = Parent(TRACE, SPAN, True, "vendor=1")

    assert write(parent) == [(b"traceparent", W3C), (b"tracestate", b"vendor=1")]
