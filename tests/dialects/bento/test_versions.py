"""Four versions of a BentoDeployment: nothing is lost on the way to another and back, and a change that is made in one
means the same in all."""

from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairlead.dialects.base import ALONE
from fairlead.dialects.bento import BentoDialect
from fairlead.dialects.bento.deployment.versions import original_tag, to_shown, to_stored
from fairlead.dialects.openapi import pruned
from support.stored_docs import DocumentWorld

OLD = ("v1alpha1", "v1alpha2", "v1alpha3")
TEXT = st.text(alphabet="abc", min_size=1, max_size=3)
QUANTITY = st.sampled_from(["100m", "1", "1Gi", "500Mi"])
TAG = st.sampled_from(["iris_classifier:v0.0.2", "iris:1", "a.b:c"])


def _some(fields: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=fields)


ITEM = _some({"cpu": QUANTITY, "memory": QUANTITY, "gpu": st.just("1"), "custom": st.dictionaries(TEXT, QUANTITY)})
RESOURCES = _some({"requests": ITEM, "limits": ITEM})
NUMBER = st.integers(1, 9)
OLD_SCALE = _some(
    {"cpu": NUMBER, "gpu": NUMBER, "memory": QUANTITY, "qps": NUMBER, "min_replicas": NUMBER, "max_replicas": NUMBER}
)
OLD_ENVS = st.lists(_some({"value": TEXT}).flatmap(lambda rest: TEXT.map(lambda key: {"key": key, **rest})), max_size=3)
METRIC = st.sampled_from(
    [
        {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}},
        {"type": "External", "external": {"metric": {"name": "queue"}, "target": {"type": "Value", "value": "5"}}},
    ]
)
NEW_SCALE = _some(
    {
        "minReplicas": NUMBER,
        "maxReplicas": NUMBER,
        "metrics": st.lists(METRIC, max_size=2),
        "behavior": st.just({"scaleDown": {"selectPolicy": "Disabled"}}),
    }
)
NEW_ENVS = st.lists(
    st.one_of(
        st.fixed_dictionaries({"name": TEXT, "value": TEXT}),
        st.fixed_dictionaries({"name": TEXT, "valueFrom": st.just({"secretKeyRef": {"name": "s", "key": "k"}})}),
    ),
    max_size=3,
)
MAP = st.dictionaries(TEXT, TEXT, max_size=2)
NEW = st.fixed_dictionaries(
    {"bento": st.sampled_from(["iris", "iris--1"])},
    optional={
        "annotations": MAP,
        "labels": MAP,
        "resources": RESOURCES,
        "autoscaling": NEW_SCALE,
        "envs": NEW_ENVS,
        "ingress": _some({"enabled": st.booleans(), "annotations": MAP, "tls": st.just({"secretName": "t"})}),
        "monitorExporter": st.just({"enabled": True, "output": "http"}),
        "extraPodSpec": st.just({"nodeSelector": {"a": "b"}}),
        "runners": st.lists(
            st.fixed_dictionaries(
                {"name": TEXT}, optional={"resources": RESOURCES, "autoscaling": NEW_SCALE, "envs": NEW_ENVS}
            ),
            max_size=2,
        ),
    },
)


def _old(version: str) -> st.SearchStrategy[dict[str, Any]]:
    fields: dict[str, st.SearchStrategy[Any]] = {"resources": RESOURCES, "autoscaling": OLD_SCALE, "envs": OLD_ENVS}
    runner: dict[str, st.SearchStrategy[Any]] = {"resources": RESOURCES, "autoscaling": OLD_SCALE, "envs": OLD_ENVS}
    if version == "v1alpha1":
        container = _some({"limits": _some({"cpu": QUANTITY, "nvidia.com/gpu": st.just("1"), "x.com/y": QUANTITY})})
        runner = {"resources": container, "autoscaling": _some({"minReplicas": NUMBER, "maxReplicas": NUMBER})}
    else:
        fields["ingress"] = _some({"enabled": st.booleans()})
    if version == "v1alpha3":
        fields |= {"annotations": MAP, "labels": MAP, "extra_pod_metadata": _some({"labels": MAP})}
    fields["runners"] = st.lists(st.fixed_dictionaries({"name": TEXT}, optional=runner), max_size=2)
    return st.fixed_dictionaries({"bento_tag": TAG}, optional=fields)


def _doc(version: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": f"serving.yatai.ai/{version}",
        "kind": "BentoDeployment",
        "metadata": {"name": "iris", "namespace": "models", "annotations": {"kept": "as it is"}},
        "spec": spec,
    }


