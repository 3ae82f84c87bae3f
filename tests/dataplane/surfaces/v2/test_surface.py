"""V2 over REST: every path, what answers and refusals look like, and nothing a client sends breaks it."""

import contextlib
import gzip
import json
import re
import zlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairlead.dataplane.spec import WorkerSpec
from fairlead.plan.model import Node, Protocol, UnitName
from fairlead.protocols.exchange import Request, Response
from fairlead.runtimes.base import Columns, ModelState, RepositoryModel, Servable, TensorSpec
from support.serving import JSON, Fake, Served, Times, ask, call, header, served, unit, worker_spec

pytestmark = pytest.mark.anyio

OCTETS = (b"content-type", b"application/octet-stream")
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
INFER = "/v2/models/sum/infer"
ASKED = {"inputs": [{"name": "x", "shape": [1, 2], "datatype": "FP32", "data": [[1, 2]]}]}


def summing(value: Any) -> Any:
    return np.asarray(value).sum(axis=-1)


def spec(name: str = "sum", *, seldon: bool = False, **fields: Any) -> WorkerSpec:
    drawing = Node(unit=UnitName(name), kind="model") if seldon else None
    variant = fields.pop("variant", "")
    return worker_spec([unit(name, variant=variant)], call(name), protocol=Protocol.V2, drawing=drawing, **fields)


def surface(fake: Servable | None = None, **fields: Any) -> Served:
    return served(spec(**fields), sum=fake or Fake("sum", predict=summing))


def value_of(response: Response) -> Any:
    assert header(response, "Content-Type") == "application/json"
    return json.loads(response.body)


def error_of(response: Response) -> tuple[int, str]:
    return response.status, value_of(response)["error"]


async def test_a_prediction_has_the_answer_of_kserves_server() -> None:
    response = await surface().post(INFER, ASKED)

    answer = value_of(response)
    assert UUID.fullmatch(answer.pop("id"))
    assert list(json.loads(response.body)) == ["model_name", "model_version", "id", "outputs"]
    assert answer == {
        "model_name": "sum",
        "model_version": None,
        "outputs": [{"name": "output-0", "shape": [1], "datatype": "FP32", "data": [3.0]}],
    }
    assert header(response, "Seldon-Puid") == ""


async def test_the_id_of_a_request_comes_back() -> None:
    assert value_of(await surface().post(INFER, ASKED | {"id": "42"}))["id"] == "42"


async def test_a_binary_request_gets_a_binary_answer() -> None:
    asked = json.dumps(
        {
            "id": "b1",
            "inputs": [{"name": "x", "shape": [2, 2], "datatype": "FP32", "parameters": {"binary_data_size": 16}}],
            "outputs": [{"name": "output-0", "parameters": {"binary_data": True}}],
        }
    ).encode()
    tail = bytes.fromhex("0000803f000000400000404000008040")

    response = await surface().post(INFER, asked + tail, OCTETS, length(asked))

    # The media type that `post` sends first is not the one that counts here.
    assert (response.status, header(response, "Inference-Header-Content-Length")) == (200, "149")
    assert response.body == (
        b'{"id":"b1","model_name":"sum","model_version":null,"outputs":[{"name":"output-0","shape":[2],'
        b'"datatype":"FP32","parameters":{"binary_data_size":8}}]}'
    ) + bytes.fromhex("000040400000e040")


def length(text: bytes) -> tuple[bytes, bytes]:
    return b"inference-header-content-length", str(len(text)).encode()


async def test_an_explanation_is_asked_for_as_a_prediction_is() -> None:
    fake = Fake("sum", explain=lambda rows: np.asarray(rows) * 0.5)

    answer = value_of(await surface(fake).post("/v2/models/sum/explain", ASKED))

    assert fake.asked[0][0] == "explain"
    assert (answer["model_name"], answer["outputs"][0]["data"]) == ("sum", [0.5, 1.0])


async def test_a_model_without_an_explainer_explains_nothing() -> None:
    assert error_of(await surface().post("/v2/models/sum/explain", ASKED)) == (501, "Could not find explainer_host.")


async def test_octets_without_the_length_of_their_json_are_refused() -> None:
    request = Request("POST", INFER, b"", [OCTETS], json.dumps(ASKED).encode())

    response = await ask(surface().handler, request)

    words = "received byte inputs, but the'inference-header-content-length' header is missing."
    assert error_of(response) == (400, words)


