"""The router as the process it is in a pod: the spec as JSON, services at their URLs."""

import json
from pathlib import Path
from typing import Any

import pytest
from bench.ports import free_port

from fairlead.errors import ConfigError
from fairlead.pods.router import started
from support.pods import container, post, until_ready
from support.predictors import predicting


def _spec(*steps: dict[str, Any], router: str = "Sequence") -> str:
    return json.dumps({"nodes": {"root": {"routerType": router, "steps": list(steps)}}})


@pytest.mark.slow
def test_steps_are_asked_at_their_urls_with_the_headers_that_are_wanted(tmp_path: Path) -> None:
    seen: list[dict[str, str]] = []
    port = free_port()
    with predicting(lambda rows: rows * 2, seen=seen) as first, predicting(lambda rows: rows + 1) as second:
        one = {"serviceName": "a", "serviceUrl": f"http://{first}/v1/models/a:predict"}
        two = {"serviceUrl": f"http://{second}/v1/models/b:predict", "data": "$response"}
        spec = _spec(one, {**two, "mapPredictionsToInstances": True})
        env = {"PROPAGATE_HEADERS": "X-Team.*"}
        with container(tmp_path, "router", "--graph-json", spec, f"--port={port}", env=env) as router:
            until_ready(router, f"http://127.0.0.1:{port}/readyz")
            headers = {"X-Team-Id": "7", "X-Other": "8"}
            answer = post(f"http://127.0.0.1:{port}/anything", {"instances": [[1.0, 2.0]]}, headers)
            assert router.stop() == 0

    assert (answer.status, answer.json()) == (200, {"predictions": [[3.0, 5.0]]})
    names = {name.lower(): value for name, value in seen[0].items()}
    assert names["x-team-id"] == "7"
    assert "x-other" not in names


@pytest.mark.slow
def test_what_no_condition_matches_is_kserve_s_404(tmp_path: Path) -> None:
    port = free_port()
    spec = _spec({"serviceUrl": "http://127.0.0.1:1/", "condition": "x"}, router="Switch")
    with container(tmp_path, "router", "--graph-json", spec, f"--port={port}") as router:
        until_ready(router, f"http://127.0.0.1:{port}/readyz")
        answer = post(f"http://127.0.0.1:{port}/", {"instances": []})

    assert answer.status == 404
    assert answer.json()["cause"] == "None of the routes matched with the switch condition"


def test_a_service_of_the_cluster_keeps_its_port() -> None:
    spec = _spec({"serviceUrl": "http://iris-predictor.team.svc.cluster.local:8080/v1/models/iris:predict"})

    (unit,) = started(("--graph-json", spec), {}).revision.units

    assert unit.url == "http://iris-predictor.team.svc.cluster.local:8080/v1/models/iris:predict"
    assert not unit.is_inside


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{", "is no JSON"),
        ("[]", "is no object"),
        ('{"nodes": {}}', "root node not found"),
        (_spec({"serviceName": "iris"}), "no serviceUrl says where iris is"),
        (_spec({"serviceUrl": "ftp://x"}), "is no URL"),
        (_spec({"nodeName": "other"}), "there is no node 'other'"),
    ],
)
def test_a_graph_that_is_none_is_refused(text: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        started((f"--graph-json={text}",), {})


def test_a_graph_that_is_to_ask_for_tokens_is_refused() -> None:
    with pytest.raises(ConfigError, match="--enable-auth"):
        started(("--graph-json", _spec({"serviceUrl": "http://a/"}), "--enable-auth"), {})
