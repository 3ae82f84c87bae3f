"""CloudEvents as the CNCF's own library writes and reads them, on V1 and V2, at a worker's own port and through a
gateway. Facts: cloudevents 1.12.0."""

from collections.abc import Iterator
from typing import Any

import pytest

from fairlead.plan.model import Protocol, Unit, UnitName
from support.conformance_models import Place, fronted
from support.models import train_iris_sklearn
from support.peers import PeerProcess, Refused, peer

pytestmark = pytest.mark.slow

ROW = [6.8, 2.8, 4.8, 1.4]
V1 = {"instances": [ROW]}
V2 = {"inputs": [{"name": "x", "shape": [1, 4], "datatype": "FP64", "data": ROW}]}
ATTRIBUTES = {"id": "36077800", "source": "https://example.com/from", "type": "com.example.asked", "more": "said"}


@pytest.fixture(scope="module")
def client() -> Iterator[PeerProcess]:
    with peer("cloudevents", "cloudevents_driver") as process:
        yield process


@pytest.fixture(scope="module")
def every_place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, dict[str, Place]]]:
    folder = train_iris_sklearn(tmp_path_factory.mktemp("iris"))
    iris = Unit(name=UnitName("iris"), runtime="sklearn")
    with fronted(iris, Protocol.V1, files=folder) as first, fronted(iris, Protocol.V2, files=folder) as second:
        yield {"v1": first, "v2": second}


class Asking:
    """One protocol, one place, one mode of events."""

    def __init__(self, client: PeerProcess, place: Place, protocol: str, mode: str) -> None:
        self._client = client
        self._place = place
        self.protocol = protocol
        self.mode = mode

    def __call__(self, data: Any, **more: Any) -> Any:
        path = "/v1/models/iris:predict" if self.protocol == "v1" else "/v2/models/iris/infer"
        attributes = more.pop("attributes", ATTRIBUTES)
        url = f"http://{self._place.rest}{path}"
        return self._client.ask(url=url, mode=self.mode, attributes=attributes, data=data, **more)

    @property
    def good(self) -> dict[str, Any]:
        return V1 if self.protocol == "v1" else V2


@pytest.fixture(params=["v1", "v2"])
def protocol(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=["worker", "gateway"])
def via(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=["binary", "structured"])
def ask(
    client: PeerProcess,
    every_place: dict[str, dict[str, Place]],
    protocol: str,
    via: str,
    request: pytest.FixtureRequest,
) -> Asking:
    return Asking(client, every_place[protocol][via], protocol, request.param)


def test_an_event_is_answered_with_an_event_of_its_mode(ask: Asking) -> None:
    answer = ask(ask.good)

    said = answer["attributes"]
    assert (said["specversion"], said["type"]) == ("1.0", "io.kserve.inference.response")
    assert said["source"] == "io.kserve.inference.iris"
    assert said["id"] != ATTRIBUTES["id"]
    assert said["time"]
    is_structured = answer["media_type"].startswith("application/cloudevents+json")
    assert is_structured == (ask.mode == "structured")
    values = answer["data"]["predictions"] if ask.protocol == "v1" else answer["data"]["outputs"][0]["data"]
    assert values == [1]


def test_a_compressed_event_is_read(ask: Asking) -> None:
    assert ask(ask.good, encoding="gzip")["data"]


def test_data_that_cannot_be_used_are_refused(ask: Asking) -> None:
    bad: dict[str, Any] = {"instances": "all"} if ask.protocol == "v1" else {"inputs": []}

    with pytest.raises(Refused) as caught:
        ask(bad)

    assert caught.value.status == "400"
    assert '"error"' in caught.value.words