@pytest.mark.parametrize(
    "headers",
    [[], [(b"content-type", b"application/json; charset=utf-8")], [(b"content-type", b"text/plain")]],
)
async def test_json_is_read_whatever_its_media_type_says(headers: list[tuple[bytes, bytes]]) -> None:
    request = Request("POST", INFER, b"", headers, json.dumps(ASKED).encode())

    assert (await ask(surface().handler, request)).status == 200


@pytest.mark.parametrize(("encoding", "pack"), [(b"gzip", gzip.compress), (b"deflate", zlib.compress)])
async def test_compressed_bodies_are_read(encoding: bytes, pack: Any) -> None:
    body = pack(json.dumps(ASKED).encode())

    assert (await surface().post(INFER, body, (b"content-encoding", encoding))).status == 200


async def test_a_body_that_inflates_past_the_limit_is_refused() -> None:
    body = gzip.compress(b" " * 5000)

    response = await surface(max_body_bytes=1000).post(INFER, body, (b"content-encoding", b"gzip"))

    assert error_of(response) == (413, "the body inflates to more than 1000 bytes")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v2/health/live", {"live": True}),
        ("/v2/health/ready", {"ready": True}),
        ("/v2/models", {"models": ["sum"]}),
        ("/v2/models/sum/ready", {"name": "sum", "ready": True}),
        ("/v2/models/sum", {"name": "sum", "versions": [], "platform": "", "inputs": [], "outputs": []}),
    ],
)
async def test_health_and_metadata_have_kserves_bodies(path: str, body: Any) -> None:
    response = await surface().get(path)

    assert (response.status, value_of(response)) == (200, body)


@pytest.mark.parametrize("path", ["/v2", "/v2/"])
async def test_the_server_says_what_it_is(path: str) -> None:
    answer = value_of(await surface().get(path))

    assert answer["name"] == "fairlead"
    assert "model_repository_extension" in answer["extensions"]


async def test_names_of_the_service_and_no_name_at_all_mean_the_model_too() -> None:
    it = surface()

    assert value_of(await it.post("/v2/models/infer", ASKED))["model_name"] == "sum"
    assert value_of(await it.post("/v2/models/dep/infer", ASKED))["model_name"] == "dep"
    assert (await it.get("/v2/models/infer")).status == 404


async def test_a_name_in_a_path_may_be_percent_encoded() -> None:
    it = served(spec("a b"), **{"a b": Fake("a b", predict=summing)})

    assert value_of(await it.post("/v2/models/a%20b/infer", ASKED))["model_name"] == "a b"


@pytest.mark.parametrize(
    ("verb", "path"),
    [
        ("GET", "/v2/models/nope"),
        ("GET", "/v2/models/nope/ready"),
        ("POST", "/v2/models/nope/infer"),
        ("POST", "/v2/repository/models/nope/load"),
        ("POST", "/v2/repository/models/nope/unload"),
    ],
)
async def test_a_model_nobody_knows_is_not_found(verb: str, path: str) -> None:
    response = await ask(surface().handler, Request(verb, path, b"", [JSON], json.dumps(ASKED).encode()))

    assert error_of(response) == (404, "Model with name nope does not exist.")


async def test_versions_are_those_the_model_has() -> None:
    it = surface(variant="mlserver")

    assert value_of(await it.get("/v2/models/sum"))["versions"] == ["v1"]
    assert value_of(await it.post(INFER, ASKED))["model_version"] == "v1"
    assert value_of(await it.post("/v2/models/sum/versions/v1/infer", ASKED))["model_version"] == "v1"
    assert (await it.get("/v2/models/sum/versions/v1/ready")).status == 200
    assert (await it.get("/v2/models/sum/versions/v1")).status == 200
    for response in (
        await it.post("/v2/models/sum/versions/v9/infer", ASKED),
        await it.get("/v2/models/sum/versions/v9"),
        await it.get("/v2/models/sum/versions/v9/ready"),
    ):
        assert error_of(response) == (404, "Model sum with version v9 not found")


async def test_a_path_nobody_knows_and_a_wrong_verb_are_told_in_kserves_words_and_ours() -> None:
    it = surface()

    missing = await it.get("/v2/nope")
    wrong = await it.get(INFER)

    assert (missing.status, value_of(missing)) == (404, {"detail": "Not Found", "error": "there is no /v2/nope here"})
    words = f"GET is not for {INFER}; expected POST"
    assert (wrong.status, value_of(wrong)) == (405, {"detail": "Method Not Allowed", "error": words})
    assert header(wrong, "Allow") == "POST"
    assert (await it.get("/v2/models/sum/versions")).status == 404
    assert (await it.get(INFER, method="OPTIONS")).status == 405


