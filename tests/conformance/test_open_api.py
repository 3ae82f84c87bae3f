"""Every OpenAPI description that we publish, held against a server with a client made of the description alone:
Schemathesis asks what the description says can be asked, and each answer must be as it says.

Which numbers a model takes is no matter of a description, so an answer may be a refusal; Seldon's protocol refuses with
500, so there an error is held to its shape instead of its status.
"""

import asyncio
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar

import numpy as np
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis import checks
from schemathesis.core.result import Ok
from schemathesis.specs.openapi import checks as open_api_checks

from fairlead.dataplane.net.server import HttpServer
from fairlead.dataplane.spec import TcpSocket, WorkerSpec
from fairlead.dataplane.surfaces.composing import refusal_of
from fairlead.dataplane.surfaces.openai.routes import VARIABLE
from fairlead.plan.model import Node, Protocol, UnitName
from fairlead.protocols import openai
from fairlead.protocols import openai_answers as answers
from fairlead.protocols.exchange import Headers
from fairlead.protocols.jsontext import compact
from fairlead.protocols.openai import Endpoint
from fairlead.protocols.streaming import is_streamed
from fairlead.runtimes.base import Columns, Signature, TensorSpec
from fairlead.runtimes.generative import Listener
from support.serving import Fake, Times, call, served, unit, worker_spec

pytestmark = pytest.mark.slow

_SHAPE_CHECKS = [
    open_api_checks.status_code_conformance,
    open_api_checks.content_type_conformance,
    open_api_checks.response_headers_conformance,
    open_api_checks.response_schema_conformance,
]
_CHECKS = [checks.not_a_server_error, *_SHAPE_CHECKS]
_EXAMPLES = 25


class WithSignatures(Fake):
    """A model of TensorFlow's kind: one that can be asked by name."""

    def signatures(self) -> dict[str, Signature]:
        given, got = (
            TensorSpec(name="x", datatype="FP64", shape=(-1, 4)),
            TensorSpec(name="y", datatype="FP64", shape=(-1,)),
        )
        return {"serving_default": Signature(inputs=(given,), outputs=(got,), method="tensorflow/serving/predict")}


class Tolerant(Times):
    """A model that takes what it gets, so that what fails is ours."""

    def predict(self, rows: Any) -> Any:
        return rows * self.factor if rows.dtype.kind in "iuf" else rows


class Talking:
    """The side of a model that answers OpenAI's requests; it reads them as real ones do, and says little."""

    endpoints = frozenset(Endpoint)
    _reads: ClassVar[Mapping[Endpoint, Any]] = {
        Endpoint.COMPLETIONS: openai.completion_request,
        Endpoint.CHAT: openai.chat_request,
        Endpoint.EMBEDDINGS: openai.embedding_request,
        Endpoint.RERANK: openai.rerank_request,
    }

    def start(
        self, endpoint: Endpoint, model: str, body: Mapping[str, Any], headers: Headers, listener: Listener
    ) -> "Talking":
        asked, head = self._reads[endpoint](body), answers.Head(id="1", created=1, model=model)
        if endpoint is Endpoint.EMBEDDINGS:
            listener.answered(compact(answers.embeddings(model, np.ones((1, 2)), 1, is_base64=asked.is_base64)))
        elif endpoint is Endpoint.RERANK:
            listener.answered(compact(answers.rerank(head, [(0, 0.5)], None, 1)))
        elif asked.is_streamed:
            listener.said(b"data: {}\n\n")
            listener.ended()
        else:
            written = answers.completion(head, [], answers.usage(1, 1), tells_logprobs=False)
            listener.answered(compact(written))
        return self

    def leave(self) -> None: ...
    def hold(self) -> None: ...
    def go_on(self) -> None: ...
    def close(self) -> None: ...


class Talker(Fake):
    """A model that generates and embeds."""

    openai = Talking()


OPENAIS = (*Endpoint, "/models")
"""The ends of OpenAI's paths: those of the protocols beside them are held to their descriptions without them."""


def fake(kind: type[Fake] = Fake) -> Fake:
    return kind("m", rows=Tolerant(), columns=Columns(count=4), aggregate=lambda values: values[0])


def spec(protocol: Protocol, **fields: Any) -> WorkerSpec:
    return worker_spec([unit("m")], call("m"), protocol=protocol, **fields)


