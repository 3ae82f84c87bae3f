"""KServe's V1 protocol as its own client and curl speak it, at a worker's own port and through a gateway; and V2 over
gRPC, which KServe's servers answer beside it. Facts: kserve 0.21.0."""

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from fairlead.plan.model import Protocol, Unit, UnitName
from support.conformance_models import Place, fronted, mirror
from support.models import train_iris_sklearn
from support.peers import PeerProcess, Refused, peer

pytestmark = pytest.mark.slow

ROWS = [[6.8, 2.8, 4.8, 1.4], [5.1, 3.5, 1.4, 0.2]]
Ask = Callable[[Place, str, str, Any], Any]


@pytest.fixture(scope="module")
def client() -> Iterator[PeerProcess]:
    with peer("kserve", "kserve_driver") as process:
        yield process


@pytest.fixture(scope="module")
def every_iris(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Place]]:
    folder = train_iris_sklearn(tmp_path_factory.mktemp("iris"))
    with fronted(Unit(name=UnitName("iris"), runtime="sklearn"), Protocol.V1, files=folder) as places:
        yield places


@pytest.fixture(scope="module")
def every_mirror(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Place]]:
    with fronted(mirror(tmp_path_factory.mktemp("mirror")), Protocol.V1) as places:
        yield places


@pytest.fixture(params=["worker", "gateway"])
def via(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def iris(every_iris: dict[str, Place], via: str) -> Place:
    return every_iris[via]


@pytest.fixture
def mirrored(every_mirror: dict[str, Place], via: str) -> Place:
    return every_mirror[via]


@pytest.fixture(params=["kserve", "curl-http1", "curl-http2", "curl-gzip"])
def ask(client: PeerProcess, request: pytest.FixtureRequest, tmp_path: Path) -> Ask:
    """`ask(place, model, verb, body)`: the answer, or `Refused` with its status and words."""

    def with_kserve(place: Place, model: str, verb: str, body: Any) -> Any:
        url = f"http://{place.rest}"
        if verb == "predict":
            return client.ask(client="rest", url=url, protocol="v1", call="infer", model=model, body=body)
        arguments = {"model_name": model, "data": body}
        return client.ask(client="rest", url=url, protocol="v1", call=verb, arguments=arguments)

    def with_curl(place: Place, model: str, verb: str, body: Any) -> Any:
        return curl(f"http://{place.rest}/v1/models/{model}:{verb}", body, *flags[request.param], folder=tmp_path)

    flags = {
        "curl-http1": ("--http1.1",),
        "curl-http2": ("--http2-prior-knowledge",),
        "curl-gzip": ("--http1.1", "--header", "Content-Encoding: gzip"),
    }
    return with_kserve if request.param == "kserve" else with_curl


def curl(url: str, body: Any, *flags: str, folder: Path) -> Any:
    """What curl says of an answer."""
    if shutil.which("curl") is None:
        pytest.skip("not run: curl is not here")
    data = json.dumps(body).encode()
    if "Content-Encoding: gzip" in flags:
        data = subprocess.run(["gzip", "-c"], input=data, capture_output=True, check=True).stdout
    (folder / "body").write_bytes(data)
    shown = ["--silent", "--show-error", "--noproxy", "*", "--write-out", "\n%{http_code} %{http_version}"]
    argv = ["curl", *shown, *flags, "--data-binary", f"@{folder / 'body'}", url]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=True)
    text, _, outcome = done.stdout.rpartition("\n")
    status, version = outcome.split()
    assert version == ("2" if "--http2-prior-knowledge" in flags else "1.1")
    if status != "200":
        raise Refused("curl", status, json.loads(text)["error"])
    return json.loads(text)


def refusal(ask: Ask, place: Place, body: Any, *, status: str, model: str = "iris", verb: str = "predict") -> str:
    with pytest.raises(Refused) as caught:
        ask(place, model, verb, body)
    assert caught.value.status == status, caught.value
    return caught.value.words


@pytest.mark.parametrize("key", ["instances", "inputs"])
def test_rows_are_answered_as_predictions(iris: Place, ask: Ask, key: str) -> None:
    assert ask(iris, "iris", "predict", {key: ROWS}) == {"predictions": [1, 0]}


def test_a_nan_is_null_which_the_client_can_read(mirrored: Place, ask: Ask) -> None:
    answer = ask(mirrored, "mirror", "predict", {"instances": [[1.0, None]]})

    assert answer == {"predictions": [[1.0, None]]}


def test_a_class_answers_with_what_it_likes(mirrored: Place, ask: Ask) -> None:
    rows = [{"a": 1, "b": ["x"]}, "text", [1, [2]]]

    assert ask(mirrored, "mirror", "predict", {"instances": rows}) == {"predictions": rows}


def test_an_unknown_model_is_not_found(iris: Place, ask: Ask) -> None:
    words = refusal(ask, iris, {"instances": ROWS}, status="404", model="nope")

    assert "Model with name nope does not exist." in words


def test_rows_of_the_wrong_width_are_refused_with_the_right_one(iris: Place, ask: Ask) -> None:
    words = refusal(ask, iris, {"instances": [[1.0, 2.0]]}, status="400")

    assert "4" in words
    assert "2" in words


def test_rows_that_differ_in_length_are_refused(iris: Place, ask: Ask) -> None:
    refusal(ask, iris, {"instances": [[1.0, 2.0, 3.0, 4.0], [1.0]]}, status="400")


def test_words_are_no_numbers(iris: Place, ask: Ask) -> None:
    refusal(ask, iris, {"instances": [["a", "b", "c", "d"]]}, status="400")


def test_rows_that_are_no_list_are_refused_in_kserves_words(iris: Place, ask: Ask) -> None:
    assert 'Expected "instances" to be a list' in refusal(ask, iris, {"instances": "all"}, status="400")


def test_a_model_without_an_explainer_does_not_explain(iris: Place, ask: Ask) -> None:
    words = refusal(ask, iris, {"instances": ROWS}, status="501", verb="explain")

    assert "Could not find explainer_host." in words


@pytest.mark.parametrize("call", ["is_server_live", "is_model_ready"])
def test_health(iris: Place, client: PeerProcess, call: str) -> None:
    arguments = {"model_name": "iris"} if call == "is_model_ready" else {}

    assert client.ask(client="rest", url=f"http://{iris.rest}", protocol="v1", call=call, arguments=arguments) is True


def test_a_model_nobody_knows_is_not_ready(iris: Place, client: PeerProcess) -> None:
    with pytest.raises(Refused, match="404: Model with name nope does not exist"):
        client.ask(
            client="rest",
            url=f"http://{iris.rest}",
            protocol="v1",
            call="is_model_ready",
            arguments={"model_name": "nope"},
        )


@pytest.mark.parametrize("is_raw", [False, True], ids=["typed", "raw"])
def test_the_same_model_answers_v2_over_grpc(iris: Place, client: PeerProcess, is_raw: bool) -> None:
    given = {
        "name": "x",
        "datatype": "FP64",
        "array": {"$array": ROWS, "$datatype": "FP64"},
        "binary": is_raw,
    }

    answer = client.ask(client="grpc", url=iris.grpc, call="infer", model="iris", inputs=[given])

    [output] = answer["outputs"]
    assert output["array"]["$values"] == [1, 0]
    assert client.ask(client="grpc", url=iris.grpc, call="is_model_ready", arguments={"model_name": "iris"}) is True
