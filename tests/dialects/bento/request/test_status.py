"""What a BentoRequest tells while its bento comes, and the Bento that it comes to, on one machine."""

import pytest

from fairlead.dialects.bento import BentoDialect
from fairlead.dialects.catalog import Catalog
from fairlead.errors import UnrunnableManifest
from fairlead.plan.bentos import ImageState, ImageStatus
from fairlead.plan.status import ModelState, PlanStatus, Progress
from support.bentos_stored import FACTS, MODEL, TAG, bento, brought, condition, request
from support.stored_docs import DocumentWorld

DIALECT = BentoDialect()
NOW, LATER = "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"


def told(observed: PlanStatus, doc: dict[str, object] | None = None, *, now: str = NOW) -> dict[str, object]:
    given = doc or request()
    return DIALECT.status(given, DIALECT.lower(given, catalog=Catalog()), observed, now=now)


@pytest.mark.parametrize(
    ("observed", "status", "message"),
    [
        (brought(request(), ModelState.PENDING, facts=None, models=None), "Unknown", f"waiting for {TAG}"),
        (
            brought(
                request(),
                ModelState.DOWNLOADING,
                facts=None,
                models=None,
                progress=Progress(what=f"fairlead://bentos/{TAG}", done_bytes=47, total_bytes=100),
            ),
            "Unknown",
            f"downloading fairlead://bentos/{TAG} (40 %)",
        ),
        (brought(request(), models=ModelState.PENDING), "Unknown", f"waiting for {MODEL}"),
        (brought(request()), "True", "Bento is generated"),
        (
            brought(request(), ModelState.FAILED, facts=None, message="no such bento", reason="NotFound"),
            "False",
            f"{TAG}: no such bento",
        ),
    ],
)
def test_the_condition_says_what_is_being_done(observed: PlanStatus, status: str, message: str) -> None:
    found = condition(told(observed), "BentoAvailable")

    assert (found["status"], found["message"]) == (status, message)


@pytest.mark.parametrize(
    ("state", "conditions"),
    [
        (ImageState.CHECKING, {"ImageExistsChecked": "Unknown", "BentoAvailable": "Unknown"}),
        (ImageState.BUILDING, {"ImageExistsChecked": "True", "ImageExists": "False", "ImageBuilding": "True"}),
        (ImageState.FAILED, {"ImageExists": "False", "ImageBuilding": "False", "BentoAvailable": "False"}),
        (ImageState.PRESENT, {"ImageExistsChecked": "True", "ImageExists": "True", "BentoAvailable": "True"}),
    ],
)
def test_an_image_has_yatais_conditions(state: ImageState, conditions: dict[str, str]) -> None:
    image = ImageStatus(name="registry.lan/iris:1", state=state, message="step 3 of 7")

    status = told(brought(request(), image=image))

    assert {name: condition(status, name).get("status") for name in conditions} == conditions
    assert "registry.lan/iris:1" in condition(status, "ImageExistsChecked")["message"]


def test_a_condition_keeps_its_time_while_its_status_stays() -> None:
    first = told(brought(request(), ModelState.PENDING, facts=None, models=None))
    second = told(brought(request(), models=ModelState.PENDING), request(status=first), now=LATER)
    third = told(brought(request()), request(status=second), now=LATER)

    assert condition(second, "BentoAvailable")["lastTransitionTime"] == NOW
    assert condition(third, "BentoAvailable")["lastTransitionTime"] == LATER


def test_models_that_are_found_in_a_bento_are_fetched_too() -> None:
    doc = request()
    world = DocumentWorld(statuses=[brought(doc, models=None)])

    plan = DIALECT.lower(doc, catalog=Catalog(), world=world)

    assert [one.name for one in plan.prefetched] == [TAG, MODEL]
    assert plan.prefetched[1].artifact.uri == f"fairlead://models/{MODEL}"
    assert DIALECT.records(doc, catalog=Catalog(), world=world) == ()


def test_what_is_all_here_becomes_a_bento() -> None:
    doc = request(dockerConfigJsonSecretName="regcred")
    world = DocumentWorld(statuses=[brought(doc)])

    (made,) = DIALECT.records(doc, catalog=Catalog(), world=world)

    assert made["kind"] == "Bento"
    assert made["spec"] == {
        "tag": TAG,
        "image": "yatai-bentos:yatai.iris_classifier.gsb2nhd6tc4k",
        "serviceName": "iris_classifier",
        "context": {"bentomlVersion": "1.1.11"},
        "runners": [{"name": "iris_clf", "runnableType": "SklearnRunnable", "modelTags": [MODEL]}],
        "models": [{"tag": MODEL}],
        "imagePullSecrets": [{"name": "regcred"}],
    }
    DIALECT.validate(made, catalog=Catalog())


def test_what_the_request_says_wins_over_what_is_found() -> None:
    doc = request(runners=[{"name": "mine"}], context={"bentomlVersion": "1.0.25"}, serviceName="svc")
    world = DocumentWorld(statuses=[brought(doc)])

    (made,) = DIALECT.records(doc, catalog=Catalog(), world=world)

    assert made["spec"]["runners"] == [{"name": "mine"}]
    assert made["spec"]["context"] == {"bentomlVersion": "1.0.25"}
    assert made["spec"]["serviceName"] == "svc"


def test_a_bento_that_was_made_stays_when_a_process_has_just_started() -> None:
    doc = request()
    made, foreign = bento(owner=doc), bento()

    assert DIALECT.records(doc, catalog=Catalog(), world=DocumentWorld([made])) == (made,)
    assert DIALECT.records(doc, catalog=Catalog(), world=DocumentWorld([foreign])) == ()


def test_no_bento_is_made_before_its_image() -> None:
    doc, image = request(), ImageStatus(name="x", state=ImageState.BUILDING)

    assert DIALECT.records(doc, catalog=Catalog(), world=DocumentWorld(statuses=[brought(doc, image=image)])) == ()


def test_what_cannot_be_lowered_is_told() -> None:
    status = DIALECT.failed_status(request(), UnrunnableManifest([]), now=NOW)

    assert condition(status, "BentoAvailable")["status"] == "False"


def test_becoming_available_and_failing_are_told_once() -> None:
    done, failed = told(brought(request())), told(brought(request(), ModelState.FAILED, facts=None, message="gone"))

    assert [one.reason for one in DIALECT.events(request(), done)] == ["BentoAvailable"]
    assert DIALECT.events(request(status=done), done) == ()
    assert [one.is_warning for one in DIALECT.events(request(), failed)] == [True]
    assert DIALECT.events(request(status=failed), failed) == ()


def test_what_was_found_is_in_the_status() -> None:
    found = told(brought(request()))["found"]

    assert isinstance(found, dict)
    assert found["bentomlVersion"] == FACTS.bentoml_version
    assert found["runners"][0]["name"] == "iris_clf"
