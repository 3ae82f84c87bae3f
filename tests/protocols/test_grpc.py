"""gRPC's formats as values."""

import gzip
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.errors import BadRequest, FairleadError, GrpcCode, NotFound, TooLarge
from fairlead.protocols.grpc import (
    MessageReader,
    code_of,
    code_of_http,
    decode_binary,
    encode_binary,
    failure_of,
    format_timeout,
    frame_message,
    grpc_failure,
    grpc_response,
    is_grpc,
    parse_timeout,
    quote_message,
    read_message,
    read_metadata,
    unquote_message,
    write_metadata,
)


def test_an_answer_is_a_framed_message_and_an_outcome() -> None:
    answer = grpc_response(b"abc", b"x-a: 1\r\n")

    assert answer.status == 200
    assert answer.headers == b"content-type: application/grpc\r\ngrpc-status: 0\r\nx-a: 1\r\n"
    assert answer.body == b"\0\0\0\0\3abc"


def test_a_failure_has_its_words_and_no_message() -> None:
    answer = grpc_failure(GrpcCode.NOT_FOUND, "größer als 5%\n")

    assert b"grpc-status: 5\r\ngrpc-message: gr%C3%B6%C3%9Fer als 5%25%0A\r\n" in answer.headers
    assert answer.body == b""
    assert failure_of(NotFound("no such model")) == grpc_failure(GrpcCode.NOT_FOUND, "no such model")


@given(st.text(max_size=100))
def test_words_come_back_as_they_were_sent(message: str) -> None:
    quoted = quote_message(message.encode("utf-8", "replace").decode())

    assert unquote_message(quoted) == message.encode("utf-8", "replace").decode()
    assert all(0x20 <= byte < 0x7F for byte in quoted)


def test_broken_escapes_stay_as_they_are() -> None:
    assert unquote_message(b"100% of %4x") == "100% of %4x"


@pytest.mark.parametrize(
    ("value", "seconds"),
    [(b"1S", 1.0), (b"250m", 0.25), (b"3H", 10800.0), (b"2M", 120.0), (b"5u", 5e-6), (b"7n", 7e-9), (b"0S", 0.0)],
)
def test_timeouts_are_read(value: bytes, seconds: float) -> None:
    assert parse_timeout(value) == pytest.approx(seconds)


@pytest.mark.parametrize("value", [b"", b"S", b"1", b"123456789S", b"1s", b"-1S", b"1.5S", b"1S "])
def test_what_is_no_timeout_is_none(value: bytes) -> None:
    assert parse_timeout(value) is None


@given(st.floats(min_value=0, max_value=1e11, allow_nan=False))
def test_a_written_timeout_is_never_earlier_than_asked_and_close_to_it(seconds: float) -> None:
    read = parse_timeout(format_timeout(seconds))

    assert read is not None
    assert read >= seconds * (1 - 1e-12)
    assert math.isclose(read, seconds, rel_tol=1e-4, abs_tol=2e-9)


@given(st.binary(max_size=300))
def test_a_message_reads_as_it_was_framed(message: bytes) -> None:
    assert read_message(frame_message(message), limit_bytes=300) == message


@pytest.mark.parametrize("encoding", [b"gzip", b"deflate"])
def test_a_compressed_message_is_inflated_up_to_the_limit(encoding: bytes) -> None:
    import zlib

    plain = b"a" * 10_000
    packed = gzip.compress(plain) if encoding == b"gzip" else zlib.compress(plain)
    body = b"\1" + len(packed).to_bytes(4, "big") + packed

    assert read_message(body, encoding=encoding, limit_bytes=10_000) == plain
    with pytest.raises(TooLarge):
        read_message(body, encoding=encoding, limit_bytes=9_999)
    with pytest.raises(BadRequest, match="cut short"):
        read_message(b"\1\0\0\0\x08" + packed[:8], encoding=encoding, limit_bytes=10_000)