async def test_head_asks_what_get_does() -> None:
    assert (await surface().get("/v2/health/ready", method="HEAD")).status == 200


async def test_a_unit_that_fails_is_named() -> None:
    def fail(value: Any) -> Any:
        raise ValueError("X has 2 features, expecting 4")

    response = await surface(Fake("sum", predict=fail)).post(INFER, ASKED)

    assert error_of(response) == (500, "X has 2 features, expecting 4")
    assert header(response, "Fairlead-Unit") == "sum"


async def test_metadata_is_what_the_model_says_and_else_what_its_runtime_knows() -> None:
    fake = Fake("sum", columns=Columns(count=3), info={"platform": "own", "inputs": [{"messagetype": "strData"}]})
    fake.outputs = (TensorSpec(name="y", datatype="INT64", shape=(-1,)),)
    known = value_of(await surface(fake).get("/v2/models/sum"))
    said = Fake("sum", columns=Columns(count=3), info={"inputs": [{"name": "a", "datatype": "INT8", "shape": [2]}]})

    assert known["platform"] == "own"
    assert known["inputs"] == [{"name": "input-0", "datatype": "FP64", "shape": [-1, 3]}]
    assert known["outputs"] == [{"name": "y", "datatype": "INT64", "shape": [-1]}]
    described = value_of(await surface(said).get("/v2/models/sum"))
    assert described["inputs"] == [{"name": "a", "datatype": "INT8", "shape": [2]}]


async def test_a_model_that_is_unloaded_is_not_there_until_it_is_loaded() -> None:
    it = surface(Fake("sum", rows=Times()))
    assert (await it.post(INFER, ASKED)).status == 200

    assert value_of(await it.post("/v2/repository/models/sum/unload", b"")) == {"name": "sum", "unload": True}

    for path in (INFER, "/v2/models/infer", "/v2/models/dep/infer"):
        assert (await it.post(path, ASKED)).status == 404
    assert (await it.get("/v2/models/sum/ready")).status == 404
    assert (await it.get("/v2/health/ready")).status == 200
    assert value_of(await it.get("/v2/models")) == {"models": []}
    index = value_of(await it.post("/v2/repository/index", {}))
    assert index == [{"name": "sum", "version": "", "state": "UNAVAILABLE", "reason": "unloaded"}]
    assert value_of(await it.post("/v2/repository/index", {"ready": True})) == []
    override = await it.post("/v2/repository/models/sum/load", {"parameters": {"config": "{}"}})
    assert error_of(override) == (400, "parameter 'config': a model is loaded as its folder says; expected no 'config'")
    assert value_of(await it.post("/v2/repository/models/sum/load", b"")) == {"name": "sum", "load": True}
    assert (await it.post(INFER, ASKED)).status == 200
    assert value_of(await it.post("/v2/repository/index", b""))[0]["state"] == "READY"


async def test_the_index_takes_an_object() -> None:
    assert (await surface().post("/v2/repository/index", [1])).status == 400
    assert (await surface().post("/v2/repository/index", b"{")).status == 400


class Shelf:
    """A repository of models that are fakes."""

    def __init__(self, *names: str) -> None:
        self.loaded = dict.fromkeys(names, True)

    def models(self) -> list[RepositoryModel]:
        return [
            RepositoryModel(name=name, version="1" if is_loaded else "", state=self._state(name))
            for name, is_loaded in self.loaded.items()
        ]

    def model(self, name: str, version: str = "") -> Servable:
        fake = Fake(name)
        fake.inputs = (TensorSpec(name=f"{name}-in", datatype="FP32", shape=(-1, 2)),)
        return fake

    def load(self, name: str) -> None:
        self.loaded[name] = True

    def unload(self, name: str) -> None:
        self.loaded[name] = False

    def _state(self, name: str) -> ModelState:
        return ModelState.READY if self.loaded[name] else ModelState.UNAVAILABLE


