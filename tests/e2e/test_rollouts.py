"""Changing what runs, under load, without losing a request."""

from pathlib import Path

import pytest

from support.instance import Installation, until
from support.load import load
from support.manifests import images, sdep, sklearn

pytestmark = pytest.mark.slow

ROW = {"data": {"ndarray": [[5.1, 3.5, 1.4, 0.2]]}}


def fixed(version: str) -> dict[str, object]:
    return images("main", {"name": "m"}, {"m": f"seldonio/fixed-model:{version}"})


def test_a_new_revision_takes_over_without_a_dropped_request(shared: Installation) -> None:
    shared.apply(sdep("rolling", fixed("0.1")))
    shared.wait_for("rolling")

    with load(f"{shared.url}/seldon/default/rolling/api/v1.0/predictions", ROW) as requests:
        for version in ("0.2", "0.1", "0.2"):
            seen = requests.count
            shared.apply(sdep("rolling", fixed(version)))
            shared.wait_for("rolling")
            until(lambda seen=seen: requests.count > seen + 100)  # type: ignore[misc]  # a lambda with a default

    assert requests.failures == []
    assert set(requests.answers) == {200}
    assert shared.predict("rolling", ROW).json()["data"]["ndarray"] == [5, 6, 7, 8]


def test_a_new_revision_that_fails_leaves_the_old_one_serving(shared: Installation, tmp_path: Path) -> None:
    shared.apply(sdep("held", fixed("0.1")))
    shared.wait_for("held")

    with load(f"{shared.url}/seldon/default/held/api/v1.0/predictions", ROW) as requests:
        shared.apply(sdep("held", sklearn(tmp_path / "nowhere", name="main")))
        shared.wait_for("held", "Failed")
        seen = requests.count
        until(lambda: requests.count > seen + 100)

    assert requests.failures == []
    assert set(requests.answers) == {200}
    assert "nowhere" in shared.status("held")["description"]


def test_scaling_up_and_down_under_load_drops_nothing(shared: Installation) -> None:
    predictor = fixed("0.1")
    shared.apply(sdep("elastic", predictor))
    shared.wait_for("elastic")

    with load(f"{shared.url}/seldon/default/elastic/api/v1.0/predictions", ROW) as requests:
        for replicas in (3, 1, 2):
            shared.scale("elastic", replicas)
            until(lambda replicas=replicas: len(shared.pods("elastic")) == replicas)  # type: ignore[misc]  # a lambda with a default
            shared.wait_for("elastic")

    assert requests.failures == []
    assert set(requests.answers) == {200}


def test_stopping_the_platform_lets_requests_finish(shared: Installation) -> None:
    shared.apply(sdep("slow", _slow()))
    shared.wait_for("slow")

    with load(f"{shared.url}/seldon/default/slow/api/v1.0/predictions", ROW, threads=2) as requests:
        until(lambda: requests.count > 2)
        shared.scale("slow", 0)
        until(lambda: requests.answers[503] > 0)

    assert requests.failures == []
    assert set(requests.answers) == {200, 503}


def _slow() -> dict[str, object]:
    graph = {"name": "m", "parameters": [{"name": "delaySecs", "value": "1", "type": "INT"}]}
    return images("main", graph, {"m": "seldonio/mock_classifier:1.0"})
