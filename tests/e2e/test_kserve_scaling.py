"""An InferenceService that goes to zero and comes back, on a whole installation."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.inference_services import apply, isvc, model, predict
from support.instance import Installation, call, installation, until
from support.models import train_iris_sklearn

pytestmark = pytest.mark.slow
ROWS = [[5.0, 3.4, 1.4, 0.2]]
QUICK = {"autoscaling.knative.dev/window": "6s"}
SETTINGS = "/api/v1/namespaces/knative-serving/configmaps/config-autoscaler"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with installation(tmp_path_factory.mktemp("scaling") / "home") as started:
        data = {"data": {"scale-to-zero-grace-period": "6s"}}
        started.api(SETTINGS, "PATCH", data, "application/merge-patch+json")
        yield started


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("model")
    train_iris_sklearn(made)
    return made


def scale_lines(running: Installation) -> list[str]:
    return [line for line in call(f"{running.url}/-/metrics").body.decode().splitlines() if "autoscaler" in line]


def test_to_zero_and_back_with_the_reasons_in_sight(running: Installation, folder: Path) -> None:
    apply(running, [isvc("iris", {"minReplicas": 0, **model("sklearn", folder)}, annotations=QUICK)])
    assert predict(running, "iris", ROWS) == [0]
    until(lambda: not running.pods("iris"), what="zero")

    zero = "Scaling:      predictor-00001: 0 replicas since"
    until(lambda: zero in running.run("describe", "isvc", "iris").stdout, what="an Event")
    until(lambda: any("desired" in line and line.endswith(" 0.0") for line in scale_lines(running)))

    os.kill(running.process("fairlead.control"), signal.SIGKILL)
    assert predict(running, "iris", ROWS) == [0]
    until(lambda: "a request arrived" in running.run("describe", "isvc", "iris").stdout, what="an Event")
    until(lambda: bool(running.pods("iris")), what="a pod")
    (pod,) = running.pods("iris")
    assert pod["metadata"]["labels"]["fairlead.dev/component"] == "predictor-00001"
