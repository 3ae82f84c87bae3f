"""Admission as an API server sees it: exact texts and codes, patches, warnings, and mistakes of the one who asks."""

import base64
import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import jsonpatch
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fairlead.backends.kubernetes.webhooks.endpoints import endpoints_of
from fairlead.backends.kubernetes.webhooks.reviewing import Reviewer
from fairlead.dialects.catalog import Catalog
from fairlead.dialects.document import load
from fairlead.dialects.kserve import KServeDialect
from fairlead.dialects.seldon import SeldonDialect
from fairlead.errors import BadRequest, NotFound
from support import golden
from support.admission_reviews import ISVC, ISVC_DEFAULTS, SELDON, answered, review, reviewer
from support.stored_docs import DocumentWorld

SDEP: dict[str, Any] = {
    "apiVersion": "machinelearning.seldon.io/v1",
    "kind": "SeldonDeployment",
    "metadata": {"name": "iris", "namespace": "models"},
    "spec": {"predictors": [{"name": "default", "graph": {"name": "m", "implementation": "SIMPLE_MODEL"}}]},
}
LEGACY: dict[str, Any] = {
    "apiVersion": "serving.kserve.io/v1beta1",
    "kind": "InferenceService",
    "metadata": {"name": "iris", "namespace": "models"},
    "spec": {"predictor": {"sklearn": {"storageUri": "gs://models/iris"}}},
}

KINDS = {
    endpoint.path: (endpoint.kind, dialect.open_api(endpoint.kind))
    for dialect in (SeldonDialect(), KServeDialect())
    for endpoint in endpoints_of(dialect.kinds)
}


def _documents(path: Path) -> list[dict[str, Any]]:
    return [dict(one.doc) for one in load(path.read_text(), path.name)] if path.exists() else []


def _patched(response: dict[str, Any], doc: dict[str, Any]) -> dict[str, Any]:
    assert response["patchType"] == "JSONPatch"
    patched: dict[str, Any] = jsonpatch.apply_patch(deepcopy(doc), json.loads(base64.b64decode(response["patch"])))
    return patched


def _path(doc: dict[str, Any]) -> str:
    found = [path for path in reviewer().paths() if path.endswith(f"-{doc['kind'].lower()}") and "validate" in path]
    return found[0]


def test_webhooks_are_where_upstreams_are() -> None:
    runtimes = ["trainedmodel", "inferencegraph", "servingruntime", "clusterservingruntime"]

    expected = {SELDON, ISVC, ISVC_DEFAULTS, *(f"/validate-serving-kserve-io-v1alpha1-{kind}" for kind in runtimes)}

    assert expected <= set(reviewer().paths())


REFUSED = [folder for folder in golden.folders("seldon") if (folder / "error.txt").exists()]


@pytest.mark.parametrize("folder", [one for one in REFUSED if one.name.startswith("refused")], ids=lambda one: one.name)
def test_a_seldon_deployment_is_refused_as_invalid_with_its_causes(folder: Path) -> None:
    doc = _documents(folder / "manifest.yaml")[0]
    told = (folder / "error.txt").read_text().removeprefix("InvalidManifest: ").split("\n\n")[0]

    response = answered(SELDON, doc)

    assert response["allowed"] is False
    status = response["status"]
    assert (status["code"], status["reason"], status["message"]) == (422, "Invalid", told)
    assert all(cause["reason"].startswith("FieldValue") for cause in status["details"]["causes"])


def test_causes_name_field_and_value_as_seldons_do() -> None:
    doc = {**SDEP, "spec": {**SDEP["spec"], "protocol": "soap"}}

    details = answered(SELDON, doc)["status"]["details"]

    assert details == {
        "group": "machinelearning.seldon.io",
        "kind": "SeldonDeployment",
        "name": "iris",
        "causes": [
            {"reason": "FieldValueInvalid", "message": 'Invalid value: "soap": Invalid protocol', "field": "spec"}
        ],
    }


@pytest.mark.parametrize("folder", golden.folders("kserve/validation"), ids=lambda folder: folder.name)
def test_a_manifest_of_kserve_is_forbidden_in_the_webhooks_words(folder: Path) -> None:
    doc = _documents(folder / "manifest.yaml")[0]
    old = next(iter(_documents(folder / "old.yaml")), None)
    world = DocumentWorld(_documents(folder / "world.yaml"))
    catalog = golden.catalog_of(folder)
    dialects = (SeldonDialect(), KServeDialect())

    asked = Reviewer(dialects=dialects, catalog=catalog, world=lambda: world)
    status = asked.answer(_path(doc), review(doc, old=old))["response"]["status"]

    assert status["message"] == (folder / "refusal.txt").read_text().rsplit("\n\n", 1)[0]
    assert (status["code"], status["reason"]) == (403, "Forbidden")


def test_what_is_right_is_allowed_without_a_word() -> None:
    response = answered(SELDON, SDEP)

    assert response == {"uid": "705ab4f5-6393-11e8-b7cc-42010a800002", "allowed": True}


def test_older_versions_are_checked_too() -> None:
    assert answered(SELDON, {**SDEP, "apiVersion": "machinelearning.seldon.io/v1alpha2"})["allowed"]


def test_defaults_come_as_a_patch_of_what_was_sent() -> None:
    patched = _patched(answered(ISVC_DEFAULTS, LEGACY), LEGACY)

    assert patched["spec"]["predictor"] == {
        "model": {"modelFormat": {"name": "sklearn"}, "storageUri": "gs://models/iris"}
    }
    assert patched["metadata"]["annotations"]["modelFormat"] == "sklearn"


