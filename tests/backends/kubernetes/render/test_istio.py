"""Ways in as Istio's objects."""

from typing import Any

from fairlead.dialects.clusters import ClusterSettings
from fairlead.plan.layout import Copying, Exposure, HeaderRule, Retries, Routing, Rule
from support.layouts import backing, exposure, only, rule, written


def objects(made: Exposure, **values: Any) -> Any:
    return written(made, settings=ClusterSettings(routing=Routing.ISTIO, values=values))


def virtual_service(made: Exposure, **values: Any) -> dict[str, Any]:
    found: dict[str, Any] = only(objects(made, **values), "VirtualService")["spec"]
    return found


def first(made: Rule) -> dict[str, Any]:
    found: dict[str, Any] = virtual_service(exposure(made))["http"][0]
    return found


def test_hosts_and_gateways_are_the_manifests_or_the_installations() -> None:
    usual = virtual_service(exposure(rule()))
    own = virtual_service(exposure(rule(), hosts=("a.b",), gateways=("mesh", "n/g")), istio={"gateway": "x/y"})

    assert (usual["hosts"], usual["gateways"]) == (["*"], ["istio-system/seldon-gateway"])
    assert (own["hosts"], own["gateways"]) == (["a.b"], ["mesh", "n/g"])
    assert virtual_service(exposure(rule()), istio={"gateway": "x/y"})["gateways"] == ["x/y"]


def test_a_prefix_ends_at_a_segment_and_is_taken_off() -> None:
    made = first(rule(path_prefix="/seldon/models/iris", rewrite="/"))

    assert made["match"] == [{"uri": {"prefix": "/seldon/models/iris/"}}]
    assert made["rewrite"] == {"uri": "/"}
    assert first(rule(path_prefix="/a/", rewrite="/b"))["rewrite"] == {"uri": "/b/"}
    assert first(rule(path_prefix="/"))["match"] == [{"uri": {"prefix": "/"}}]


def test_calls_are_told_by_path_and_headers() -> None:
    headers = (HeaderRule(name="seldon", value="iris"), HeaderRule(name="x", value="a.*", is_regex=True))

    made = first(rule(path_pattern=".*inference.*", headers=headers, is_grpc=True))

    assert made["match"] == [
        {"uri": {"regex": ".*inference.*"}, "headers": {"seldon": {"exact": "iris"}, "x": {"regex": "a.*"}}}
    ]


def test_backings_get_whole_shares_and_subsets_of_their_pods() -> None:
    pods = {"version": "v1"}
    made = exposure(rule(backing("a", name="main", weight=2, subset=pods), backing("b", name="canary", weight=1)))

    found = objects(made)

    routes = only(found, "VirtualService")["spec"]["http"][0]["route"]
    host = "{}.models.svc.cluster.local".format
    assert routes == [
        {"destination": {"host": host("a"), "subset": "main", "port": {"number": 8000}}, "weight": 67},
        {"destination": {"host": host("b"), "port": {"number": 8000}}, "weight": 33},
    ]
    assert only(found, "DestinationRule")["spec"] == {
        "host": host("a"),
        "trafficPolicy": {"connectionPool": {"http": {"idleTimeout": "60s"}}},
        "subsets": [{"name": "main", "labels": pods}],
    }


def test_what_routes_name_comes_before_them() -> None:
    made = exposure(rule(backing(subset={"version": "v"})), rule(backing(subset={"version": "v"})))

    assert [one["kind"] for one in objects(made).objects] == ["DestinationRule", "VirtualService"]


def test_the_mode_of_tls_replaces_the_pools_settings() -> None:
    made = exposure(rule(backing(subset={"version": "v"})))

    by_values = only(objects(made, istio={"tlsMode": "ISTIO_MUTUAL"}), "DestinationRule")
    by_manifest = only(objects(exposure(*made.rules, tls_mode="DISABLE")), "DestinationRule")

    assert by_values["spec"]["trafficPolicy"] == {"tls": {"mode": "ISTIO_MUTUAL"}}
    assert by_manifest["spec"]["trafficPolicy"] == {"tls": {"mode": "DISABLE"}}


def test_a_shadow_gets_copies_and_a_destination_rule() -> None:
    shadow = backing("b", name="shadow", subset={"version": "s"})

    found = objects(exposure(rule(copying=Copying(to=shadow, percent=12.5))))

    route = only(found, "VirtualService")["spec"]["http"][0]
    assert route["mirror"]["subset"] == "shadow"
    assert route["mirrorPercentage"] == {"value": 12.5}
    assert only(found, "DestinationRule")["metadata"]["name"] == "b"
    assert "mirrorPercentage" not in first(rule(copying=Copying(to=backing("b"))))


def test_patience_is_said() -> None:
    made = first(rule(timeout_s=1.5, retries=Retries(attempts=2, per_try_timeout_s=1)))

    assert made["timeout"] == "1.5s"
    assert made["retries"] == {
        "attempts": 2,
        "perTryTimeout": "1s",
        "retryOn": "gateway-error,connect-failure,refused-stream",
    }


def test_headers_are_set_and_a_host_elsewhere_is_asked_as_it_is() -> None:
    made = first(rule(backing("gw.istio-system.svc.cluster.local", 80), set_headers={"Host": "a.models.svc"}))

    assert made["headers"] == {"request": {"set": {"Host": "a.models.svc"}}}
    assert made["route"][0]["destination"] == {"host": "gw.istio-system.svc.cluster.local", "port": {"number": 80}}


def test_a_rule_for_some_of_the_hosts_matches_them_with_any_port() -> None:
    made = first(rule(hosts=("a.b", "c.d"), path_prefix="/x"))

    assert made["match"] == [
        {"authority": {"regex": r"^a\.b(?::\d{1,5})?$"}, "uri": {"prefix": "/x/"}},
        {"authority": {"regex": r"^c\.d(?::\d{1,5})?$"}, "uri": {"prefix": "/x/"}},
    ]
