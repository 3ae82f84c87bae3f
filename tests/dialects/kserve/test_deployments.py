"""What the conditions of a Deployment say, by KServe's rules."""

import pytest

from fairlead.dialects.kserve.deployments import deployment_condition

UP = ("Available", "True", "MinimumReplicasAvailable")
DOWN = ("Available", "False", "MinimumReplicasUnavailable")
DONE = ("Progressing", "True", "NewReplicaSetAvailable")
DOING = ("Progressing", "True", "ReplicaSetUpdated")
TOO_LATE = ("Progressing", "False", "ProgressDeadlineExceeded")
REFUSED = ("ReplicaFailure", "True", "FailedCreate")


@pytest.mark.parametrize(
    ("told", "expected", "reason"),
    [
        ([], None, "Deploying"),
        ([UP], True, "MinimumReplicasAvailable"),
        ([UP, DONE], True, "NewReplicaSetAvailable"),
        ([UP, DOING], True, "MinimumReplicasAvailable"),
        ([DOING], None, "ReplicaSetUpdated"),
        ([DOWN, DOING], False, "MinimumReplicasUnavailable"),
        ([UP, TOO_LATE], False, "ProgressDeadlineExceeded"),
        ([UP, DONE, REFUSED], False, "FailedCreate"),
    ],
)
def test_later_rules_win(told: list[tuple[str, str, str]], expected: bool | None, reason: str) -> None:
    conditions = [{"type": type_, "status": status, "reason": why, "message": "m"} for type_, status, why in told]
    deployment = {"metadata": {"name": "iris"}, "status": {"conditions": conditions}}

    found = deployment_condition(deployment, "PredictorReady")

    assert (found.type, found.is_true, found.reason) == ("PredictorReady", expected, reason)


def test_a_deployment_that_is_not_there_is_not_known() -> None:
    assert deployment_condition(None, "PredictorReady").is_true is None
