"""Roll-outs of InferenceServices through a whole installation, with requests going on all the time."""

import json
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from sklearn.dummy import DummyClassifier

from support.instance import Installation, call, installation, until
from support.models import iris, train_iris_sklearn

pytestmark = pytest.mark.slow

ISVCS = "/apis/serving.kserve.io/v1beta1/namespaces/default/inferenceservices"
REVISIONS = "/apis/serving.knative.dev/v1/namespaces/default/revisions"
ROW = json.dumps({"instances": [[5.1, 3.5, 1.4, 0.2]]}).encode()


@pytest.fixture(scope="module")
def fairlead(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with installation(tmp_path_factory.mktemp("home")) as running:
        yield running


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Mapping[int, str]:
    """Models that always answer with their number."""
    folder = tmp_path_factory.mktemp("models")
    rows, labels = iris()
    uris = {}
    for number in (1, 2):
        model = DummyClassifier(strategy="constant", constant=number).fit(rows, labels)
        uris[number] = f"file://{train_iris_sklearn(folder / str(number), model=model)}"
    return uris


class Client(threading.Thread):
    """Asks without a pause, and counts the answers."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url, self._is_over = url, threading.Event()
        self.seen: Counter[str] = Counter()

    def run(self) -> None:
        while not self._is_over.is_set():
            answer = call(self._url, "POST", ROW, {"Content-Type": "application/json"})
            self.seen[answer.body.decode() if answer.status == 200 else f"{answer.status} {answer.body!r}"] += 1

    def __enter__(self) -> "Client":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self.join()


def manifest(name: str, uri: str, **predictor: Any) -> dict[str, Any]:
    model = {"modelFormat": {"name": "sklearn"}, "storageUri": uri}
    return {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": name, **predictor.pop("metadata", {})},
        "spec": {"predictor": {"model": model, **predictor}},
    }


def patch(fairlead: Installation, name: str, spec: Mapping[str, Any]) -> None:
    fairlead.api(f"{ISVCS}/{name}", "PATCH", {"spec": spec}, "application/merge-patch+json")


def status(fairlead: Installation, name: str) -> dict[str, Any]:
    found: dict[str, Any] = fairlead.api(f"{ISVCS}/{name}").get("status") or {}
    return found


def traffic(fairlead: Installation, name: str) -> dict[str, int]:
    told = status(fairlead, name).get("components", {}).get("predictor", {}).get("traffic") or []
    return {share["revisionName"].removeprefix(f"{name}-predictor-"): share["percent"] for share in told}


def is_true(fairlead: Installation, name: str, condition: str) -> bool:
    found = {one["type"]: one["status"] for one in status(fairlead, name).get("conditions") or []}
    return found.get(condition) == "True"


def answers(fairlead: Installation, path: str, host: str = "", times: int = 20) -> set[int]:
    headers = {"Content-Type": "application/json", **({"Host": host} if host else {})}
    found = set()
    for _ in range(times):
        answer = call(f"{fairlead.url}{path}", "POST", ROW, headers)
        assert answer.status == 200, answer.body
        found.add(answer.json()["predictions"][0])
    return found


def test_a_canary_is_rolled_out_promoted_and_rolled_back_without_a_lost_request(
    fairlead: Installation, models: Mapping[int, str]
) -> None:
    fairlead.api(ISVCS, "POST", manifest("iris", models[1]))
    until(lambda: is_true(fairlead, "iris", "Ready"), what="Ready")
    assert traffic(fairlead, "iris") == {"00001": 100}

    path = "/serving/default/iris/v1/models/iris:predict"
    with Client(fairlead.url + path) as client:
        new = {"storageUri": models[2]}
        patch(fairlead, "iris", {"predictor": {"canaryTrafficPercent": 50, "model": new}})
        until(lambda: traffic(fairlead, "iris") == {"00002": 50, "00001": 50}, what="canary")
        until(lambda: is_true(fairlead, "iris", "Ready"), what="Ready with a canary")
        assert answers(fairlead, path, times=60) == {1, 2}
        tagged = answers(fairlead, "/v1/models/iris:predict", "prev-iris-predictor.default.localhost")
        assert tagged == {1}

        patch(fairlead, "iris", {"predictor": {"canaryTrafficPercent": None}})
        until(lambda: traffic(fairlead, "iris") == {"00002": 100}, what="promotion")
        assert answers(fairlead, path) == {2}

        patch(fairlead, "iris", {"predictor": {"canaryTrafficPercent": 0}})
        until(lambda: traffic(fairlead, "iris") == {"00002": 0, "00001": 100}, what="rollback")
        assert answers(fairlead, path) == {1}

        patch(fairlead, "iris", {"predictor": {"canaryTrafficPercent": None}})
        until(lambda: traffic(fairlead, "iris") == {"00002": 100}, what="forward again")
        patch(fairlead, "iris", {"predictor": {"model": {"storageUri": "file:///nowhere/at/all"}}})
        until(
            lambda: status(fairlead, "iris")["modelStatus"]["transitionStatus"] == "BlockedByFailedLoad",
            what="a failed load",
        )
        told = status(fairlead, "iris")
        assert is_true(fairlead, "iris", "Ready")
        assert not is_true(fairlead, "iris", "LatestDeploymentReady")
        assert "/nowhere/at/all" in told["modelStatus"]["lastFailureInfo"]["message"]
        assert told["components"]["predictor"]["latestReadyRevision"] == "iris-predictor-00002"
        assert answers(fairlead, path) == {2}
        described = fairlead.run("describe", "isvc", "iris").stdout
        assert "Traffic:      predictor: iris-predictor-00002 100 %" in described
        assert "State:        Failed" in described
        listed = json.loads(fairlead.run("status", "-o", "json").stdout)["serving"]
        assert [one["url"] for one in listed] == [told["url"]]

    assert set(client.seen) == {'{"predictions":[1]}', '{"predictions":[2]}'}
    names = [one["metadata"]["name"] for one in fairlead.api(REVISIONS)["items"]]
    assert names == [f"iris-predictor-0000{number}" for number in (1, 2, 3)]
    fairlead.api(f"{ISVCS}/iris", "DELETE")
    until(lambda: not fairlead.api(REVISIONS)["items"], what="no revisions")


def test_a_canary_of_standard_mode_gets_its_share_and_is_promoted_without_a_restart(
    fairlead: Installation, models: Mapping[int, str]
) -> None:
    metadata = {"annotations": {"serving.kserve.io/deploymentMode": "Standard"}}
    document = manifest("flower", models[1], metadata=metadata)
    fairlead.api(ISVCS, "POST", document)
    until(lambda: is_true(fairlead, "flower", "Ready"), what="Ready")

    path = "/serving/default/flower/v1/models/flower:predict"
    new = {"modelFormat": {"name": "sklearn"}, "storageUri": models[2]}
    with Client(fairlead.url + path) as client:
        canary = {"predictor": {"name": "second", "model": new}, "trafficPercent": 50}
        patch(fairlead, "flower", {"canary": [canary]})
        until(lambda: is_true(fairlead, "flower", "CanaryPredictorReady"), what="the canary")
        until(lambda: answers(fairlead, path) == {1, 2}, what="both")
        (before,) = pids(fairlead, "flower-second-predictor")

        patch(fairlead, "flower", {"canary": None, "predictor": {"name": "second", "model": new}})
        until(lambda: answers(fairlead, path) == {2}, what="the promotion")
        assert pids(fairlead, "flower-second-predictor") == [before]

    assert set(client.seen) == {'{"predictions":[1]}', '{"predictions":[2]}'}


def pids(fairlead: Installation, component: str) -> list[str]:
    pods = fairlead.api("/api/v1/namespaces/default/pods")["items"]
    found = [pod["metadata"] for pod in pods if pod["metadata"]["name"].startswith(component)]
    return [one["annotations"]["fairlead.dev/pid"] for one in found]