async def test_a_repository_loads_and_unloads_its_models() -> None:
    fake = Fake("sum", predict=summing)
    fake.repository = shelf = Shelf("a", "b")
    it = surface(fake)

    assert value_of(await it.get("/v2/models")) == {"models": ["a", "b"]}
    assert value_of(await it.get("/v2/models/b"))["inputs"][0]["name"] == "b-in"
    assert value_of(await it.post("/v2/models/b/infer", ASKED))["model_version"] == "1"
    assert (await it.post("/v2/repository/models/b/unload", b"")).status == 200
    assert shelf.loaded == {"a": True, "b": False}
    assert error_of(await it.get("/v2/models/b/ready")) == (503, "Model with name b is not ready.")
    index = value_of(await it.post("/v2/repository/index", {"ready": True}))
    assert [model["name"] for model in index] == ["a"]
    assert (await it.post("/v2/repository/models/b/load", b"")).status == 200
    assert shelf.loaded["b"]


async def test_a_model_of_a_repository_that_is_not_loaded_does_not_answer() -> None:
    fake = Fake("sum", rows=Times())
    fake.repository = Shelf("sum")
    it = surface(fake)
    assert (await it.post(INFER, ASKED)).status == 200

    await it.post("/v2/repository/models/sum/unload", b"")

    for path in (INFER, "/v2/models/infer", "/v2/models/dep/infer"):
        for body in (ASKED, ASKED | {"parameters": {"a": 1}}):
            assert error_of(await it.post(path, body)) == (503, "Model with name sum is not ready.")


async def test_a_seldon_graph_answers_with_the_orchestrators_headers() -> None:
    it = surface(seldon=True)

    response = await it.post(INFER, ASKED, (b"seldon-puid", b"p1"))

    assert header(response, "Seldon-Puid") == "p1"
    assert header(response, "X-Content-Type-Options") == "nosniff"
    assert header(response, "Access-Control-Allow-Origin") == "*"
    assert header(response, "Access-Control-Allow-Methods") == "OPTIONS,POST"
    assert value_of(response)["id"] == "p1"
    assert header(response, "Ce-Id") == ""
    preflight = await it.get(INFER, method="OPTIONS")
    assert (preflight.status, preflight.body) == (200, b"")
    assert header(preflight, "Access-Control-Allow-Methods") == "OPTIONS,POST"
    assert UUID.fullmatch(header(await it.get("/v2/models/sum"), "Seldon-Puid"))
    assert UUID.fullmatch(header(await it.get("/v2/nope"), "Seldon-Puid"))


async def test_a_seldon_graph_answers_events_as_mlserver_does() -> None:
    response = await surface(seldon=True).post(INFER, ASKED | {"id": "42"}, (b"ce-specversion", b"1.0"))

    assert header(response, "Ce-Specversion") == "0.3"
    assert header(response, "Ce-Type") == "io.seldon.serving.inference.response"
    assert [header(response, name) for name in ("Ce-Id", "Ce-Requestid", "Ce-Modelid", "Ce-Endpoint")] == [
        "42",
        "42",
        "sum",
        "sum",
    ]
    assert header(response, "Ce-Source") == "seldon.dep"


async def test_a_line_break_in_an_id_starts_no_header() -> None:
    response = await surface(seldon=True).post(INFER, ASKED | {"id": "a\r\nX: y"}, (b"ce-specversion", b"1.0"))

    assert header(response, "X") == ""
    assert header(response, "Ce-Id") == "a??X: y"


EVENT = [(b"ce-specversion", b"1.0"), (b"ce-id", b"7"), (b"ce-source", b"t"), (b"ce-type", b"t.t")]


async def test_an_event_is_answered_with_an_event() -> None:
    response = await surface().post(INFER, ASKED, *EVENT)

    assert header(response, "ce-specversion") == "1.0"
    assert header(response, "ce-type") == "io.kserve.inference.response"
    assert header(response, "ce-source") == "io.kserve.inference.sum"
    assert value_of(response)["outputs"][0]["data"] == [3.0]


async def test_a_structured_event_is_answered_with_one() -> None:
    event = {"specversion": "1.0", "id": "7", "source": "t", "type": "t.t", "data": ASKED}
    request = Request(
        "POST", INFER, b"", [(b"content-type", b"application/cloudevents+json")], json.dumps(event).encode()
    )

    response = await ask(surface().handler, request)

    assert header(response, "Content-Type") == "application/cloudevents+json"
    answer = json.loads(response.body)
    assert answer["data"]["outputs"][0]["data"] == [3.0]
    assert answer["source"] == "io.kserve.inference.sum"


