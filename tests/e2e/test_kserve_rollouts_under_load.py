"""Every kind of roll-out of an InferenceService, and the way from zero, with clients that never pause: none of them may
see anything but predictions."""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from sklearn.dummy import DummyClassifier

from support.inference_services import PATH, apply, isvc, model, wait_for
from support.instance import Installation, installation, until
from support.load import Load, load
from support.models import iris, train_iris_sklearn

pytestmark = pytest.mark.slow

ROWS = {"instances": [[5.1, 3.5, 1.4, 0.2]]}
SETTINGS = "/api/v1/namespaces/knative-serving/configmaps/config-autoscaler"
MERGE = "application/merge-patch+json"
SLEEPERS = ("sleepy-1", "sleepy-2")


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Mapping[int, Path]:
    """Models that always answer with their number."""
    rows, labels = iris()
    made = tmp_path_factory.mktemp("models")
    return {
        number: train_iris_sklearn(
            made / str(number), model=DummyClassifier(strategy="constant", constant=number).fit(rows, labels)
        )
        for number in (1, 2)
    }


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, folders: Mapping[int, Path]) -> Iterator[Installation]:
    """With two services that go to zero meanwhile."""
    with installation(tmp_path_factory.mktemp("rollouts") / "home") as started:
        started.api(SETTINGS, "PATCH", {"data": {"scale-to-zero-grace-period": "6s"}}, MERGE)
        quick = {"autoscaling.knative.dev/window": "6s"}
        predictor = {"minReplicas": 0, **model("sklearn", folders[1])}
        apply(started, [isvc(name, predictor, annotations=quick) for name in SLEEPERS])
        yield started


def predict_url(running: Installation, name: str) -> str:
    return f"{running.url}/serving/default/{name}/v1/models/{name}:predict"


@contextlib.contextmanager
def clients(running: Installation, name: str) -> Iterator[Callable[[Mapping[str, Any]], None]]:
    """Clients that ask all the time, and what changes the service. Every answer was a prediction, or the test fails."""

    def change(spec: Mapping[str, Any]) -> None:
        running.api(f"{PATH}/{name}", "PATCH", {"spec": spec}, MERGE)

    with load(predict_url(running, name), ROWS, threads=4) as asked:
        yield change
        seen = asked.count
        until(lambda: asked.count > seen + 50, what="more answers")
    assert_only_predictions(asked)


def assert_only_predictions(asked: Load) -> None:
    assert asked.failures == []
    assert set(asked.answers) == {200}, asked.bodies
    assert set(asked.bodies) <= {b'{"predictions":[1]}', b'{"predictions":[2]}'}


def status(running: Installation, name: str) -> dict[str, Any]:
    found: dict[str, Any] = running.api(f"{PATH}/{name}").get("status") or {}
    return found


def until_shares(running: Installation, name: str, **wanted: int) -> None:
    """Until so many percent go to the revisions of these numbers."""

    def shares() -> dict[str, int]:
        told = status(running, name).get("components", {}).get("predictor", {}).get("traffic") or []
        return {f"r{int(share['revisionName'].rpartition('-')[2])}": share["percent"] for share in told}

    try:
        until(lambda: shares() == wanted, timeout_s=30)
    except AssertionError:
        raise AssertionError(f"not {wanted} within 30 s: {status(running, name)}") from None


def test_no_change_of_a_service_with_revisions_costs_a_request(
    running: Installation, folders: Mapping[int, Path]
) -> None:
    apply(running, [isvc("iris", model("sklearn", folders[1]))])

    with clients(running, "iris") as change:
        change({"predictor": model("sklearn", folders[2])})
        until_shares(running, "iris", r2=100)
        change({"predictor": {"canaryTrafficPercent": 10, **model("sklearn", folders[1])}})
        until_shares(running, "iris", r3=10, r2=90)
        change({"predictor": {"canaryTrafficPercent": 50}})
        until_shares(running, "iris", r3=50, r2=50)
        change({"predictor": {"canaryTrafficPercent": None}})
        until_shares(running, "iris", r3=100)
        change({"predictor": {"canaryTrafficPercent": 0}})
        until_shares(running, "iris", r3=0, r2=100)
        change({"predictor": {"canaryTrafficPercent": None}})
        until_shares(running, "iris", r3=100)

        change({"predictor": model("sklearn", Path("/nowhere/at/all"))})
        until(lambda: status(running, "iris")["modelStatus"]["transitionStatus"] == "BlockedByFailedLoad")
        change({"predictor": {"minReplicas": 2, **model("sklearn", folders[2])}})
        until_shares(running, "iris", r5=100)
        until(lambda: len(running.pods("iris")) == 2, what="two replicas and nothing of the revisions before")
        change({"predictor": {"minReplicas": 1, "maxReplicas": 1}})
        until_shares(running, "iris", r6=100)
        until(lambda: len(running.pods("iris")) == 1, what="one replica")


def test_no_change_of_a_service_in_standard_mode_costs_a_request(
    running: Installation, folders: Mapping[int, Path]
) -> None:
    standard = {"serving.kserve.io/deploymentMode": "Standard"}
    apply(running, [isvc("flower", model("sklearn", folders[1]), annotations=standard)])

    with clients(running, "flower") as change:
        change({"predictor": model("sklearn", folders[2])})
        settled(running, "flower", replicas=1)
        canary = {"predictor": {"name": "second", **model("sklearn", folders[1])}, "trafficPercent": 50}
        change({"canary": [canary]})
        settled(running, "flower", replicas=2)
        change({"canary": None, "predictor": {"name": "second", **model("sklearn", folders[1])}})
        settled(running, "flower", replicas=1)
        change({"predictor": {"minReplicas": 3}})
        settled(running, "flower", replicas=3)
        change({"predictor": {"minReplicas": 1}})
        settled(running, "flower", replicas=1)


def settled(running: Installation, name: str, *, replicas: int) -> None:
    """Until the service is as it was changed last, with nothing left of what was before."""
    generation = running.api(f"{PATH}/{name}")["metadata"]["generation"]
    until(lambda: status(running, name).get("observedGeneration", 0) >= generation, what="looked at")
    until(lambda: len(running.pods(name)) == replicas, what=f"{replicas} replicas")
    wait_for(running, name)


def test_crowds_that_come_to_services_at_zero_are_all_answered(running: Installation) -> None:
    until(lambda: not any(running.pods(name) for name in SLEEPERS), what="zero")

    with contextlib.ExitStack() as crowds:
        asked = [crowds.enter_context(load(predict_url(running, name), ROWS, threads=16)) for name in SLEEPERS]
        until(lambda: all(one.count > 100 for one in asked), what="answers")

    for one in asked:
        assert_only_predictions(one)
