"""One sentence from a pod that is not ready."""

from typing import Any

import pytest

from fairlead.dialects.seldon.cluster.pods_tell import complaint
from fairlead.plan.layout import PodTemplate, Workload

WORKLOAD = Workload(name="w", pod=PodTemplate(spec={}), selector={"app": "w"})


def pod(app: str = "w", **status: Any) -> dict[str, Any]:
    return {"metadata": {"labels": {"app": app}}, "status": status}


def container(name: str = "c", last: dict[str, Any] | None = None, **state: Any) -> dict[str, Any]:
    return {"name": name, "state": state, "lastState": {"terminated": last} if last else {}}


CRASHED = container(
    waiting={"reason": "CrashLoopBackOff", "message": "back-off 5m"},
    last={"exitCode": 1, "message": "Traceback\n  deep\nValueError: no model here\n"},
)


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ({"containerStatuses": [CRASHED]}, "container c: CrashLoopBackOff: ValueError: no model here"),
        (
            {"initContainerStatuses": [container("i", terminated={"exitCode": 2, "message": "s3: no such bucket"})]},
            "container i: ended with 2: s3: no such bucket",
        ),
        (
            {"containerStatuses": [container(terminated={"exitCode": 137, "reason": "OOMKilled"})]},
            "container c: ended with 137: OOMKilled",
        ),
        (
            {"conditions": [{"type": "PodScheduled", "status": "False", "message": "0/3 nodes: insufficient cpu"}]},
            "no node takes its pod: 0/3 nodes: insufficient cpu",
        ),
        ({"message": "The node was low on memory"}, "The node was low on memory"),
        ({"containerStatuses": [container(waiting={"reason": "ContainerCreating"})]}, ""),
        ({"containerStatuses": [container(running={})]}, ""),
        ({}, ""),
    ],
)
def test_a_pod_tells_what_holds_it_up(status: dict[str, Any], words: str) -> None:
    assert complaint(WORKLOAD, [pod(**status)]) == words


def test_the_first_that_complains_speaks_and_others_pods_do_not() -> None:
    pods = [pod("other", message="not ours"), pod(), pod(message="ours"), pod(message="older")]

    assert complaint(WORKLOAD, pods) == "ours"


def test_a_pod_that_says_nothing_of_itself_is_passed_over() -> None:
    assert complaint(WORKLOAD, [{"metadata": {"labels": {"app": "w"}}}, {}]) == ""
