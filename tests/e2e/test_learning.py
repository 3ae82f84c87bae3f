"""A router that learned which branch is best knows it still after its process was killed."""

import os
import signal
from typing import Any

import pytest

from support.instance import Installation, until
from support.manifests import images, sdep

pytestmark = pytest.mark.slow

ROW = {"data": {"ndarray": [[1.0]]}}
IMAGES = {
    "router": "seldonio/mab_epsilon_greedy:1.11.0",
    "a": "seldonio/fixed-model:0.1",
    "b": "seldonio/fixed-model:0.2",
}


def learner() -> dict[str, Any]:
    parameters = [
        {"name": "n_branches", "value": "2", "type": "INT"},
        {"name": "epsilon", "value": "0", "type": "FLOAT"},
        {"name": "best_branch", "value": "0", "type": "INT"},
    ]
    children = [{"name": name, "type": "MODEL"} for name in ("a", "b")]
    graph = {"name": "router", "type": "ROUTER", "parameters": parameters, "children": children}
    return sdep("learner", images("main", graph, IMAGES, replicas=1))


def branch(shared: Installation) -> Any:
    answer = shared.predict("learner", ROW)
    return answer.json()["meta"]["routing"]["router"] if answer.status == 200 else answer.status


def test_rewards_outlive_the_worker_and_end_with_the_deployment(shared: Installation) -> None:
    shared.apply(learner())
    shared.wait_for("learner")
    first = branch(shared)
    for chosen, value in ((0, 0.0), (1, 1.0)):
        reward = {"request": ROW, "response": {"meta": {"routing": {"router": chosen}}}, "reward": value}
        assert shared.predict("learner", reward, path="feedback").status == 200
    learned = branch(shared)

    (pid,) = shared.worker_pids("learner")
    os.kill(pid, signal.SIGKILL)
    until(lambda: shared.worker_pids("learner") not in ([], [pid]), what="the next worker")
    shared.wait_for("learner")

    assert (first, learned, branch(shared)) == (0, 1, 1)

    kept = shared.home / "kept" / "default" / "learner"
    assert list(kept.glob("*/main/router/epsilon-greedy-2.json"))
    shared.delete("learner")
    until(lambda: not kept.exists(), what="the end of what it learned")
    shared.apply(learner())
    shared.wait_for("learner")
    assert branch(shared) == 0
    shared.delete("learner")
