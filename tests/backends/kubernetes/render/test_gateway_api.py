"""Ways in as routes of the Gateway API."""

from typing import Any

import pytest

from fairlead.dialects.clusters import ClusterSettings
from fairlead.plan.layout import Copying, Exposure, HeaderRule, Retries, Rule, ServicePort
from support.layouts import backing, exposure, only, rule, service, written

CALLS = rule(
    backing(port=5001),
    name="grpc",
    path_pattern="/(seldon.protos.*|inference.*)/.*",
    headers=(HeaderRule(name="seldon", value="iris"), HeaderRule(name="namespace", value="m.*", is_regex=True)),
    is_grpc=True,
)


def spec(*rules: Rule, kind: str = "HTTPRoute", **fields: Any) -> dict[str, Any]:
    found: dict[str, Any] = only(written(exposure(*rules, **fields)), kind)["spec"]
    return found


def first(made: Rule) -> dict[str, Any]:
    found: dict[str, Any] = spec(made)["rules"][0]
    return found


def warnings(made: Exposure) -> tuple[str, ...]:
    return written(made).warnings


def test_a_route_belongs_to_the_installations_gateway() -> None:
    def parents(values: dict[str, Any], **fields: Any) -> Any:
        settings = ClusterSettings(namespace="ops", values=values)
        return only(written(exposure(rule(), **fields), settings=settings), "HTTPRoute")["spec"]["parentRefs"]

    gateway = {"group": "gateway.networking.k8s.io", "kind": "Gateway"}

    assert parents({}) == [{**gateway, "name": "fairlead", "namespace": "ops"}]
    assert parents({"gateway": {"name": "g", "namespace": "n"}}) == [{**gateway, "name": "g", "namespace": "n"}]
    assert parents({}, gateways=("kserve/in", "here")) == [
        {**gateway, "name": "in", "namespace": "kserve"},
        {**gateway, "name": "here", "namespace": "models"},
    ]


def test_hosts_are_said_unless_any_will_do() -> None:
    assert spec(rule(), hosts=("a.example.com",))["hostnames"] == ["a.example.com"]
    assert "hostnames" not in spec(rule(), hosts=("*",))


def test_a_prefix_is_taken_off() -> None:
    made = first(rule(path_prefix="/seldon/models/iris/", rewrite="/"))

    assert made["matches"] == [{"path": {"type": "PathPrefix", "value": "/seldon/models/iris"}}]
    assert made["filters"] == [
        {"type": "URLRewrite", "urlRewrite": {"path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/"}}}
    ]


def test_weights_are_said_as_they_are_and_zero_gets_none() -> None:
    made = first(rule(backing("a", weight=90), backing("b", weight=0)))

    assert [(one["name"], one["port"], one["weight"]) for one in made["backendRefs"]] == [
        ("a", 8000, 90),
        ("b", 8000, 0),
    ]


def test_headers_are_matched_and_set() -> None:
    headers = (HeaderRule(name="x", value="1"), HeaderRule(name="y", value="^a", is_regex=True))

    made = first(rule(headers=headers, set_headers={"KServe-Isvc-Name": "iris"}))

    assert made["matches"][0]["headers"] == [
        {"type": "Exact", "name": "x", "value": "1"},
        {"type": "RegularExpression", "name": "y", "value": "^a"},
    ]
    assert made["filters"][0]["requestHeaderModifier"] == {"set": [{"name": "KServe-Isvc-Name", "value": "iris"}]}


def test_a_host_that_is_set_is_the_authority_asked_by() -> None:
    made = first(rule(set_headers={"Host": "iris-predictor.models.svc.cluster.local"}))

    assert made["filters"] == [
        {"type": "URLRewrite", "urlRewrite": {"hostname": "iris-predictor.models.svc.cluster.local"}}
    ]


