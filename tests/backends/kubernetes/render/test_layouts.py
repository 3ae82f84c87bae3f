"""Whole layouts."""

import pytest

from fairlead.backends.kubernetes.render import render
from fairlead.dialects.clusters import ClusterSettings
from fairlead.errors import InvalidManifest
from fairlead.plan.layout import HorizontalScaler, Routing
from support.layouts import exposure, layout, on_demand, rule, service, workload, written


def test_objects_come_in_the_order_to_apply_them_in() -> None:
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}}
    whole = layout(
        exposures=(exposure(rule()),),
        workloads=(workload(scaler=HorizontalScaler(min_replicas=1, max_replicas=2)),),
        services=(service(external_name="a.b"),),
        configs=(config,),
    )

    kinds = [made["kind"] for made in render(whole, ClusterSettings())]

    assert kinds == ["ConfigMap", "Service", "Deployment", "HorizontalPodAutoscaler", "HTTPRoute"]
    assert render(whole, ClusterSettings()) == render(whole, ClusterSettings())


def test_ways_in_that_wait_for_the_workloads_are_apart_and_last() -> None:
    ways = (exposure(rule(), is_after_ready=True), exposure(rule(), name="at-once"))

    found = written(*ways)

    assert [one["metadata"]["name"] for one in found.objects] == ["at-once"]
    assert [one["metadata"]["name"] for one in found.late] == ["iris"]
    assert render(layout(exposures=ways), ClusterSettings()) == [*found.objects, *found.late]


def test_a_dialects_own_choice_of_router_wins() -> None:
    assert [one["kind"] for one in written(exposure(rule()), routing=Routing.INGRESS).objects] == ["Ingress"]


def test_without_a_router_there_is_no_way_in() -> None:
    assert written(exposure(rule()), settings=ClusterSettings(routing=Routing.NONE)).objects == ()


def test_warnings_of_the_layout_come_first() -> None:
    found = written(exposure(rule(timeout_s=1)), warnings=("mine",), settings=ClusterSettings(routing=Routing.INGRESS))

    assert found.warnings[0] == "mine"
    assert len(found.warnings) == 2


def test_what_comes_with_requests_needs_something_that_brings_it() -> None:
    with pytest.raises(InvalidManifest, match=r"set knative\.enabled or ownGateway\.enabled"):
        render(layout(on_demand=(on_demand(),)), ClusterSettings())
