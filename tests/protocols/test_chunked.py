"""Chunked bodies: what encodes decodes, in any pieces, and nothing else is taken for chunks."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.errors import BadRequest, TooLarge
from fairlead.protocols.chunked import LAST_CHUNK, ChunkedDecoder, encode_chunk


def decoder(body_bytes: int = 1000, trailer_bytes: int = 100) -> ChunkedDecoder:
    return ChunkedDecoder(body_bytes=body_bytes, trailer_bytes=trailer_bytes)


@given(st.lists(st.binary(min_size=0, max_size=60), max_size=10), st.lists(st.integers(0, 900), max_size=12))
def test_encoded_chunks_decode_to_the_same_bytes_however_they_are_split(pieces: list[bytes], cuts: list[int]) -> None:
    wire = b"".join(encode_chunk(piece) for piece in pieces) + LAST_CHUNK + b"GET /next"
    edges = sorted({0, len(wire), *(cut for cut in cuts if cut < len(wire))})
    chunks = decoder()
    left = b""

    for start, stop in itertools.pairwise(edges):
        data = wire[start:stop]
        left += data[chunks.feed(data, 0) :]

    assert chunks.is_done
    assert chunks.body() == b"".join(pieces)
    assert left == b"GET /next"


def test_extensions_and_trailers_are_read_and_dropped() -> None:
    chunks = decoder()
    wire = b'3;name="a b"\r\nabc\r\n0;x\r\nExpires: never\r\nX-Sum: 1\r\n\r\n'

    end = chunks.feed(wire, 0)

    assert (chunks.is_done, chunks.body(), end) == (True, b"abc", len(wire))


@pytest.mark.parametrize(
    "wire",
    [
        b"g\r\n",
        b"-1\r\n",
        b"0x3\r\nabc\r\n",
        b"3\nabc\n0\n\n",
        b"+3\r\nabc\r\n",
        b"\r\n",
        b"3\r\nabcd\r\n",
        b"3\r\nabcX\r\n",
        b"0\r\nno colon\r\n\r\n",
        b"0\r\n: empty\r\n\r\n",
        b"1234567890abcdef0\r\n",
        b"3 ; \x00\r\nabc\r\n",
        b"1" * 2000,
        b"0\r\n" + b"A: " + b"b" * 200 + b"\r\n\r\n",
    ],
)
def test_bytes_that_are_no_chunks_are_refused(wire: bytes) -> None:
    with pytest.raises(BadRequest):
        decoder().feed(wire, 0)


def test_a_body_over_the_limit_is_refused_when_its_size_is_announced() -> None:
    chunks = decoder(body_bytes=5)
    chunks.feed(b"3\r\nabc\r\n", 0)

    with pytest.raises(TooLarge, match="larger than 5 bytes"):
        chunks.feed(b"3\r\n", 0)