@pytest.mark.parametrize(
    ("percent", "said"),
    [(None, {}), (10.0, {"percent": 10}), (0.5, {"fraction": {"numerator": 50, "denominator": 10_000}})],
)
def test_a_shadow_gets_a_copy_of_its_share(percent: float | None, said: dict[str, Any]) -> None:
    made = first(rule(copying=Copying(to=backing("shadow"), percent=percent)))

    reference = {"group": "", "kind": "Service", "name": "shadow", "port": 8000}
    assert made["filters"] == [{"type": "RequestMirror", "requestMirror": {"backendRef": reference, **said}}]


def test_a_timeout_is_said_in_whole_units() -> None:
    assert first(rule(timeout_s=60))["timeouts"] == {"request": "60s"}
    assert first(rule(timeout_s=1.5))["timeouts"] == {"request": "1500ms"}


def test_retries_have_no_field_and_are_told() -> None:
    (told,) = warnings(exposure(rule(retries=Retries(attempts=3))))

    assert "no field for retries" in told


def test_calls_share_an_http_route_with_rest_of_the_same_host() -> None:
    made = spec(rule(path_prefix="/seldon/models/iris", rewrite="/"), CALLS)

    assert len(made["rules"]) == 2
    assert made["rules"][1]["matches"][0]["path"]["type"] == "RegularExpression"


def test_a_host_of_calls_alone_gets_a_grpc_route() -> None:
    made = spec(CALLS, hosts=("calls.example.com",), kind="GRPCRoute")

    assert made["rules"][0]["matches"] == [
        {
            "method": {"type": "RegularExpression", "service": "(seldon.protos.*|inference.*)"},
            "headers": [
                {"type": "Exact", "name": "seldon", "value": "iris"},
                {"type": "RegularExpression", "name": "namespace", "value": "m.*"},
            ],
        }
    ]


@pytest.mark.parametrize("more", [{"timeout_s": 3}, {"path_pattern": "^/a/b$"}, {"set_headers": {"Host": "a.b"}}])
def test_calls_with_what_grpc_routes_lack_go_by_http(more: dict[str, Any]) -> None:
    calls = rule(name="grpc", is_grpc=True, **more)

    assert spec(calls, hosts=("calls.example.com",))["rules"]


def test_ports_that_calls_are_led_to_say_that_they_speak_http2() -> None:
    ports = (ServicePort(port=8000, target=8000, name="http"), ServicePort(port=5001, target=5001, name="grpc"))

    def protocols(**values: str) -> list[Any]:
        found = written(
            exposure(rule(), CALLS), services=(service(ports=ports),), settings=ClusterSettings(values=values)
        )
        return [port.get("appProtocol") for port in only(found, "Service")["spec"]["ports"]]

    assert protocols() == [None, "kubernetes.io/h2c"]


def test_rules_of_other_hosts_are_in_a_route_of_their_own() -> None:
    found = written(exposure(rule(), rule(hosts=("b.example.com",)), hosts=("a.example.com", "b.example.com")))

    assert [(one["metadata"]["name"], one["spec"]["hostnames"]) for one in found.objects] == [
        ("iris", ["a.example.com", "b.example.com"]),
        ("iris-2", ["b.example.com"]),
    ]


def test_a_backing_elsewhere_is_named_with_its_namespace() -> None:
    made = exposure(rule(backing("knative-local-gateway.istio-system.svc.cluster.local", 80)))

    reference = only(written(made), "HTTPRoute")["spec"]["rules"][0]["backendRefs"][0]

    assert (reference["name"], reference["namespace"]) == ("knative-local-gateway", "istio-system")
    assert "ReferenceGrant in namespace istio-system" in warnings(made)[0]


def test_a_pattern_is_not_rewritten_and_that_is_told() -> None:
    made = rule(path_pattern="^/serving/(.*)$", rewrite="/")

    assert "filters" not in first(made)
    assert "rewrite prefixes alone" in warnings(exposure(made))[0]
