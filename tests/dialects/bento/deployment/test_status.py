"""What a BentoDeployment tells on one machine: Available means that it answers, and there is always a reason."""

from typing import Any

import pytest

from fairlead.dialects.bento import BentoDialect
from fairlead.dialects.bento.deployment.bentos import BentoMissing, BentoNotReady
from fairlead.dialects.catalog import Catalog
from fairlead.plan.model import ComponentName
from fairlead.plan.status import Cause, ComponentStatus, Phase, PlanStatus, Progress
from support.bentos_stored import bento, condition, deployment, owner_of, request
from support.stored_docs import DocumentWorld

DIALECT = BentoDialect("http://localhost:8080")
NOW = "2026-01-01T00:00:00Z"
WORLD = DocumentWorld([bento(runners=[{"name": "clf"}]), request()])


def part(name: str = "api-server", phase: Phase = Phase.READY, **fields: Any) -> ComponentStatus:
    known = {"desired": 1, "ready": 1 if phase is Phase.READY else 0, **fields}
    return ComponentStatus(component=ComponentName(name), full_name=name, revision="x", phase=phase, **known)


def told(*parts: ComponentStatus, doc: dict[str, Any] | None = None, is_routed: bool = True) -> dict[str, Any]:
    given = doc or deployment()
    plan = DIALECT.lower(given, catalog=Catalog(), world=WORLD)
    observed = PlanStatus(owner=owner_of(given), components=parts, routed=is_routed)
    return DIALECT.status(given, plan, observed, now=NOW, world=WORLD)


@pytest.mark.parametrize(
    ("parts", "is_routed", "status", "reason", "message"),
    [
        ((part(), part("clf")), True, "True", "PodsReady", "every part answers"),
        ((part(), part("clf")), False, "Unknown", "RouteNotReady", "waiting for the gateway to route to it"),
        (
            (part(), part("clf", Phase.STARTING)),
            True,
            "False",
            "Deploying",
            "clf: starting (0 of 1 replicas ready)",
        ),
        (
            (part(phase=Phase.DOWNLOADING, progress=Progress(what="numpy", verb="installing")),),
            True,
            "False",
            "Deploying",
            "api-server: installing numpy",
        ),
        (
            (part(phase=Phase.FAILED, cause=Cause(unit="main", reason="ImportFailed", message="no module x")),),
            True,
            "False",
            "ImportFailed",
            "api-server: no module x",
        ),
        (
            (part(phase=Phase.READY, desired=0, ready=0),),
            True,
            "True",
            "ScaledToZero",
            "api-server at zero replicas; the next request starts one",
        ),
        ((), True, "Unknown", "Deploying", "not started yet"),
    ],
)
def test_available_and_ready_say_why(
    parts: tuple[ComponentStatus, ...], is_routed: bool, status: str, reason: str, message: str
) -> None:
    found = told(*parts, is_routed=is_routed)

    for type_ in ("Available", "Ready"):
        one = condition(found, type_)
        assert (one["status"], one["reason"], one["message"]) == (status, reason, message)


def test_the_url_is_the_host_or_the_path() -> None:
    by_host = told(part(), doc=deployment(bento="iris", ingress={"enabled": True}))

    assert by_host["url"] == "http://iris-models.127.0.0.1.sslip.io:8080"
    assert told(part())["url"] == "http://localhost:8080/bento/models/iris/"
    assert "url" not in told(part(phase=Phase.STARTING))


def test_pods_are_found_by_its_selector_and_counted() -> None:
    found = told(part(desired=3, ready=2, phase=Phase.STARTING))

    assert found["podSelector"] == {"yatai.ai/creator": "yatai-deployment", "yatai.ai/bento-deployment": "iris"}
    assert (found["replicas"], found["readyReplicas"], found["unavailableReplicas"]) == (3, 2, 1)


