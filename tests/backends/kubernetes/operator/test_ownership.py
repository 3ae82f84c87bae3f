"""Judgements about objects that are there, and what follows from them."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.backends.kubernetes.operator.ownership import (
    Whose,
    replicas_to_hand_over,
    selector_of,
    takeover,
    whose,
    with_selector_of,
)
from fairlead.plan.model import Owner

Document = dict[str, Any]
OWNER = Owner(api_version="a/v1", kind="SeldonDeployment", namespace="default", name="iris", uid="mine")


def live(*managers: Document, owner: Document | None = None) -> Document:
    metadata: Document = {"name": "x", "resourceVersion": "7", "managedFields": list(managers)}
    if owner is not None:
        metadata["ownerReferences"] = [{"controller": True, **owner}]
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": {"replicas": 3}}


def entry(manager: str, operation: str, fields: Document, subresource: str = "") -> Document:
    found: Document = {"manager": manager, "operation": operation, "fieldsV1": fields}
    return {**found, "subresource": subresource} if subresource else found


@pytest.mark.parametrize(
    ("owner", "judged"),
    [
        (None, Whose.NOBODYS),
        ({"uid": "mine", "kind": "SeldonDeployment", "name": "iris"}, Whose.OURS),
        ({"uid": "before", "kind": "SeldonDeployment", "name": "iris"}, Whose.LEAVING),
        ({"uid": "other", "kind": "SeldonDeployment", "name": "rose"}, Whose.ANOTHERS),
        ({"uid": "other", "kind": "ReplicaSet", "name": "iris"}, Whose.ANOTHERS),
    ],
)
def test_an_object_is_its_controllers(owner: Document | None, judged: Whose) -> None:
    assert whose(live(owner=owner), OWNER) is judged


def test_an_owner_that_does_not_control_is_no_owner() -> None:
    found = live()
    found["metadata"]["ownerReferences"] = [{"uid": "other", "kind": "Application", "name": "app"}]

    assert whose(found, OWNER) is Whose.NOBODYS


def test_fields_of_the_upstream_operator_become_ours_and_those_of_others_stay_theirs() -> None:
    upstream = entry("manager", "Update", {"f:spec": {"f:paused": {}, "f:template": {"f:a": {}}}})
    status = entry("manager", "Update", {"f:status": {}}, "status")
    ours = entry("fairlead", "Apply", {"f:spec": {"f:template": {"f:b": {}}}})
    user = entry("kubectl", "Update", {"f:metadata": {}})

    test, replace = takeover(live(upstream, status, ours, user))

    assert test["value"] == "7"
    kept, (mine,) = replace["value"][:-1], replace["value"][-1:]
    assert kept == [status, user]
    assert (mine["manager"], mine["operation"]) == ("fairlead", "Apply")
    assert mine["fieldsV1"] == {"f:spec": {"f:paused": {}, "f:template": {"f:a": {}, "f:b": {}}}}


def test_where_no_upstream_operator_wrote_there_is_nothing_to_take_over() -> None:
    assert takeover(live(entry("fairlead", "Apply", {}), entry("kubectl", "Update", {}))) == ()


@pytest.mark.parametrize(
    ("manager", "operation", "wanted", "handed"),
    [
        ("fairlead", "Apply", {}, 3),
        ("manager", "Update", {}, 3),
        ("fairlead", "Apply", {"replicas": 2}, None),
        ("horizontal-pod-autoscaler", "Update", {}, None),
    ],
)
def test_replicas_are_handed_over_when_their_owner_gives_them_up(
    manager: str, operation: str, wanted: Document, handed: int | None
) -> None:
    found = live(entry(manager, operation, {"f:spec": {"f:replicas": {}}}))

    assert replicas_to_hand_over(found, {"spec": wanted}) == handed


_LABELS = st.dictionaries(st.sampled_from("abc"), st.sampled_from("xy"), min_size=1, max_size=3)


@given(_LABELS, _LABELS, _LABELS)
def test_a_selector_is_kept_only_where_it_selects_the_new_pods(
    old: dict[str, str], new: dict[str, str], more: dict[str, str]
) -> None:
    labels = {**more, **new}
    wanted = {"spec": {"selector": {"matchLabels": new}, "template": {"metadata": {"labels": labels}, "spec": {}}}}
    there = {"spec": {"selector": {"matchLabels": old}}}

    fitted = with_selector_of(there, wanted)

    pods = fitted["spec"]["template"]["metadata"]["labels"]
    assert selector_of(fitted).items() <= pods.items()
    assert labels.items() <= pods.items()
    if all(labels.get(name, value) == value for name, value in old.items()):
        assert selector_of(fitted) == old
    else:
        assert fitted == wanted
    assert with_selector_of(there, fitted) == fitted