def test_a_defaulted_service_is_not_patched_again() -> None:
    patched = _patched(answered(ISVC_DEFAULTS, LEGACY), LEGACY)

    assert answered(ISVC_DEFAULTS, patched) == {"uid": "705ab4f5-6393-11e8-b7cc-42010a800002", "allowed": True}


def test_a_name_that_is_still_to_be_made_up_is_not_written_into_the_patch() -> None:
    doc = {**LEGACY, "metadata": {"generateName": "iris-"}}

    patched = _patched(answered(ISVC_DEFAULTS, doc, namespace="models"), doc)

    assert patched["metadata"] == {"generateName": "iris-", "annotations": {"modelFormat": "sklearn"}}


def test_what_the_schema_will_refuse_is_left_to_it() -> None:
    doc = {**LEGACY, "spec": {"predictor": {"sklearn": "not an object"}}}

    assert answered(ISVC_DEFAULTS, doc)["allowed"] is True


def test_an_object_that_is_being_deleted_may_say_anything() -> None:
    doc = {**SDEP, "metadata": {**SDEP["metadata"], "deletionTimestamp": "2026-01-01T00:00:00Z"}, "spec": {}}

    assert answered(SELDON, doc, old=SDEP)["allowed"] is True


def test_deletion_is_always_allowed() -> None:
    assert answered(SELDON, None, old=SDEP, operation="DELETE")["allowed"] is True


def test_a_dry_run_is_answered_like_any_other() -> None:
    doc = {**SDEP, "spec": {"predictors": []}}

    assert answered(SELDON, doc, dryRun=True) == answered(SELDON, doc)


def test_warnings_are_cut_where_an_api_server_would() -> None:
    asked = Reviewer(
        dialects=(SeldonDialect(), KServeDialect()),
        catalog=Catalog(),
        world=DocumentWorld,
        warn=lambda _doc: ["short", "long " * 100],
    )

    short, cut = asked.answer(SELDON, review(SDEP))["response"]["warnings"]

    assert short == "short"
    assert len(cut) == 256


def test_settings_that_cannot_be_read_are_an_answer() -> None:
    broken = {
        "kind": "ConfigMap",
        "metadata": {"name": "inferenceservice-config", "namespace": "kserve"},
        "data": {"deploy": "{"},
    }

    status = answered(ISVC_DEFAULTS, LEGACY, broken)["status"]

    assert status["code"] == 500
    assert "unable to parse deploy config json" in status["message"]


def test_an_object_of_another_kind_is_refused() -> None:
    status = answered(ISVC, SDEP)["status"]

    assert status["code"] == 400
    assert "answers for a InferenceService" in status["message"]


@pytest.mark.parametrize(
    "asked",
    [
        None,
        [],
        "x",
        {},
        {"kind": "AdmissionReview"},
        {"apiVersion": "admission.k8s.io/v1beta1", "kind": "AdmissionReview", "request": {"uid": "u"}},
        {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview"},
        {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {"uid": ""}},
        review("text"),
        review({"metadata": []}),
    ],
    ids=str,
)
def test_what_is_no_review_is_the_mistake_of_the_one_who_asks(asked: Any) -> None:
    with pytest.raises(BadRequest):
        reviewer().answer(SELDON, asked)


def test_a_path_that_is_none_is_not_found() -> None:
    with pytest.raises(NotFound, match="no webhook at /validate-nothing"):
        reviewer().answer("/validate-nothing", review(SDEP))


_SCALARS = st.none() | st.booleans() | st.integers(-2, 200) | st.text(max_size=4)
_JUNK = st.recursive(
    _SCALARS, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2)
)


@st.composite
def _shaped(draw: st.DrawFn, schema: dict[str, Any], depth: int = 7) -> Any:
    """Nearly what a schema asks for: mostly its fields and types, now and then anything."""
    if depth == 0 or draw(st.integers(0, 9)) == 0:
        return draw(_JUNK)
    if properties := schema.get("properties"):
        names = draw(st.lists(st.sampled_from(sorted(properties)), max_size=3, unique=True))
        needed = schema.get("required", ())
        return {name: draw(_shaped(properties[name], depth - 1)) for name in {*names, *needed}}
    if "items" in schema:
        return [draw(_shaped(schema["items"], depth - 1)) for _ in range(draw(st.integers(0, 2)))]
    if isinstance(extra := schema.get("additionalProperties"), dict):
        return {"a": draw(_shaped(extra, depth - 1))}
    if "enum" in schema:
        return draw(st.sampled_from(schema["enum"]))
    kinds = {"string": st.text(max_size=4), "integer": st.integers(-2, 200), "boolean": st.booleans()}
    return draw(kinds.get(schema.get("type", ""), _JUNK))


@st.composite
def _asked(draw: st.DrawFn) -> tuple[str, dict[str, Any], dict[str, Any] | None]:
    """A path, an object and what it replaces."""
    path = draw(st.sampled_from(sorted(KINDS)))
    kind, schema = KINDS[path]
    metadata = {"name": "x", "namespace": "y", "annotations": {"serving.kserve.io/deploymentMode": draw(st.text())}}
    doc = {"apiVersion": f"{kind.group}/{kind.versions[0]}", "kind": kind.kind, "metadata": metadata}
    specs = _shaped(schema["properties"]["spec"])
    return path, {**doc, "spec": draw(specs)}, draw(st.none() | specs.map(lambda spec: {**doc, "spec": spec}))


@pytest.mark.slow
@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(asked=_asked())
def test_whatever_a_manifest_holds_there_is_an_answer(
    asked: tuple[str, dict[str, Any], dict[str, Any] | None],
) -> None:
    path, doc, old = asked

    response = answered(path, doc, old=old)

    assert response["allowed"] or response["status"]["message"]