@pytest.mark.parametrize("version", OLD)
@settings(max_examples=20)
@given(data=st.data())
def test_an_old_object_comes_back_as_it_was_written(version: str, data: st.DataObject) -> None:
    doc = _doc(version, data.draw(_old(version)))
    before = deepcopy(doc)

    assert to_shown(to_stored(doc), version, ALONE) == doc == before


@pytest.mark.parametrize("version", OLD)
@settings(max_examples=20)
@given(data=st.data())
def test_a_stored_object_that_is_read_in_an_old_version_is_stored_as_it_was(version: str, data: st.DataObject) -> None:
    doc = _doc("v2alpha1", data.draw(NEW))

    assert to_stored(to_shown(doc, version, ALONE)) == doc


@pytest.mark.parametrize("version", OLD)
@settings(max_examples=20)
@given(data=st.data())
def test_an_old_object_that_is_read_in_another_old_version_means_the_same(version: str, data: st.DataObject) -> None:
    stored = to_stored(_doc(version, data.draw(_old(version))))

    for other in OLD:
        assert to_stored(to_shown(stored, other, ALONE))["spec"] == stored["spec"]


@pytest.mark.parametrize("version", OLD)
@settings(max_examples=20)
@given(data=st.data())
def test_what_a_version_gives_is_what_its_schema_knows(version: str, data: st.DataObject) -> None:
    kind = next(kind for kind in BentoDialect().kinds if kind.kind == "BentoDeployment")
    form = kind.form(version)
    assert form is not None
    shown = to_shown(_doc("v2alpha1", data.draw(NEW)), version, ALONE)
    stored = to_stored(_doc(version, data.draw(_old(version))))

    assert pruned(shown, form.schema()) == shown
    assert pruned(stored, BentoDialect().open_api(kind)) == stored


@settings(max_examples=20)
@given(NEW, st.integers(1, 9))
def test_a_change_in_an_old_version_changes_nothing_else(spec: dict[str, Any], replicas: int) -> None:
    shown = to_shown(_doc("v2alpha1", spec), "v1alpha3", ALONE)
    shown["spec"]["resources"] = {"limits": {"cpu": str(replicas)}}

    stored = to_stored(shown)["spec"]

    assert stored == {**spec, "resources": {"limits": {"cpu": str(replicas)}}}


def test_the_tag_of_a_bento_that_has_a_name_of_its_own_is_looked_up() -> None:
    bento = {"kind": "Bento", "metadata": {"name": "iris", "namespace": "models"}, "spec": {"tag": "iris_clf:7"}}
    doc = _doc("v2alpha1", {"bento": "iris"})

    shown = to_shown(doc, "v1alpha2", DocumentWorld([bento]))

    assert shown["spec"] == {"bento_tag": "iris_clf:7"}
    assert to_stored(shown)["spec"] == {"bento": "iris"}
    shown["spec"]["bento_tag"] = "iris_clf:8"
    assert to_stored(shown)["spec"] == {"bento": "iris-clf--8"}


def test_a_tag_is_remembered_until_the_deployment_names_another_bento() -> None:
    stored = to_stored(_doc("v1alpha2", {"bento_tag": "iris_classifier:v0.0.2"}))

    assert original_tag(stored) == "iris_classifier:v0.0.2"
    assert original_tag({**stored, "spec": {"bento": "other"}}) == ""


def test_a_tag_survives_what_is_written_in_another_old_version() -> None:
    stored = to_stored(_doc("v1alpha2", {"bento_tag": "iris_classifier:v0.0.2"}))
    stored["spec"]["monitorExporter"] = {"enabled": True, "output": "http"}
    shown = to_shown(stored, "v1alpha3", ALONE)
    shown["spec"]["labels"] = {"a": "b"}

    again = to_stored(shown)

    assert original_tag(again) == "iris_classifier:v0.0.2"
    assert again["spec"] == {**stored["spec"], "labels": {"a": "b"}}
    assert to_shown(again, "v1alpha1", ALONE)["spec"]["bento_tag"] == "iris_classifier:v0.0.2"


def test_a_status_has_the_words_of_its_version() -> None:
    doc = {**_doc("v2alpha1", {"bento": "iris"}), "status": {"replicas": 3, "readyReplicas": 2}}

    shown = to_shown(doc, "v1alpha1", ALONE)

    assert shown["status"]["printerReady"] == "2/3"
    assert to_stored(shown)["status"] == doc["status"]


@pytest.mark.parametrize("broken", ["no json", "[]", "{"])
def test_an_annotation_that_somebody_broke_keeps_nothing(broken: str) -> None:
    doc = _doc("v2alpha1", {"bento": "iris"})
    doc["metadata"]["annotations"] = {"fairlead.dev/spec.v1alpha2": broken}

    assert to_shown(doc, "v1alpha2", ALONE)["spec"] == {"bento_tag": "iris"}
