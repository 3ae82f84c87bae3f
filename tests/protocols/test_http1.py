"""Requests out of bytes: the same whatever the pieces, and what cannot be trusted is refused with the right status."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairlead.protocols.chunked import LAST_CHUNK, encode_chunk
from fairlead.protocols.exchange import Request
from fairlead.protocols.http1 import HeadMemory, Limits, Phase, RequestParser

SMALL = Limits(header_bytes=400, header_count=12, url_bytes=100, body_bytes=200)

Seen = tuple[str, str, bytes, list[tuple[bytes, bytes]], bytes]


def seen(request: Request) -> Seen:
    return (request.method, request.path, request.query, request.headers, request.body)


def parse(pieces: list[bytes], memory: HeadMemory | None = None) -> tuple[list[Seen], int | None]:
    """What a parser makes of a connection's bytes: the requests, and the status of the refusal if there is one."""
    parser = RequestParser(SMALL, memory)
    requests = [seen(request) for piece in pieces for request in parser.feed(piece)]
    return requests, parser.failure.http if parser.failure is not None else None


def split(wire: bytes, cuts: list[int]) -> list[bytes]:
    edges = sorted({0, len(wire), *(cut % (len(wire) + 1) for cut in cuts)})
    return [wire[start:stop] for start, stop in itertools.pairwise(edges)]


def one(wire: bytes) -> Request:
    (request,) = RequestParser(SMALL).feed(wire)
    return request


names = st.sampled_from([b"Accept", b"x-a", b"X-B", b"User-Agent", b"cookie"])
values = st.binary(max_size=12).map(lambda raw: bytes(byte for byte in raw if 32 < byte < 127))
headers = st.lists(st.tuples(names, values).map(lambda pair: pair[0] + b": " + pair[1] + b"\r\n"), max_size=4).map(
    b"".join
)
paths = st.sampled_from([b"/", b"/a/b?c=d&e", b"/%7Euser?", b"http://other/x", b"/seldon/ns/name/api/v1.0/predictions"])
bodies = st.binary(max_size=60)


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    start = draw(st.sampled_from([b"GET ", b"POST ", b"HEAD ", b"PUT "])) + draw(paths) + b" HTTP/1.1\r\nHost: h\r\n"
    start += draw(headers)
    body = draw(bodies)
    match draw(st.integers(0, 3)):
        case 0:
            return start + b"\r\n"
        case 1:
            pieces = [body[i : i + 7] for i in range(0, len(body), 7)]
            return start + b"Transfer-Encoding: chunked\r\n\r\n" + b"".join(map(encode_chunk, pieces)) + LAST_CHUNK
        case 2:
            return b"\r\n" + start + b"Content-Length: %d\r\n\r\n" % len(body) + body
        case _:
            return start + b"Content-Length: %d\r\n\r\n" % len(body) + body


