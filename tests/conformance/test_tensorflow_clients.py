"""TensorFlow Serving's own stubs over gRPC and its REST, at a worker's own port and through the gateway. Facts:
min-tfs-client 1.0.2, which has the messages and stubs of TensorFlow Serving."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fairlead.dataplane.spec import Placement
from fairlead.plan.model import Protocol, Unit, UnitName
from support.conformance_models import Place, Places, gateway, through, workers
from support.formats import needed, save_tensorflow
from support.instance import call
from support.manifests import sdep
from support.peers import PeerProcess, Refused, peer
from support.workers import running_worker

pytestmark = pytest.mark.slow

LEFT = {"name": "left", "array": {"$array": [[1.5, 2.5]], "$datatype": "FP32"}}
RIGHT = {"name": "right", "array": {"$array": [[1, 2]], "$datatype": "INT32"}}
ROW = {"name": "x", "array": {"$array": [[1.0, 2.0], [3.0, 4.0]], "$datatype": "FP32"}}


@pytest.fixture(scope="module")
def client() -> Iterator[PeerProcess]:
    with peer("tensorflow-serving", "tensorflow_serving_driver") as process:
        yield process


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SavedModel's folder of versions, with version 3."""
    needed("tensorflow", "make setup")
    folder = tmp_path_factory.mktemp("saved")
    save_tensorflow(folder / "3")
    return folder


@pytest.fixture(scope="module")
def every_place(saved: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Places]]:
    folder = tmp_path_factory.mktemp("tf")
    placed = Placement(unit="half", folder=str(saved))
    half = Unit(name=UnitName("half"), runtime="tensorflow")
    graph = {"name": "half", "implementation": "TENSORFLOW_SERVER", "modelUri": str(saved)}
    with (
        workers(folder / "workers", Protocol.TENSORFLOW) as direct,
        running_worker(half, placement=placed, protocol=Protocol.TENSORFLOW, service="half") as worker,
        gateway(folder / "gateway", "tensorflow") as (running, behind),
    ):
        running.apply(sdep("half", {"name": "main", "graph": graph, "replicas": 1}, protocol="tensorflow"))
        running.wait_for("half")
        address = f"127.0.0.1:{worker.port}"
        yield {
            "worker": direct | {"half": Place(address, address)},
            "gateway": behind | {"half": through(running, "half")},
        }


@pytest.fixture(params=["worker", "gateway"])
def via(every_place: dict[str, Places], request: pytest.FixtureRequest) -> Places:
    return every_place[request.param]