@pytest.mark.parametrize(
    ("stored", "bento_found", "request_found"),
    [
        ([bento(), request()], ("True", "Reconciling"), ("True", "Reconciling")),
        ([bento()], ("True", "Reconciling"), ("False", "NotNeeded")),
        ([request()], ("False", "BentoNotFound"), ("True", "Reconciling")),
        ([], ("False", "BentoNotFound"), ("False", "BentoRequestNotFound")),
    ],
)
def test_what_there_is_of_the_bento_is_told(
    stored: list[dict[str, Any]], bento_found: tuple[str, str], request_found: tuple[str, str]
) -> None:
    world = DocumentWorld(stored)
    error = BentoMissing("iris", "models")

    status = DIALECT.failed_status(deployment(), error, now=NOW, world=world)

    for type_, wanted in (("BentoFound", bento_found), ("BentoRequestFound", request_found)):
        found = condition(status, type_)
        assert (found["status"], found["reason"]) == wanted
        assert found["message"]


def test_what_waits_for_its_bento_says_what_the_request_says() -> None:
    available = {"type": "BentoAvailable", "status": "Unknown", "message": "downloading iris (30 %)"}
    world = DocumentWorld([request(status={"conditions": [available]})])

    with pytest.raises(BentoNotReady, match=r"downloading iris \(30 %\)"):
        DIALECT.lower(deployment(), catalog=Catalog(), world=world)
    status = DIALECT.failed_status(deployment(), BentoNotReady("iris", "downloading iris (30 %)"), now=NOW, world=world)

    assert condition(status, "Available")["reason"] == "BentoNotReady"
    assert "30 %" in condition(status, "BentoFound")["message"]


def test_what_ran_before_stays_available_when_a_new_manifest_cannot_be_had() -> None:
    before = told(part())
    doc = {**deployment(bento="other"), "status": before}

    status = DIALECT.failed_status(doc, BentoMissing("other", "models"), now=NOW, world=WORLD)

    assert condition(status, "Available")["status"] == "True"
    assert condition(status, "Ready")["status"] == "False"
    assert status["url"] == before["url"]


def test_becoming_available_and_ceasing_to_be_so_are_events() -> None:
    up, down = told(part()), told(part(phase=Phase.STARTING))

    assert [one.reason for one in DIALECT.events(deployment(), up)] == ["BentoDeploymentAvailable"]
    (gone,) = DIALECT.events({**deployment(), "status": up}, down)
    assert gone.is_warning
    assert "0 of 1 replicas ready" in gone.message


def test_a_tag_of_an_old_version_brings_a_request_unless_there_is_one() -> None:
    doc = DIALECT.default(deployment(version="v1alpha2", bento_tag="iris:1"))

    (made,) = DIALECT.records(doc, catalog=Catalog())
    of_somebody = DocumentWorld([request("iris--1", uid="other", bentoTag="iris:1")])

    assert (made["kind"], made["metadata"]["name"], made["spec"]) == ("BentoRequest", "iris--1", {"bentoTag": "iris:1"})
    assert DIALECT.records(doc, catalog=Catalog(), world=of_somebody) == ()
    assert DIALECT.records(doc, catalog=Catalog(), world=DocumentWorld([bento("iris--1")])) == ()


def test_events_of_one_that_waits_do_not_repeat_how_far_its_bento_is() -> None:
    texts = {BentoNotReady("iris", f"downloading iris ({percent} %)").lasting for percent in (1, 30, 99)}

    assert texts == {"BentoRequest iris is not available yet"}


def test_what_serves_an_earlier_bento_is_not_ready_for_the_new_one() -> None:
    given = deployment()
    plan = DIALECT.lower(given, catalog=Catalog(), world=WORLD)
    observed = PlanStatus(owner=owner_of(given), components=(part(), part("clf")), routed=True)
    newer = DocumentWorld([bento(runners=[{"name": "clf"}], tag="iris_classifier:newer"), request()])
    status = DIALECT.status(given, plan, observed, now=NOW, world=newer)

    assert (condition(status, "Ready")["status"], condition(status, "Ready")["reason"]) == ("False", "BentoNotReady")
    assert condition(status, "Available")["status"] == "True"  # what ran before runs on