mistakes = st.sampled_from(
    [
        b"",
        b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n",
        b"GET / HTTP/1.1\nHost: h\n\n",
        b"GET / HTTP/1.1\r\nHost: h\r\nBad Header: 1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: h\r\nA: " + b"b" * 500 + b"\r\n\r\n",
        b"GET /" + b"u" * 300 + b" HTTP/1.1\r\nHost: h\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 201\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET / HTTP/1.1\r\nHost: h\r\n" + b"A: b\r\n" * 20 + b"\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ]
)


@settings(deadline=None)
@given(st.lists(requests(), max_size=4), mistakes, st.lists(st.integers(0, 2000), max_size=8))
def test_any_split_of_the_bytes_gives_the_same_requests_and_the_same_refusal(
    wires: list[bytes], mistake: bytes, cuts: list[int]
) -> None:
    wire = b"".join(wires) + mistake

    whole = parse([wire])
    pieces = parse(split(wire, cuts))
    single_bytes = parse([wire[i : i + 1] for i in range(len(wire))])

    assert pieces == whole
    assert single_bytes == whole
    assert len(whole[0]) >= len(wires)


@settings(deadline=None)
@given(st.lists(requests(), min_size=1, max_size=5), st.lists(st.integers(0, 2000), max_size=6))
def test_a_parser_that_remembers_heads_gives_what_one_without_memory_gives(wires: list[bytes], cuts: list[int]) -> None:
    memory = HeadMemory()
    plain = parse(wires)

    by_request = [parse(wires, memory) for _ in range(3)]
    by_split = parse(split(b"".join(wires), cuts), memory)

    assert by_request == [plain] * 3
    assert by_split == plain


@settings(deadline=None)
@given(st.lists(st.binary(max_size=80), max_size=6))
def test_bytes_without_sense_never_crash_the_parser(pieces: list[bytes]) -> None:
    _, status = parse(pieces)

    assert status is None or 400 <= status < 600


@settings(deadline=None)
@given(requests(), st.integers(0, 300), st.binary(min_size=1, max_size=3))
def test_a_request_with_a_few_wrong_bytes_is_taken_or_refused_but_never_crashes(
    wire: bytes, at: int, junk: bytes
) -> None:
    at %= len(wire)

    _, status = parse([wire[:at] + junk + wire[at + len(junk) :]])

    assert status is None or 400 <= status < 600


def status_of(wire: bytes) -> int | None:
    return parse([wire])[1]


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        (b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", 400),
        (b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n", 400),
        (b"Content-Length: 3\r\nContent-Length: 4\r\n", 400),
        (b"Content-Length: 3\r\nContent-Length: 3\r\n", 400),
        (b"Content-Length: 3, 3\r\n", 400),
        (b"Content-Length: +3\r\n", 400),
        (b"Content-Length: 0x3\r\n", 400),
        (b"Content-Length: -1\r\n", 400),
        (b"Content-Length: 99999999999999999999\r\n", 400),
        (b"Transfer-Encoding: chunked, identity\r\n", 400),
        (b"Transfer-Encoding: gzip, chunked\r\n", 501),
        (b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", 400),
        (b"Transfer-Encoding : chunked\r\n", 400),
        (b"Transfer-Encoding: xchunked\r\n", 400),
        (b"Host: other\r\n", 400),
        (b"A: b\r\n folded\r\n", 400),
        (b"A: b\x00c\r\n", 400),
        (b"A: b\rc\r\n", 400),
        (b": b\r\n", 400),
        (b"Expect: the-unexpected\r\n", 417),
        (b"Content-Length: 201\r\n", 413),
        (b"A: b\r\n" * 12, 431),
        (b"A: " + b"b" * 400 + b"\r\n", 431),
    ],
)
def test_a_head_that_could_mean_two_things_or_too_much_is_refused(lines: bytes, status: int) -> None:
    assert status_of(b"POST / HTTP/1.1\r\nHost: h\r\n" + lines + b"\r\n") == status


@pytest.mark.parametrize(
    ("wire", "status"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/2.0\r\nHost: h\r\n\r\n", 505),
        (b"GET /\r\n\r\n", 505),
        (b"GET / HTTP/9.9\r\nHost: h\r\n\r\n", 400),
        (b"NONSENSE / HTTP/1.1\r\nHost: h\r\n\r\n", 400),
        (b"CONNECT host:443 HTTP/1.1\r\nHost: host:443\r\n\r\n", 501),
        (b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        (b"GET relative HTTP/1.1\r\nHost: h\r\n\r\n", 400),
        (b"GET / RTSP/1.0\r\nHost: h\r\n\r\n", 400),
        (b"SOURCE / ICE/1.0\r\nHost: h\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: h/path\r\n\r\n", 400),
        (b"GET http://user@h/ HTTP/1.1\r\nHost: h\r\n\r\n", 400),
        (b"GET /" + b"a" * 200 + b" HTTP/1.1\r\nHost: h\r\n\r\n", 414),
    ],
)
def test_a_request_line_we_do_not_speak_is_refused(wire: bytes, status: int) -> None:
    assert status_of(wire) == status


def test_bare_line_feeds_are_refused_before_the_head_ends() -> None:
    assert status_of(b"GET / HTTP/1.1\n") == 400


def test_an_endless_request_line_is_refused_as_too_long_a_url() -> None:
    assert status_of(b"GET /" + b"a" * 500) == 414


def test_header_names_are_lower_case_and_values_keep_their_bytes() -> None:
    request = one(b"GET /p?q=%20#frag HTTP/1.1\r\nHost: h\r\nX-Name:  \xe4 b \t\r\nEmpty:\r\n\r\n")

    assert (request.path, request.query) == ("/p", b"q=%20")
    assert request.headers == [(b"host", b"h"), (b"x-name", b"\xe4 b"), (b"empty", b"")]


def test_an_absolute_target_names_the_host() -> None:
    request = one(b"GET http://other:81/x/y?z HTTP/1.1\r\nHost: h\r\n\r\n")

    assert (request.path, request.query, request.header(b"host")) == ("/x/y", b"z", b"other:81")


def test_an_offered_upgrade_is_not_taken() -> None:
    request = one(b"POST / HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: h2c\r\nContent-Length: 2\r\n\r\nab")

    assert request.body == b"ab"


def test_nothing_is_read_after_a_request_that_closes() -> None:
    close = b"GET /1 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"

    requests, status = parse([close + b"GET /2 HTTP/1.1\r\nHost: h\r\n\r\n", b"garbage"])

    assert ([request[1] for request in requests], status) == (["/1"], None)


@pytest.mark.parametrize(
    ("version", "header", "line"),
    [
        (b"1.1", b"", b""),
        (b"1.1", b"Connection: close\r\n", b"Connection: close\r\n"),
        (b"1.0", b"", b"Connection: close\r\n"),
        (b"1.0", b"Connection: keep-alive\r\n", b"Connection: keep-alive\r\n"),
    ],
)
def test_the_version_and_the_connection_header_say_whether_a_client_stays(
    version: bytes, header: bytes, line: bytes
) -> None:
    request = one(b"GET / HTTP/" + version + b"\r\nHost: h\r\n" + header + b"\r\n")

    assert request.head is not None
    assert request.head.connection == line


def test_a_client_that_waits_for_continue_is_noticed_and_one_that_does_not_wait_is_not() -> None:
    head = b"POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"
    waiting, eager = RequestParser(SMALL), RequestParser(SMALL)

    waiting.feed(head)
    eager.feed(head + b"a")

    assert (waiting.wants_continue, eager.wants_continue) == (True, False)
    assert (waiting.phase, [request.body for request in waiting.feed(b"ab")]) == (Phase.BODY, [b"ab"])


def test_requests_that_repeat_a_head_share_it() -> None:
    wire = b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\n"
    parser = RequestParser(SMALL, HeadMemory())

    _, second, third = (request for body in (b"a", b"b", b"c") for request in parser.feed(wire + body))

    assert second.head is third.head
    assert (second.body, third.body) == (b"b", b"c")


def test_the_memory_of_heads_is_bounded() -> None:
    memory = HeadMemory()
    parser = RequestParser(SMALL, memory)

    for number in range(2000):
        for _ in range(3):
            parser.feed(b"GET /%d HTTP/1.1\r\nHost: h\r\n\r\n" % number)

    assert 0 < len(memory) <= 512


def test_heads_that_never_repeat_are_not_kept() -> None:
    memory = HeadMemory()
    parser = RequestParser(SMALL, memory)

    for number in range(2000):
        parser.feed(b"GET /%d HTTP/1.1\r\nHost: h\r\n\r\n" % number)

    assert not memory
