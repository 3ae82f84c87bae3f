"""Ways in as Ambassador's mappings."""

from typing import Any

import pytest
import yaml

from fairlead.backends.kubernetes.render import Written
from fairlead.dialects.clusters import ClusterSettings
from fairlead.plan.layout import AmbassadorTuning, Copying, Exposure, HeaderRule, Routing, Rule, ServicePort
from support.layouts import backing, exposure, only, rule, service, written

REST = rule(backing("iris-main", name="main"), path_prefix="/seldon/models/iris", rewrite="/", timeout_s=3)
CALLS = rule(
    backing("iris-main", 5001, name="main"),
    name="grpc",
    path_pattern="/(seldon.protos.*)/.*",
    headers=(HeaderRule(name="seldon", value="iris"), HeaderRule(name="x", value="a.*", is_regex=True)),
    is_grpc=True,
)


def objects(made: Exposure, **more: Any) -> Written:
    values = {"ambassador": {"version": more.pop("version", "v2")}}
    return written(made, settings=ClusterSettings(routing=Routing.AMBASSADOR, values=values), **more)


def way(*rules: Rule, **fields: Any) -> Exposure:
    return exposure(*rules, family="seldon-models-iris", **fields)


def mappings(*rules: Rule, **fields: Any) -> dict[str, dict[str, Any]]:
    found = objects(way(*rules, **fields)).objects
    return {one["metadata"]["name"]: one["spec"] for one in found if one["kind"] == "Mapping"}


def test_names_and_fields_of_a_rest_mapping() -> None:
    assert mappings(REST) == {
        "seldon-models-iris-main-rest": {
            "prefix": "/seldon/models/iris/",
            "rewrite": "/",
            "service": "iris-main.models:8000",
            "cluster_tag": "seldon_http",
            "timeout_ms": 3000,
        }
    }


def test_names_and_fields_of_a_grpc_mapping() -> None:
    assert mappings(CALLS) == {
        "seldon-models-iris-main-grpc": {
            "prefix": "/(seldon.protos.*)/.*",
            "prefix_regex": True,
            "rewrite": "",
            "headers": {"seldon": "iris"},
            "regex_headers": {"x": "a.*"},
            "service": "iris-main.models:5001",
            "cluster_tag": "seldon_grpc",
            "grpc": True,
        }
    }


def test_the_first_backing_gets_what_the_others_leave() -> None:
    backings = (backing("a", name="a", weight=75), backing("b", name="b", weight=25), backing("c", name="c", weight=0))

    found = mappings(rule(*backings))

    assert {name: spec.get("weight") for name, spec in found.items()} == {
        "seldon-models-iris-a-rest": None,
        "seldon-models-iris-b-rest": 25,
    }


def test_a_first_backing_without_weight_gets_nothing() -> None:
    found = mappings(rule(backing("a", name="a", weight=0), backing("b", name="b", weight=100)))

    assert {name: spec.get("weight") for name, spec in found.items()} == {"seldon-models-iris-b-rest": None}


@pytest.mark.parametrize(("percent", "weight"), [(None, 100), (10.0, 10), (0.2, 1)])
def test_a_shadow_is_a_mapping_that_says_so(percent: float | None, weight: int) -> None:
    found = mappings(rule(copying=Copying(to=backing("s", name="s"), percent=percent)))

    shadow = found["seldon-models-iris-s-rest"]
    assert (shadow["shadow"], shadow["weight"]) == (True, weight)


def test_what_ambassador_alone_can_do() -> None:
    tuning = AmbassadorTuning(
        id="edge",
        header=("location", "uk"),
        regex_header=("user", "a.*"),
        retries=3,
        circuit_breakers={"max_connections": 7, "max_retries": 2},
    )

    spec = mappings(REST, ambassador=tuning)["seldon-models-iris-main-rest"]

    assert spec["ambassador_id"] == ["edge"]
    assert (spec["headers"], spec["regex_headers"]) == ({"location": "uk"}, {"user": "a.*"})
    assert spec["retry_policy"] == {"retry_on": "gateway-error", "num_retries": 3}
    assert spec["circuit_breakers"] == [{"max_connections": 7, "max_retries": 2}]


def test_a_long_timeout_lifts_the_idle_one_too() -> None:
    spec = mappings(rule(timeout_s=400))["seldon-models-iris-rest"]

    assert (spec["timeout_ms"], spec["idle_timeout_ms"]) == (400_000, 400_000)


def test_hosts_are_matched() -> None:
    assert mappings(rule(), hosts=("a.b",))["seldon-models-iris-rest"]["host"] == "a.b"
    several = mappings(rule(), hosts=("a.b", "c.d"))["seldon-models-iris-rest"]
    assert (several["host"], several["host_regex"]) == (r"^(a\.b|c\.d)$", True)


def test_pods_that_end_tls_are_known_by_their_certificate() -> None:
    found = objects(way(REST, tls_secret="iris-cert"))

    context = only(found, "TLSContext")
    assert context["spec"] == {"secret": "iris-cert"}
    assert only(found, "Mapping")["spec"]["tls"] == context["metadata"]["name"]


def test_version_one_is_an_annotation_of_the_service_that_is_asked() -> None:
    services = (service("iris-main", ports=(ServicePort(port=8000, target=8000),)),)

    found = objects(way(REST, CALLS), version="v1", services=services)

    assert [one["kind"] for one in found.objects] == ["Service"]
    text = found.objects[0]["metadata"]["annotations"]["getambassador.io/config"]
    first, second = yaml.safe_load_all(text)
    assert text.startswith("---\n")
    assert (first["apiVersion"], first["kind"]) == ("ambassador/v1", "Mapping")
    assert first["name"] == "seldon_models_iris_main_rest_mapping"
    assert first["service"] == "iris-main.models:8000"
    assert second["name"] == "seldon_models_iris_main_grpc_mapping"


def test_a_whole_configuration_replaces_ours_in_version_one_and_is_told_in_two() -> None:
    services = (service("iris-main", ports=(ServicePort(port=8000, target=8000),)),)
    made = way(REST, ambassador=AmbassadorTuning(config="mine"))

    first, second = objects(made, version="v1", services=services), objects(made)

    assert first.objects[0]["metadata"]["annotations"] == {"getambassador.io/config": "mine"}
    assert "is for its version v1" in second.warnings[0]
