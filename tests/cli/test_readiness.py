"""How far an object is, from what it says itself."""

from typing import Any

import pytest

from fairlead.cli.readiness import Stage, read


def deployment(status: dict[str, Any], generation: int = 1) -> dict[str, Any]:
    return {"kind": "SeldonDeployment", "metadata": {"generation": generation}, "status": status}


@pytest.mark.parametrize(
    ("status", "stage"),
    [
        ({"state": "Available"}, Stage.READY),
        ({"state": "Creating"}, Stage.WORKING),
        ({"state": "Failed", "description": "no such bucket"}, Stage.FAILED),
        ({"conditions": [{"type": "Ready", "status": "True"}]}, Stage.READY),
        ({"conditions": [{"type": "Ready", "status": "False"}]}, Stage.WORKING),
        ({}, Stage.WORKING),
    ],
)
def test_state_and_conditions_tell_the_stage(status: dict[str, Any], stage: Stage) -> None:
    assert read(deployment(status)).stage is stage


def test_a_status_about_an_older_version_is_not_believed() -> None:
    item = deployment({"state": "Available", "observedGeneration": 1}, generation=2)

    assert read(item).stage is Stage.WORKING


def test_why_is_one_line() -> None:
    assert read(deployment({"state": "Failed", "description": "first\n  second"})).why == "first second"


def test_a_percentage_in_the_reason_is_a_share() -> None:
    item = deployment({"state": "Creating", "description": "Downloading gs://a/b: 12 of 40 MiB (30 %)"})

    assert read(item).share == 0.3


def test_kinds_without_a_status_are_ready_when_they_are_there() -> None:
    assert read({"kind": "ConfigMap", "metadata": {}}).stage is Stage.READY
