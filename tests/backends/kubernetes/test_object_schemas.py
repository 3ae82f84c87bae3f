"""That the schemas which golden objects are held against find what a cluster would refuse."""

from copy import deepcopy
from typing import Any

import pytest

from support.layouts import exposure, only, rule, workload, written
from support.object_schemas import complaints


def deployment() -> dict[str, Any]:
    return deepcopy(only(written(workloads=(workload(),)), "Deployment"))


def route() -> dict[str, Any]:
    return deepcopy(only(written(exposure(rule(path_prefix="/a", rewrite="/"))), "HTTPRoute"))


def test_an_unknown_field_of_a_pod_is_found_in_both_versions() -> None:
    made = deployment()
    made["spec"]["template"]["spec"]["containers"][0]["imagePolicy"] = "Always"

    told = complaints(made)

    assert [text.split(": ")[:2] for text in told] == [["Deployment/iris", "1.28"], ["Deployment/iris", "1.36"]]
    assert all("imagePolicy" in text for text in told)


def test_a_field_that_the_older_version_lacks_is_found() -> None:
    made = deployment()
    made["spec"]["template"]["spec"]["resources"] = {"limits": {"cpu": "1"}}

    assert [text.split(": ")[1] for text in complaints(made)] == ["1.28"]


def test_items_that_a_server_side_apply_cannot_tell_apart_are_found() -> None:
    made = deployment()
    ports = [{"name": "a", "containerPort": 80}, {"name": "b", "containerPort": 80, "protocol": "TCP"}]
    made["spec"]["template"]["spec"]["containers"][0]["ports"] = ports

    assert "containers[0].ports: (80, 'TCP') is there twice" in complaints(made)[0]


def test_what_the_rules_of_a_gateway_refuse_is_found() -> None:
    made = route()
    made["spec"]["rules"][0]["matches"][0]["path"]["type"] = "RegularExpression"
    unknown = route()
    unknown["spec"]["rules"][0]["retry"] = {"attempts": 1}

    assert complaints(route()) == []
    assert complaints(made)
    assert "retry" in complaints(unknown)[0]


def test_a_kind_that_nobody_has_described_is_not_passed_over() -> None:
    with pytest.raises(AssertionError, match=r"write gadget\.example\.com\.v1\.json"):
        complaints({"apiVersion": "example.com/v1", "kind": "Gadget", "metadata": {"name": "a"}})