DRAWING = Node(unit=UnitName("m"), kind="model")
SURFACES = {
    "seldon graph": (spec(Protocol.SELDON, drawing=DRAWING), "/api/v1.0/doc/seldon.json"),
    "seldon graph, old paths": (spec(Protocol.SELDON, drawing=DRAWING), "/api/v0.1/doc/seldon.json"),
    "seldon unit": (spec(Protocol.SELDON, single_unit=True), "/seldon.json"),
    "v2": (spec(Protocol.V2), "/v2/docs/dataplane.yaml"),
    "v2 of a seldon graph": (spec(Protocol.V2, drawing=DRAWING), "/v2/docs/dataplane.yaml"),
    "v1": (spec(Protocol.V1), "/openapi.json"),
    "tensorflow": (spec(Protocol.TENSORFLOW), "/openapi.json"),
    "v2 with openai": (spec(Protocol.V2, component="talker"), "/v2/docs/dataplane.yaml"),
    "v1 with openai": (spec(Protocol.V1, component="talker"), "/openapi.json"),
    "openai alone": (spec(Protocol.V1, component="talker", env={VARIABLE: ""}), "/openapi.json"),
}


@contextmanager
def serving(of: WorkerSpec) -> Iterator[str]:
    """The address of a worker's surfaces on a loop of their own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    async def start() -> tuple[HttpServer, int]:
        kind = WithSignatures if of.revision.protocol is Protocol.TENSORFLOW else Fake
        kind = Talker if of.component == "talker" else kind
        surfaces = served(of, m=fake(kind)).handler
        server = HttpServer(surfaces, refuse=refusal_of(of.revision.protocol), streams=is_streamed)
        return server, await server.listen(TcpSocket("127.0.0.1", 0))

    server, port = asyncio.run_coroutine_threadsafe(start(), loop).result(10)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        asyncio.run_coroutine_threadsafe(server.drain(0), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


@pytest.mark.parametrize("name", SURFACES)
def test_a_surface_answers_as_its_description_says(name: str) -> None:
    of, path = SURFACES[name]
    wanted = _SHAPE_CHECKS if of.revision.protocol is Protocol.SELDON else _CHECKS
    with serving(of) as url, requests.Session() as session:
        schema = schemathesis.openapi.from_url(url + path)
        # What is unloaded is not there for the next question.
        for found in schema.get_all_operations():
            assert isinstance(found, Ok), found
            operation = found.ok()
            is_held = of.component == "talker" and not operation.path.endswith(OPENAIS)
            if not operation.path.endswith("/unload") and not is_held:
                _hold(operation, url, session, wanted)


def _hold(operation: Any, url: str, session: requests.Session, wanted: list[Any]) -> None:
    @seed(1)
    @settings(
        max_examples=_EXAMPLES if operation.method == "post" else 5,
        deadline=None,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy())
    def ask(case: Any) -> None:
        answer = case.call(base_url=url, session=session, timeout=20)
        assert b"internal error" not in answer.content
        case.validate_response(answer, checks=wanted)

    ask()


@pytest.mark.parametrize("name", SURFACES)
def test_every_example_of_a_description_is_answered(name: str) -> None:
    of, path = SURFACES[name]
    with serving(of) as url, requests.Session() as session:
        described = session.get(url + path, headers={"X-Forwarded-Prefix": "/a/b"}, timeout=20).json()
        asked = 0
        for place, verbs in described["paths"].items():
            assert place.startswith("/a/b/")
            for verb, operation in verbs.items():
                bodies = operation.get("requestBody", {}).get("content", {})
                examples = [(kind, body["example"]) for kind, body in bodies.items() if "example" in body]
                if not bodies and "parameters" not in operation:
                    examples = [("", None)]
                for kind, example in examples:
                    headers = {"Content-Type": kind} if kind else {}
                    answer = session.request(verb, url + place[4:], json=example, headers=headers, timeout=20)
                    assert answer.status_code == 200, (place, answer.text)
                    asked += 1
    assert asked >= 4


@pytest.mark.parametrize("name", SURFACES)
def test_a_page_beside_the_description_tries_it(name: str) -> None:
    of, path = SURFACES[name]
    with serving(of) as url, requests.Session() as session:
        folder = path.rpartition("/")[0] or "/docs"
        moved = session.get(url + folder, allow_redirects=False, timeout=20)
        assert (moved.status_code, moved.headers["Location"]) == (301, f"{folder}/")
        page, script = (session.get(f"{url}{folder}/{file}", timeout=20) for file in ("", "start.js"))
        assert page.headers["Content-Type"] == "text/html; charset=utf-8"
        relative = path.rpartition("/")[2] if path.startswith(f"{folder}/") else f"..{path}"
        assert f'"{relative}"' in script.text


@pytest.mark.parametrize("name", ["v2 with openai", "v1 with openai", "openai alone"])
def test_a_model_that_talks_has_openais_paths_in_its_description(name: str) -> None:
    of, path = SURFACES[name]
    with serving(of) as url, requests.Session() as session:
        described = session.get(url + path, headers={"X-Forwarded-Prefix": "/a"}, timeout=20).json()
    base = "/a/v1" if name == "openai alone" else "/a/openai/v1"

    assert {f"{base}/{end}" for end in (*Endpoint, "models")} <= set(described["paths"])
    example = described["paths"][f"{base}/chat/completions"]["post"]["requestBody"]["content"]["application/json"]
    assert example["example"]["model"] == "m"