async def test_an_event_that_cannot_be_read_is_refused() -> None:
    request = Request("POST", INFER, b"", [(b"content-type", b"application/cloudevents+json")], b"{}")

    status, words = error_of(await ask(surface().handler, request))

    assert status == 400
    assert words.startswith("Cloud Event Exceptions: ")


async def test_the_api_page_describes_the_model_where_it_is_read() -> None:
    it = surface(Fake("sum", columns=Columns(count=3)))

    page = await it.get("/v2/docs/")
    script = await it.get("/v2/docs/start.js")
    described = await it.get("/v2/docs/dataplane.yaml", (b"x-forwarded-prefix", b"/seldon/ns/dep"))

    assert (page.status, script.status) == (200, 200)
    assert b"dataplane.yaml" in page.body
    assert b"seldon.json" not in page.body + script.body
    assert header(described, "Content-Type") == "application/yaml"
    infer = json.loads(described.body)["paths"]["/seldon/ns/dep/v2/models/sum/infer"]["post"]
    example = infer["requestBody"]["content"]["application/json"]["example"]
    assert (await it.post(INFER, example)).status == 200
    assert header(await it.get("/v2/docs"), "Location") == "/v2/docs/"
    assert (await it.get("/v2/docs/nope")).status == 404


async def test_every_example_of_the_page_is_a_request() -> None:
    fake = Fake("sum")
    fake.inputs = tuple(
        TensorSpec(name=datatype, datatype=datatype, shape=(-1, 2)) for datatype in ("BYTES", "BOOL", "INT8", "FP32")
    )
    it = surface(fake)
    described = json.loads((await it.get("/v2/docs/dataplane.yaml")).body)
    infer = described["paths"][INFER]["post"]
    example = infer["requestBody"]["content"]["application/json"]["example"]

    assert [one["datatype"] for one in example["inputs"]] == ["BYTES", "BOOL", "INT8", "FP32"]
    response = await it.post(INFER, example)
    assert response.status == 400
    assert "this model takes one array" in response.body.decode()


async def test_predictions_are_counted() -> None:
    it = surface()

    await it.post(INFER, ASKED)
    await it.post("/v2/models/nope/infer", ASKED)

    counted = it.meters.render().decode()
    assert 'service="predictions"' in counted
    assert 'code="404"' in counted


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=8,
)
TENSORS = st.fixed_dictionaries(
    {
        "name": st.text(max_size=2),
        "shape": st.lists(st.integers(0, 3), max_size=3),
        "datatype": st.sampled_from(["FP32", "INT64", "BYTES", "BOOL"]),
        "data": JSON_VALUES | st.lists(st.floats(), max_size=9) | st.lists(st.text(), max_size=3),
    },
    optional={"parameters": JSON_VALUES},
)
REQUESTS = st.fixed_dictionaries(
    {"inputs": st.lists(TENSORS, max_size=2)},
    optional={"id": JSON_VALUES, "parameters": JSON_VALUES, "outputs": JSON_VALUES},
)
BODIES = st.binary(max_size=40) | (REQUESTS | JSON_VALUES).map(lambda value: json.dumps(value).encode())
HEADERS = st.lists(
    st.sampled_from(
        [
            JSON,
            OCTETS,
            (b"inference-header-content-length", b"10"),
            (b"inference-header-content-length", b"-3"),
            (b"content-encoding", b"gzip"),
            (b"content-encoding", b"br"),
            *EVENT,
        ]
    ),
    max_size=4,
)
PATHS = st.sampled_from([INFER, "/v2/models/infer", "/v2/models/sum/versions/1/infer", "/v2/repository/index"])


@settings(deadline=None, max_examples=150)
@given(path=PATHS, headers=HEADERS, body=BODIES, is_row_wise=st.booleans())
async def test_nothing_a_client_sends_is_the_servers_fault(
    path: str, headers: list[tuple[bytes, bytes]], body: bytes, is_row_wise: bool
) -> None:
    fake = Fake("sum", rows=Tolerant() if is_row_wise else None)

    response = await ask(surface(fake).handler, Request("POST", path, b"", headers, body))

    assert response.status < 500
    with contextlib.suppress(UnicodeDecodeError):
        assert b"Traceback" not in response.body


class Tolerant(Times):
    """Rows of any width."""

    def predict(self, rows: Any) -> Any:
        return rows.astype(np.float64) if rows.dtype.kind in "biuf" else np.zeros(rows.shape)