class Ways:
    """gRPC and REST under one face; REST in rows or in columns."""

    def __init__(self, client: PeerProcess, kind: str) -> None:
        self._client = client
        self.kind = kind

    @property
    def is_grpc(self) -> bool:
        return self.kind.startswith("grpc")

    def predict(self, place: Place, model: str, *inputs: dict[str, Any], **more: Any) -> dict[str, list[Any]]:
        """The outputs as flat lists by name."""
        if self.is_grpc:
            given = [one | {"packed": self.kind == "grpc-content"} for one in inputs]
            answer = self.ask(place, "predict", model=model, inputs=given, **more)
            return {name: one["$values"] for name, one in answer["outputs"].items()}
        columns = {one["name"]: one["array"]["$array"] for one in inputs}
        version = f"/versions/{more['version']}" if "version" in more else ""
        body: dict[str, Any] = {"signature_name": more["signature"]} if "signature" in more else {}
        if self.kind == "rest-columns":
            answer = self.rest(place, f"/v1/models/{model}{version}:predict", body | {"inputs": columns})["outputs"]
            return {name: _flat(values) for name, values in answer.items()}
        rows = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
        answer = self.rest(place, f"/v1/models/{model}{version}:predict", body | {"instances": rows})["predictions"]
        return {name: _flat([row[name] for row in answer]) for name in answer[0]}

    def ask(self, place: Place, kind: str, **order: Any) -> Any:
        return self._client.ask(url=place.grpc, metadata=place.metadata, call=kind, **order)

    def rest(self, place: Place, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        answer = call(f"http://{place.rest}{path}", "GET" if body is None else "POST", data)
        if answer.status != 200:
            raise Refused("HTTP", str(answer.status), answer.json()["error"])
        return answer.json()


def _flat(values: Any) -> list[Any]:
    return [one for value in values for one in _flat(value)] if isinstance(values, list) else [values]


@pytest.fixture(params=["grpc-lists", "grpc-content", "rest-rows", "rest-columns"])
def way(client: PeerProcess, request: pytest.FixtureRequest) -> Ways:
    return Ways(client, request.param)


def refusal(way: Ways, place: Place, model: str, *inputs: dict[str, Any], status: set[str], **more: Any) -> str:
    with pytest.raises(Refused) as caught:
        way.predict(place, model, *inputs, **more)
    assert caught.value.status in status, caught.value
    return caught.value.words


BAD, MISSING = {"400", "INVALID_ARGUMENT"}, {"404", "NOT_FOUND"}


def test_a_saved_model_answers_all_its_outputs(via: Places, way: Ways) -> None:
    answer = way.predict(via["half"], "half", ROW)

    assert answer == {"y": [4.0, 10.0], "double": [2.0, 4.0, 6.0, 8.0]}


def test_a_model_of_another_format_answers_as_tensorflows_do(via: Places, way: Ways) -> None:
    assert way.predict(via["pair"], "pair", LEFT, RIGHT) == {"sum": [2.5, 4.5], "difference": [0.5, 0.5]}


def test_a_signature_is_asked_by_its_name(via: Places, way: Ways) -> None:
    if way.kind == "grpc-content":
        return  # texts have no content to pack
    words = {"name": "text", "array": {"$array": ["ab", "c"], "$datatype": "BYTES"}}

    answer = way.predict(via["half"], "half", words, signature="upper")

    assert answer == {"upper": ["AB", "C"], "length": [2, 1]}


def test_a_signature_that_is_not_there_is_refused_with_those_there_are(via: Places, way: Ways) -> None:
    words = refusal(way, via["half"], "half", ROW, status=BAD, signature="nope")

    assert "signature" in words
    assert "nope" in words
    assert "it has: serving_default, upper" in words


def test_a_version_is_asked_by_its_number(via: Places, way: Ways) -> None:
    assert way.predict(via["half"], "half", ROW, version=3)["y"] == [4.0, 10.0]

    refusal(way, via["half"], "half", ROW, status=MISSING, version=9)


def test_an_unknown_model_is_not_found(via: Places, way: Ways) -> None:
    assert "nope" in refusal(way, via["pair"], "nope", LEFT, RIGHT, status=MISSING)


def test_a_missing_tensor_is_named_with_what_it_should_be(via: Places, way: Ways) -> None:
    assert "missing input 'right' (INT32 [-1, 2])" in refusal(way, via["pair"], "pair", LEFT, status=BAD)


def test_a_wrong_shape_is_named_with_the_right_one(via: Places, way: Ways) -> None:
    wide = {"name": "left", "array": {"$array": [[1.0, 2.0, 3.0]], "$datatype": "FP32"}}

    words = refusal(way, via["pair"], "pair", wide, RIGHT, status=BAD)

    assert "input 'left': expected FP32 [-1, 2], got" in words
    assert words.endswith("[1, 3]")


def test_words_are_no_numbers(via: Places, way: Ways) -> None:
    if way.kind == "grpc-content":
        return  # texts have no content to pack
    words = {"name": "right", "array": {"$array": [["a", "b"]], "$datatype": "BYTES"}}

    assert "'right'" in refusal(way, via["pair"], "pair", LEFT, words, status=BAD)


@pytest.fixture(params=["grpc-lists", "rest-columns"])
def either(client: PeerProcess, request: pytest.FixtureRequest) -> Ways:
    return Ways(client, request.param)


def test_metadata_say_what_each_signature_takes(via: Places, either: Ways) -> None:
    if either.is_grpc:
        signatures = either.ask(via["half"], "metadata", model="half")
        shape = "tensorShape"
    else:
        found = either.rest(via["half"], "/v1/models/half/metadata")
        assert found["model_spec"] == {"name": "half", "signature_name": "", "version": "3"}
        signatures = found["metadata"]["signature_def"]["signature_def"]
        shape = "tensor_shape"

    taken = signatures["serving_default"]["inputs"]["x"]
    assert taken["dtype"] == "DT_FLOAT"
    assert [dim["size"] for dim in taken[shape]["dim"]] == ["-1", "2"]
    assert signatures["upper"]["outputs"]["length"]["dtype"] == "DT_INT32"


def test_the_state_of_a_model_says_its_version(via: Places, either: Ways) -> None:
    if either.is_grpc:
        [state] = either.ask(via["half"], "status", model="half")
    else:
        [state] = either.rest(via["half"], "/v1/models/half")["model_version_status"]

    assert (state["version"], state["state"]) == ("3", "AVAILABLE")


def test_a_model_that_is_not_there_has_no_state(via: Places, client: PeerProcess) -> None:
    with pytest.raises(Refused, match="NOT_FOUND"):
        Ways(client, "grpc").ask(via["half"], "status", model="nope")
    with pytest.raises(Refused, match="404"):
        Ways(client, "rest").rest(via["half"], "/v1/models/nope")


def test_outputs_are_chosen_by_name(via: Places, client: PeerProcess) -> None:
    way = Ways(client, "grpc-lists")

    assert way.predict(via["pair"], "pair", LEFT, RIGHT, outputs=["difference"]) == {"difference": [0.5, 0.5]}
    words = refusal(way, via["pair"], "pair", LEFT, RIGHT, status=BAD, outputs=["nope"])
    assert "Unexpected inference output 'nope'" in words


def test_the_gateway_finds_a_deployment_by_the_model_that_a_message_names(
    every_place: dict[str, Places], client: PeerProcess
) -> None:
    behind = every_place["gateway"]["pair"]
    unnamed = Place(behind.rest, behind.grpc)
    way = Ways(client, "grpc-lists")

    assert way.predict(unnamed, "pair", LEFT, RIGHT)["sum"] == [2.5, 4.5]
    assert way.ask(unnamed, "status", model="half")[0]["version"] == "3"
    assert "upper" in way.ask(unnamed, "metadata", model="half")
    assert "nope" in refusal(way, unnamed, "nope", LEFT, RIGHT, status=MISSING)
