"""Ways in as plain Ingresses, and what they cannot say."""

from typing import Any

import pytest

from fairlead.backends.kubernetes.render import Written
from fairlead.dialects.clusters import ClusterSettings
from fairlead.plan.layout import Copying, Exposure, HeaderRule, Retries, Routing, Rule
from support.layouts import backing, exposure, only, rule, written

SELDON = rule(path_prefix="/seldon/models/iris", rewrite="/")


def objects(made: Exposure, **values: Any) -> Written:
    return written(made, settings=ClusterSettings(routing=Routing.INGRESS, values={"ingress": values}))


def test_every_host_leads_to_its_service() -> None:
    made = exposure(
        rule(backing("top", 80), hosts=("iris.example.com",)),
        rule(backing("predictor", 80), hosts=("iris-predictor.example.com",)),
        ingress_class="istio",
        annotations={"a": "b"},
    )

    ingress = only(objects(made), "Ingress")

    def of(host: str, name: str) -> dict[str, Any]:
        service = {"name": name, "port": {"number": 80}}
        return {"host": host, "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": {"service": service}}]}}

    assert ingress["metadata"]["annotations"] == {"a": "b"}
    assert ingress["spec"] == {
        "ingressClassName": "istio",
        "rules": [of("iris.example.com", "top"), of("iris-predictor.example.com", "predictor")],
    }


def test_the_class_is_the_installations_where_the_manifest_names_none() -> None:
    assert only(objects(exposure(rule()), className="public"), "Ingress")["spec"]["ingressClassName"] == "public"
    assert "ingressClassName" not in only(objects(exposure(rule())), "Ingress")["spec"]


@pytest.mark.parametrize("values", [{"className": "nginx"}, {"className": "mine", "rewrite": "nginx"}])
def test_nginx_takes_a_prefix_off_by_annotations(values: dict[str, str]) -> None:
    found = objects(exposure(SELDON), **values)

    ingress = only(found, "Ingress")
    assert ingress["metadata"]["annotations"] == {
        "nginx.ingress.kubernetes.io/use-regex": "true",
        "nginx.ingress.kubernetes.io/rewrite-target": "/$2",
    }
    path = ingress["spec"]["rules"][0]["http"]["paths"][0]
    assert (path["path"], path["pathType"]) == ("/seldon/models/iris(/|$)(.*)", "ImplementationSpecific")
    assert found.warnings == ()


@pytest.mark.parametrize("values", [{}, {"className": "nginx", "rewrite": "none"}])
def test_elsewhere_a_prefix_stays_and_that_is_told(values: dict[str, str]) -> None:
    found = objects(exposure(SELDON), **values)

    path = only(found, "Ingress")["spec"]["rules"][0]["http"]["paths"][0]
    assert (path["path"], path["pathType"]) == ("/seldon/models/iris", "Prefix")
    assert "set ingress.rewrite to nginx" in found.warnings[0]


def test_rules_that_rewrite_are_in_an_object_of_their_own() -> None:
    found = objects(exposure(rule(), SELDON), className="nginx")

    names = {one["metadata"]["name"]: "annotations" in one["metadata"] for one in found.objects}
    assert names == {"iris": False, "iris-rewrite": True}


@pytest.mark.parametrize(
    "made",
    [
        rule(headers=(HeaderRule(name="seldon", value="iris"),)),
        rule(path_pattern=r"^/v1/models/[\w-]+:explain$"),
        rule(backing("gateway.istio-system.svc.cluster.local", 80)),
    ],
    ids=["headers", "pattern", "elsewhere"],
)
def test_what_cannot_be_matched_is_left_out_and_told(made: Rule) -> None:
    found = objects(exposure(made))

    assert found.objects == ()
    assert "so it is left out" in found.warnings[0]
    assert "rule rest" in found.warnings[0]


def test_a_pattern_of_every_path_is_a_prefix() -> None:
    assert only(objects(exposure(rule(path_pattern="^/.*$"))), "Ingress")["spec"]["rules"]


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"copying": Copying(to=backing("shadow"))}, "copy requests to shadow"),
        ({"set_headers": {"X": "1"}}, "set headers (X)"),
        ({"timeout_s": 3}, "limit or repeat requests"),
        ({"retries": Retries(attempts=1)}, "limit or repeat requests"),
    ],
)
def test_what_cannot_be_done_is_told(fields: dict[str, Any], told: str) -> None:
    (warning,) = objects(exposure(rule(**fields))).warnings

    assert told in warning
    assert "gateway-api, istio or ambassador" in warning


def test_of_weighted_backings_the_heaviest_gets_all() -> None:
    found = objects(exposure(rule(backing("a", weight=10), backing("b", weight=90))))

    path = only(found, "Ingress")["spec"]["rules"][0]["http"]["paths"][0]
    assert path["backend"]["service"]["name"] == "b"
    assert "so b gets all" in found.warnings[0]
    assert objects(exposure(rule(backing("a", weight=0), backing("b", weight=100)))).warnings == ()