@pytest.mark.parametrize(
    ("body", "encoding", "code"),
    [
        (b"", b"", GrpcCode.INVALID_ARGUMENT),
        (b"\0\0\0\0\2a", b"", GrpcCode.INVALID_ARGUMENT),
        (b"\0\0\0\0\1ab", b"", GrpcCode.INVALID_ARGUMENT),
        (b"\2\0\0\0\1a", b"", GrpcCode.INVALID_ARGUMENT),
        (b"\1\0\0\0\1a", b"", GrpcCode.INVALID_ARGUMENT),
        (b"\1\0\0\0\1a", b"gzip", GrpcCode.INVALID_ARGUMENT),
        (b"\1\0\0\0\1a", b"snappy", GrpcCode.UNIMPLEMENTED),
        (b"\0\0\1\0\0" + b"a" * 65536, b"", GrpcCode.RESOURCE_EXHAUSTED),
    ],
)
def test_what_is_no_message_fails_with_the_code_of_the_specification(
    body: bytes, encoding: bytes, code: GrpcCode
) -> None:
    with pytest.raises(FairleadError) as caught:
        read_message(body, encoding=encoding, limit_bytes=1000)

    assert caught.value.grpc == code


@given(st.lists(st.binary(max_size=40), max_size=6), st.data())
def test_any_split_of_a_stream_gives_the_same_messages(messages: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(frame_message(message) for message in messages)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    reader = MessageReader(limit_bytes=100)
    seen = []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        seen += reader.feed(stream[start:end])
    reader.end()

    assert seen == messages


def test_a_stream_that_ends_within_a_message_or_holds_a_large_one_is_refused() -> None:
    reader = MessageReader(limit_bytes=10)
    reader.feed(b"\0\0\0\0\5abc")

    with pytest.raises(BadRequest, match="cut short"):
        reader.end()
    with pytest.raises(TooLarge, match="11 bytes"):
        MessageReader(limit_bytes=10).feed(b"\0\0\0\0\x0b")


def test_metadata_is_what_is_left_when_http_and_grpc_have_taken_theirs() -> None:
    headers = [
        (b":path", b"/a/B"),
        (b"host", b"h"),
        (b"te", b"trailers"),
        (b"content-type", b"application/grpc"),
        (b"grpc-timeout", b"1S"),
        (b"seldon", b"model"),
        (b"key-bin", b"AAE,/w"),
    ]

    assert read_metadata(headers) == [(b"seldon", b"model"), (b"key-bin", b"\0\1"), (b"key-bin", b"\xff")]
    assert write_metadata([(b"a", b"b"), (b"c-bin", b"\0\1")]) == [(b"a", b"b"), (b"c-bin", b"AAE")]


@given(st.binary(max_size=50))
def test_binary_metadata_comes_back_with_and_without_padding(value: bytes) -> None:
    coded = encode_binary(value)

    assert decode_binary(coded) == decode_binary(coded + b"=" * (-len(coded) % 4)) == value


def test_binary_metadata_that_is_no_base64_is_refused() -> None:
    with pytest.raises(BadRequest, match="base64"):
        decode_binary(b"a$b")


def test_codes_are_told_from_numbers_and_from_http() -> None:
    assert code_of(b"14") is GrpcCode.UNAVAILABLE
    assert code_of(b"99") is code_of(b"x") is GrpcCode.UNKNOWN
    assert (code_of_http(404), code_of_http(503), code_of_http(418)) == (
        GrpcCode.UNIMPLEMENTED,
        GrpcCode.UNAVAILABLE,
        GrpcCode.UNKNOWN,
    )


@pytest.mark.parametrize(
    ("content_type", "expected"),
    [(b"application/grpc", True), (b"application/grpc+proto", True), (b"application/grpc-web", False), (b"a/b", False)],
)
def test_calls_are_told_by_their_content_type(content_type: bytes, expected: bool) -> None:
    assert is_grpc(content_type) is expected
