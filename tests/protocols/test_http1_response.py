"""Answers as bytes."""

import pytest

from fairlead.protocols.chunked import LAST_CHUNK, encode_chunk
from fairlead.protocols.exchange import Response
from fairlead.protocols.http1_response import StatusLines, begin_stream, encode, encode_body, encode_head, reason_phrase


def test_an_answer_has_its_length_and_nothing_it_did_not_ask_for() -> None:
    wire = encode(Response(200, b"X: y\r\n", b"body"), StatusLines())

    assert wire == b"HTTP/1.1 200 OK\r\nX: y\r\nContent-Length: 4\r\n\r\nbody"


def test_a_date_is_added_once_the_clock_is_set_and_follows_it() -> None:
    lines = StatusLines()
    lines.set_clock(0)
    first = lines.get(404)
    lines.set_clock(1)

    assert first == b"HTTP/1.1 404 Not Found\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\n"
    assert lines.get(404) == b"HTTP/1.1 404 Not Found\r\nDate: Thu, 01 Jan 1970 00:00:01 GMT\r\n"


@pytest.mark.parametrize("status", [204, 304])
def test_codes_without_a_body_have_no_length_either(status: int) -> None:
    response = Response(status, b"", b"never sent")

    assert encode(response, StatusLines()).endswith(b"\r\n\r\n")
    assert b"Content-Length" not in encode_head(response, StatusLines())
    assert encode_body(response) == b""


@pytest.mark.parametrize(
    ("status", "phrase"),
    [
        (200, "OK"),
        (500, "Internal Server Error"),
        (431, "Request Header Fields Too Large"),
        (499, "Bad Request"),
        (999, "Unknown"),
    ],
)
def test_every_code_has_a_phrase(status: int, phrase: str) -> None:
    assert reason_phrase(status) == phrase


def test_a_streamed_answer_is_a_head_and_chunks() -> None:
    wire = begin_stream(200, b"X: y\r\n", StatusLines()) + encode_chunk(b"0123456789abcdef!") + LAST_CHUNK

    assert wire == (
        b"HTTP/1.1 200 OK\r\nX: y\r\nTransfer-Encoding: chunked\r\n\r\n11\r\n0123456789abcdef!\r\n0\r\n\r\n"
    )
