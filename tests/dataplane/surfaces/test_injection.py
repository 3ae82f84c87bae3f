"""What a client sends never becomes a line of an answer's head, a path of this machine, or markup of a page."""

import re
import tracemalloc
from typing import Any

import pytest

from fairlead.dataplane.spec import TcpSocket
from fairlead.plan.model import Node, Protocol, UnitName
from fairlead.protocols.exchange import Request
from support.serving import JSON, Fake, Served, Times, ask, call, served, unit, worker_spec

pytestmark = pytest.mark.anyio

EVIL = "a\r\nX-Injected: 1\r\n\r\n<script>"
LINES = re.compile(rb"(?:[!#$%&'*+\-.^_`|~0-9A-Za-z]+: [\t\x20-\x7e\x80-\xff]*\r\n)*")
DRAWING = Node(unit=UnitName("m"), kind="model")
EVENT = [(b"ce-specversion", b"1.0"), (b"ce-id", b"a%0d%0aX-Injected: 1"), (b"ce-source", b"s"), (b"ce-type", b"t")]
TENSOR = {"name": EVIL, "shape": [1, 1], "datatype": "FP64", "data": [1.0]}
WHOLE_EVENT = {"specversion": "1.0", "id": EVIL, "source": EVIL, "type": EVIL, EVIL: EVIL}


def surface(protocol: Protocol, *, is_seldon: bool) -> Served:
    env = {"CE_MERGE": "true"}
    drawing = DRAWING if is_seldon else None
    spec = worker_spec([unit("m")], call("m"), protocol=protocol, drawing=drawing, env=env, http=TcpSocket("h", 0))
    return served(spec, m=Fake("m", rows=Times()))


BODIES: list[tuple[Protocol, str, Any]] = [
    (
        Protocol.SELDON,
        "/api/v1.0/predictions",
        {"data": {"ndarray": [[1.0]]}, "meta": {"puid": EVIL, "tags": {EVIL: EVIL}}},
    ),
    (Protocol.SELDON, "/api/v1.0/feedback", {"request": {"meta": {"puid": EVIL}}, "reward": 1.0}),
    (Protocol.SELDON, "/predict", {"data": {"names": [EVIL], "ndarray": [[1.0]]}, "meta": {"puid": EVIL}}),
    (Protocol.SELDON, "/api/v1.0/predictions", {EVIL: EVIL}),
    (Protocol.V2, "/v2/models/m/infer", {"id": EVIL, "inputs": [TENSOR], "parameters": {EVIL: EVIL}}),
    (Protocol.V2, "/v2/models/m/infer", {"id": EVIL, "inputs": [TENSOR], "outputs": [{"name": EVIL}]}),
    (Protocol.V2, "/v2/models/m%0d%0aX-Injected:%201/infer", {"inputs": [TENSOR]}),
    (Protocol.V2, "/v2/repository/models/a%0d%0aX-Injected:%201/load", {}),
    (Protocol.V1, "/v1/models/m:predict", {"instances": [[1.0]], EVIL: EVIL}),
    (Protocol.V1, "/v1/models/m%0d%0aX-Injected:%201:predict", {"instances": [[1.0]]}),
    (Protocol.V1, "/v1/models/m:predict", WHOLE_EVENT | {"data": {"instances": [[1.0]]}}),
    (Protocol.TENSORFLOW, "/v1/models/m:predict", {"instances": [[1.0]], "signature_name": EVIL}),
    (Protocol.TENSORFLOW, "/v1/models/m%0d%0aX-Injected:%201/versions/1:predict", {"instances": [[1.0]]}),
]


