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
        ({"conditions": [{"type": "Ready", "status": "False"}, {"type": "Stopped", "status": "True"}]}, Stage.READY),
        (
            {
                "conditions": [{"type": "Ready", "status": "True"}],
                "modelStatus": {"transitionStatus": "BlockedByFailedLoad"},
            },
            Stage.FAILED,
        ),
        (
            {
                "conditions": [
                    {"type": "Ready", "status": "False"},
                    {"type": "TransformerReady", "status": "False", "message": "no such class"},
                ]
            },
            Stage.FAILED,
        ),
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


def test_a_failed_revision_says_why_although_another_serves() -> None:
    failure = {"reason": "ModelLoadFailed", "message": "no such\n bucket"}
    status = {
        "url": "http://iris.default.localhost:8080",
        "conditions": [{"type": "Ready", "status": "True"}],
        "modelStatus": {"transitionStatus": "BlockedByFailedLoad", "lastFailureInfo": failure},
    }

    assert read({"kind": "InferenceService", "metadata": {}, "status": status}).why == "no such bucket"


def test_a_manifest_that_gives_no_plan_is_told_what_would_be_accepted() -> None:
    told = "fails to reconcile component: no runtime found; did you mean sklearn?"
    status = {
        "conditions": [{"type": kind, "status": "False", "message": told} for kind in ("PredictorReady", "Ready")],
        "modelStatus": {"transitionStatus": "InvalidSpec", "lastFailureInfo": {"message": "No runtime found"}},
    }

    assert read({"kind": "InferenceService", "metadata": {}, "status": status}).why == (
        "no runtime found; did you mean sklearn?"
    )


def test_an_address_is_where_a_ready_service_answers() -> None:
    status = {"url": "http://iris.default.localhost:8080", "conditions": [{"type": "Ready", "status": "True"}]}

    found = read({"kind": "InferenceService", "metadata": {}, "status": status})

    assert found.address == "http://iris.default.localhost:8080"


@pytest.mark.parametrize(
    ("condition", "stage"),
    [
        ({"type": "BentoAvailable", "status": "True"}, Stage.READY),
        ({"type": "BentoAvailable", "status": "Unknown", "message": "downloading"}, Stage.WORKING),
        ({"type": "BentoAvailable", "status": "False", "reason": "StorageUnavailable"}, Stage.WORKING),
        ({"type": "BentoAvailable", "status": "False", "reason": "EnvironmentFailed"}, Stage.FAILED),
    ],
)
def test_a_bento_request_is_ready_when_its_bento_is_there(condition: dict[str, Any], stage: Stage) -> None:
    assert read({"kind": "BentoRequest", "metadata": {}, "status": {"conditions": [condition]}}).stage is stage


def test_a_bento_is_ready_when_it_says_so() -> None:
    assert read({"kind": "Bento", "metadata": {}, "status": {"ready": True}}).stage is Stage.READY
