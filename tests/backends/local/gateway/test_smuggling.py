"""What a gateway passes on means one thing: shapes that proxies and servers have read in two ways are refused, or reach
the worker in a form that has one reading."""

import pytest

from support.gateways import bench, pool, service
from support.h2_frames import END_HEADERS, END_STREAM, HEADERS, block, call, frame
from support.h2_wire import h2_wire_to
from support.wire import get, wire_to

pytestmark = pytest.mark.anyio

PATH = "/seldon/ns/iris/predict"
HIDDEN = b"GET /seldon/ns/iris/hidden HTTP/1.1\r\nHost: a\r\n\r\n"


def raw(*lines: bytes, body: bytes = b"") -> bytes:
    return b"\r\n".join((b"POST %b HTTP/1.1" % PATH.encode(), *lines, b"", body))


@pytest.mark.parametrize(
    "sent",
    [
        raw(b"Host: a", b"Content-Length: 4", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n" + HIDDEN),
        raw(b"Host: a", b"Transfer-Encoding: chunked", b"Content-Length: 4", body=b"0\r\n\r\n" + HIDDEN),
        raw(b"Host: a", b"Content-Length: 0", b"Content-Length: 49", body=HIDDEN),
        raw(b"Host: a", b"Content-Length: 0, 49", body=HIDDEN),
        raw(b"Host: a", b"Content-Length: +49", body=HIDDEN),
        raw(b"Host: a", b"Content-Length: 0x31", body=HIDDEN),
        raw(b"Host: a", b"Content-Length : 49", body=HIDDEN),
        raw(b"Host: a", b"Transfer-Encoding: xchunked", body=b"0\r\n\r\n" + HIDDEN),
        raw(b"Host: a", b"Transfer-Encoding: chunked, identity", body=b"0\r\n\r\n" + HIDDEN),
        raw(b"Host: a", b"Transfer-Encoding: identity", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n" + HIDDEN),
        raw(b"Host: a", b"Transfer-Encoding:\x0bchunked", body=b"0\r\n\r\n" + HIDDEN),
        raw(b"Host: a", b"X: y\nTransfer-Encoding: chunked", body=b"0\r\n\r\n" + HIDDEN),
        raw(b"Host: a", b"X: y\rTransfer-Encoding: chunked", body=b"0\r\n\r\n" + HIDDEN),
        raw(b"Host: a", b"X: y", b" Transfer-Encoding: chunked", body=b"0\r\n\r\n" + HIDDEN),
        raw(b"Host: a", b"Transfer-Encoding", b" : chunked", body=b"0\r\n\r\n" + HIDDEN),
        raw(b"Host: a", b"Transfer-Encoding: chunked", body=b"0\n\n" + HIDDEN),
        raw(b"Host: a", b"Transfer-Encoding: chunked", body=b"0;a\n\r\n\r\n" + HIDDEN),
        raw(b"Host: a", b"Transfer-Encoding: chunked", body=b"-1\r\n\r\n" + HIDDEN),
        raw(b"Host: a", b"Transfer-Encoding: chunked", body=b"1\r\nab0\r\n\r\n" + HIDDEN),
        raw(b"Host: a", b"Host: b"),
        raw(b"Host: a/seldon/ns/other"),
        raw(b"Host: user@a"),
        raw(b"Host: a", b"X: \0y"),
        b"GET " + PATH.encode() + b" RTSP/1.0\r\nHost: a\r\n\r\n" + HIDDEN,
        b"GET " + PATH.encode() + b" ICE/1.0\r\nHost: a\r\n\r\n" + HIDDEN,
    ],
)
async def test_a_request_with_two_readings_is_refused_and_nothing_after_it_is_read(sent: bytes) -> None:
    async with bench() as made:
        worker = await made.worker("w")
        await made.serve(service("iris", {"default": pool(worker)}))

        async with wire_to(made.port) as wire:
            await wire.send(sent)
            answer = await wire.receive()
            rest = await wire.rest()

    assert answer.status in (400, 501, 505)
    assert rest == b""
    assert worker.requests == []


async def test_one_body_in_chunks_is_one_request_and_what_follows_is_the_next() -> None:
    async with bench() as made:
        worker = await made.worker("w")
        await made.serve(service("iris", {"default": pool(worker)}))

        async with wire_to(made.port) as wire:
            body = b'5;x=%b\r\n{"a":\r\n2\r\n1}\r\n0\r\nContent-Length: 99\r\nX-Trailer: 1\r\n\r\n' % b"y"
            sent = raw(b"Host: a", b"Transfer-Encoding: chunked", body=body)
            assert (await wire.ask(sent + get("/seldon/ns/iris/next"))).status == 200
            assert (await wire.receive()).status == 200

    first, second = worker.requests
    assert (first.path, first.body, second.path, second.body) == ("/predict", b'{"a":1}', "/next", b"")
    forwarded = {name for name, _ in first.headers}
    assert forwarded == {b"host", b"x-forwarded-prefix"}


async def test_connection_takes_away_nothing_that_says_how_to_read_a_request() -> None:
    async with bench() as made:
        worker = await made.worker("w")
        await made.serve(service("iris", {"default": pool(worker)}))

        async with wire_to(made.port) as wire:
            hop = b"Connection: content-length, Content-Type, host, content-encoding, x-forwarded-prefix, X-Own"
            lines = (b"Host: a", b"Content-Type: text/x", b"Content-Encoding: gzip", b"X-Own: 1", b"Content-Length: 2")
            await wire.ask(raw(*lines, hop, body=b"{}"))

    (request,) = worker.requests
    assert request.body == b"{}"
    assert request.headers == [
        (b"host", b"a"),
        (b"content-type", b"text/x"),
        (b"content-encoding", b"gzip"),
        (b"x-forwarded-prefix", b"/seldon/ns/iris"),
    ]


USUAL = [(":method", "POST"), (":scheme", "http"), (":path", PATH), (":authority", "a")]


def instead(name: str, value: str) -> list[tuple[str, str]]:
    return [(key, value if key == name else old) for key, old in USUAL]


@pytest.mark.parametrize(
    "headers",
    [
        instead(":method", "GET /hidden HTTP/1.1"),
        instead(":method", "G\xc9T"),
        instead(":method", ""),
        instead(":path", f"{PATH} HTTP/1.1"),
        instead(":path", f"{PATH}\r\nX: y"),
        instead(":path", f"{PATH}\xe9"),
        instead(":path", "seldon/ns/iris/predict"),
        instead(":path", f"http://a{PATH}"),
        instead(":authority", "a/seldon"),
        instead(":authority", "user@a"),
        instead(":authority", "a b"),
        [*USUAL, (":path", "/hidden")],
        [*USUAL, ("x", "y"), (":authority", "b")],
        [*USUAL, ("transfer-encoding", "chunked")],
        [*USUAL, ("connection", "close")],
        [*USUAL, ("content-length", "1")],
        [*USUAL, ("content-length", "2"), ("content-length", "3")],
        [*USUAL, ("x y", "z")],
        [*USUAL, ("x:y", "z")],
        [*USUAL, ("x", "y\r\nz: w")],
        [*USUAL, ("x", "y\0z")],
        [*USUAL[:3], ("host", "a"), ("host", "b")],
    ],
)
async def test_an_http2_request_that_http1_could_not_carry_is_reset(headers: list[tuple[str, str]]) -> None:
    async with bench() as made:
        worker = await made.worker("w")
        await made.serve(service("iris", {"default": pool(worker)}))

        async with h2_wire_to(made.port) as wire:
            await wire.send(call(1, b"{}", headers), call(3, b"{}", USUAL))
            refused, good = await wire.answer(1), await wire.answer(3)

    assert refused.reset > 0 or refused.headers[":status"] == "400"
    assert good.headers[":status"] == "200"
    assert [request.path for request in worker.requests] == ["/predict"]


async def test_the_authority_is_the_one_host_that_a_worker_sees() -> None:
    async with bench() as made:
        worker = await made.worker("w")
        await made.serve(service("iris", {"default": pool(worker)}))

        async with h2_wire_to(made.port) as wire:
            await wire.send(frame(HEADERS, END_HEADERS | END_STREAM, 1, block([*USUAL, ("host", "b"), ("x", "\xe9")])))
            await wire.answer(1)

    (request,) = worker.requests
    assert [value for name, value in request.headers if name == b"host"] == [b"a"]