@pytest.mark.parametrize("is_seldon", [False, True])
@pytest.mark.parametrize(("protocol", "path", "value"), BODIES)
async def test_no_word_of_a_request_becomes_a_header(
    protocol: Protocol, path: str, value: Any, is_seldon: bool
) -> None:
    it = surface(protocol, is_seldon=is_seldon)
    kinds: list[list[tuple[bytes, bytes]]] = [[], EVENT, [(b"content-type", b"application/cloudevents+json")]]
    for headers in kinds:
        response = await it.post(path, value, *headers)

        assert LINES.fullmatch(response.headers), response.headers
        assert b"\r\nx-injected" not in b"\r\n" + response.headers.lower()
        assert b"Content-Type: text/html" not in response.headers


PAGES = [
    (Protocol.SELDON, "/api/v1.0/doc"),
    (Protocol.SELDON, "/docs"),
    (Protocol.V2, "/v2/docs"),
    (Protocol.V1, "/docs"),
    (Protocol.TENSORFLOW, "/docs"),
]
OUTSIDE = [
    "../worker.py",
    "..%2fworker.py",
    "%2e%2e/worker.py",
    "/etc/passwd",
    "....//worker.py",
    "LICENSE",
    "\0",
    "start.js/..",
]


@pytest.mark.parametrize(("protocol", "folder"), PAGES)
@pytest.mark.parametrize("name", OUTSIDE)
async def test_a_page_serves_its_own_files_alone(protocol: Protocol, folder: str, name: str) -> None:
    it = surface(protocol, is_seldon=False)

    response = await it.get(f"{folder}/{name}")

    assert response.status in (400, 404)
    assert b"import " not in response.body
    assert (await it.get(f"{folder}/index.html")).status == 200


@pytest.mark.parametrize(("protocol", "folder"), PAGES)
async def test_a_prefix_of_a_client_sends_nobody_elsewhere(protocol: Protocol, folder: str) -> None:
    it = surface(protocol, is_seldon=False)
    for told in (b"//evil.example", b"https://evil.example", b"/\\evil.example", b"/a\r\nX-Injected: 1"):
        request = Request("GET", folder, b"", [JSON, (b"x-forwarded-prefix", told)], b"")

        lines = (await ask(it.handler, request)).headers.lower().split(b"\r\n")

        (location,) = [line for line in lines if line.startswith(b"location: ")]
        assert location.removeprefix(b"location: ") in (
            folder.encode(), b"/evil.example" + folder.encode() + b"/", folder.encode() + b"/"
        )  # fmt: skip


async def test_metrics_asked_for_together_are_written_once() -> None:
    it = surface(Protocol.SELDON, is_seldon=True)
    answers: list[Any] = []
    for _ in range(3):
        it.handler(Request("GET", "/prometheus", b"", [], b""), answers.append)
    later = await it.get("/prometheus")

    assert answers[0] is answers[1] is answers[2]
    assert later.status == 200
    await it.post("/api/v1.0/predictions", {"data": {"ndarray": [[1.0]]}})
    assert (await it.get("/prometheus")).body != later.body


async def test_values_that_make_no_array_fill_no_log_with_tracebacks(caplog: pytest.LogCaptureFixture) -> None:
    it = surface(Protocol.SELDON, is_seldon=True)

    response = await it.post("/api/v1.0/predictions", {"data": {"tensor": {"shape": [3], "values": [1.0]}}})

    assert response.status == 500
    (record,) = caplog.records
    assert (record.levelname, record.exc_info) == ("WARNING", None)
    assert "cannot reshape" in record.message


@pytest.mark.parametrize(
    ("protocol", "base"), [(Protocol.V1, "/v1"), (Protocol.V2, "/v2"), (Protocol.TENSORFLOW, "/v1")]
)
async def test_paths_that_clients_make_up_fill_no_memory(protocol: Protocol, base: str) -> None:
    it = surface(protocol, is_seldon=False)
    await it.get(f"{base}/models/m")
    tracemalloc.start()
    try:
        for number in range(1500):
            await it.get(f"{base}/models/{number}-{'a' * 8000}")
        held_bytes, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert held_bytes < 4 << 20
    assert (await it.get(f"{base}/models/m")).status == 200
