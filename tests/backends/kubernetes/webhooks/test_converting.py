"""Conversion as an API server asks for it: all objects or none, whatever their versions, and nothing of the metadata
but annotations."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairlead.backends.kubernetes.webhooks.converting import PATH
from fairlead.backends.kubernetes.webhooks.reviewing import Reviewer
from fairlead.dialects.bento import BentoDialect
from fairlead.dialects.catalog import Catalog
from fairlead.dialects.seldon import SeldonDialect
from fairlead.errors import BadRequest, NotFound
from support.bentos_stored import bento, deployment
from support.stored_docs import DocumentWorld

WORLD = DocumentWorld([bento("summary", tag="summarization:7")])
REVIEWER = Reviewer(dialects=(SeldonDialect(), BentoDialect()), catalog=Catalog(), world=lambda: WORLD)
VERSIONS = ("v1alpha1", "v1alpha2", "v1alpha3", "v2alpha1")


def review(*docs: Any, to: str) -> dict[str, Any]:
    request = {"uid": "1", "desiredAPIVersion": f"serving.yatai.ai/{to}", "objects": list(docs)}
    return {"apiVersion": "apiextensions.k8s.io/v1", "kind": "ConversionReview", "request": request}


def converted(*docs: Any, to: str) -> dict[str, Any]:
    answer = REVIEWER.answer(PATH, review(*docs, to=to))

    assert (answer["kind"], answer["response"]["uid"]) == ("ConversionReview", "1")
    response: dict[str, Any] = answer["response"]
    return response


@pytest.mark.parametrize("to", VERSIONS)
@pytest.mark.parametrize("of", VERSIONS)
def test_every_version_is_had_of_every_other(of: str, to: str) -> None:
    spec = {"bento": "summary"} if of == "v2alpha1" else {"bento_tag": "iris:1"}
    doc = deployment(version=of, **spec)

    response = converted(doc, doc, to=to)

    assert response["result"] == {"status": "Success"}
    assert len(response["convertedObjects"]) == 2
    made = response["convertedObjects"][0]
    assert made["apiVersion"] == f"serving.yatai.ai/{to}"
    kept = {key: value for key, value in made["metadata"].items() if key != "annotations"}
    assert kept == doc["metadata"]
    assert converted(made, to=of)["convertedObjects"][0] == doc


def test_a_tag_is_looked_up_in_the_cluster() -> None:
    (made,) = converted(deployment(bento="summary"), to="v1alpha3")["convertedObjects"]

    assert made["spec"] == {"bento_tag": "summarization:7"}


@pytest.mark.parametrize(
    ("doc", "to"),
    [
        ({"apiVersion": "serving.yatai.ai/v9", "kind": "BentoDeployment", "metadata": {}}, "v2alpha1"),
        ({"apiVersion": "serving.yatai.ai/v1alpha1", "kind": "Other", "metadata": {}}, "v2alpha1"),
        (deployment(), "v9"),
        ("no object", "v2alpha1"),
        ({"metadata": None}, "v2alpha1"),
    ],
)
def test_of_objects_that_cannot_be_converted_none_is(doc: Any, to: str) -> None:
    response = converted(deployment(), doc, to=to)

    assert response["result"]["status"] == "Failure"
    assert response["result"]["message"]
    assert response["convertedObjects"] == []


@pytest.mark.parametrize(
    "asked",
    [
        None,
        {},
        {"kind": "AdmissionReview"},
        {**review(to="v2alpha1"), "request": {}},
        review(to="v2alpha1") | {"kind": 1},
    ],
)
def test_what_is_no_review_is_the_mistake_of_who_asks(asked: Any) -> None:
    with pytest.raises(BadRequest):
        REVIEWER.answer(PATH, asked)


def test_without_kinds_that_are_converted_there_is_no_such_webhook() -> None:
    plain = Reviewer(dialects=(SeldonDialect(),), catalog=Catalog(), world=lambda: WORLD)

    assert PATH not in plain.paths()
    assert PATH in REVIEWER.paths()
    with pytest.raises(NotFound):
        plain.answer(PATH, review(to="v2alpha1"))


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
FIELDS = st.sampled_from(["bento_tag", "bento", "autoscaling", "envs", "runners", "resources", "ingress", "metrics"])


@settings(max_examples=60)
@given(st.dictionaries(FIELDS, JUNK, max_size=4), st.sampled_from(VERSIONS), st.sampled_from(VERSIONS))
def test_objects_of_any_shape_are_answered(spec: dict[str, Any], of: str, to: str) -> None:
    assert converted({**deployment(version=of), "spec": spec}, to=to)["result"]["status"] == "Success"
