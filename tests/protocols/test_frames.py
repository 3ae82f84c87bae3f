"""Frames: what encodes decodes, in any pieces, and nonsense is refused."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.errors import BadRequest
from fairlead.protocols.exchange import Response
from fairlead.protocols.frames import (
    GOAWAY,
    Frame,
    FrameDecoder,
    Kind,
    data_prefix,
    decode_credit,
    decode_request_head,
    encode_begin,
    encode_cancel,
    encode_credit,
    encode_end,
    encode_open,
    encode_request_head,
    encode_reset,
    request_prefix,
    response_prefix,
)

text = st.binary(max_size=20).map(lambda raw: raw.replace(b"\0", b"-"))
ids = st.integers(1, 0xFFFFFFFF)


@given(
    st.lists(st.tuples(ids, st.integers(100, 599), st.binary(max_size=50), st.binary(max_size=90)), max_size=6),
    st.lists(st.integers(0, 900), max_size=10),
)
def test_frames_decode_to_what_was_encoded_however_they_are_split(
    answers: list[tuple[int, int, bytes, bytes]], cuts: list[int]
) -> None:
    wire = b""
    for id, status, head, body in answers:
        wire += response_prefix(id, Response(status, head, body)) + head + body + encode_cancel(id)
    wire += GOAWAY
    edges = sorted({0, len(wire), *(cut % len(wire) for cut in cuts)})
    decoder = FrameDecoder()

    frames = [frame for a, b in itertools.pairwise(edges) for frame in decoder.feed(wire[a:b])]

    expected = []
    for id, status, head, body in answers:
        expected += [Frame(Kind.RESPONSE, id, status, head, body), Frame(Kind.CANCEL, id, 0, b"", b"")]
    assert frames == [*expected, Frame(Kind.GOAWAY, 0, 0, b"", b"")]


@given(ids, st.binary(max_size=50), st.binary(max_size=90), st.integers(0, 0xFFFFFFFF), st.integers(1, 40))
def test_the_frames_of_a_stream_decode_to_what_was_encoded_however_they_are_split(
    id: int, head: bytes, body: bytes, credit: int, step: int
) -> None:
    wire = encode_open(id, head) + data_prefix(id, len(body)) + body + encode_credit(id, credit)
    wire += encode_begin(id, 200, head) + encode_end(id, head) + encode_reset(id)
    decoder = FrameDecoder()

    frames = [frame for start in range(0, len(wire), step) for frame in decoder.feed(wire[start : start + step])]

    assert decode_credit(frames[2]) == credit
    assert [*frames[:2], *frames[3:]] == [
        Frame(Kind.OPEN, id, 0, head, b""),
        Frame(Kind.DATA, id, 0, b"", body),
        Frame(Kind.BEGIN, id, 200, head, b""),
        Frame(Kind.END, id, 0, head, b""),
        Frame(Kind.RESET, id, 0, b"", b""),
    ]


def test_a_credit_that_is_no_number_is_refused() -> None:
    with pytest.raises(BadRequest):
        decode_credit(Frame(Kind.CREDIT, 1, 0, b"", b"123"))


@given(st.sampled_from(["GET", "POST"]), text, text, st.lists(st.tuples(text, text), max_size=5))
def test_a_request_head_decodes_to_itself(
    method: str, path: bytes, query: bytes, headers: list[tuple[bytes, bytes]]
) -> None:
    head = decode_request_head(encode_request_head(method, path.decode("latin-1"), query, headers))

    assert (head.method, head.path, head.query, head.headers) == (method, path.decode("latin-1"), query, headers)


@pytest.mark.parametrize("head", [b"", b"GET", b"GET\0/", b"GET\0/\0\0name"])
def test_a_malformed_request_head_is_refused(head: bytes) -> None:
    with pytest.raises(BadRequest):
        decode_request_head(head)


def test_a_frame_over_the_limit_or_with_a_head_longer_than_itself_is_refused() -> None:
    with pytest.raises(BadRequest):
        FrameDecoder(most_bytes=10).feed(request_prefix(1, b"", b"x" * 11))
    with pytest.raises(BadRequest):
        FrameDecoder().feed(b"\0\0\0\1" + b"\0\0\0\1" + b"\1\0\0\0" + b"\0\0\0\2")


@given(st.lists(st.binary(max_size=60), max_size=5))
def test_bytes_without_sense_never_crash_the_decoder(pieces: list[bytes]) -> None:
    decoder = FrameDecoder(most_bytes=1000)
    try:
        for piece in pieces:
            decoder.feed(piece)
    except BadRequest:
        pass
