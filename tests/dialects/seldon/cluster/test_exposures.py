"""Ways in, for every router."""

from typing import Any

import pytest

from fairlead.dialects.clusters import ClusterSettings
from fairlead.errors import InvalidManifest
from fairlead.plan.layout import AmbassadorTuning, Copying, HeaderRule, Layout, Routing, Rule
from support.sdep import predictor, sdep
from support.seldon_layouts import exposure, laid_out, lay_out

ISTIO: dict[str, Any] = {"istio": {"enabled": True}}
AMBASSADOR: dict[str, Any] = {"ambassador": {"enabled": True}}


def rule(layout: Layout, name: str) -> Rule:
    return next(one for one in exposure(layout).rules if one.name == name)


def shares(found: Rule) -> list[tuple[str, int, int]]:
    return [(one.service, one.port, one.weight) for one in found.backings]


def noted(**annotations: str) -> dict[str, Any]:
    return sdep(annotations={f"seldon.io/{key.replace('_', '-')}": value for key, value in annotations.items()})


def test_requests_are_shared_by_traffic_over_rest_and_grpc() -> None:
    layout = lay_out(sdep(predictor("a", traffic=70), predictor("b", traffic=30)))

    rest, grpc = rule(layout, "rest"), rule(layout, "grpc")
    assert rest.path_prefix == "/seldon/seldon/iris/"
    assert rest.rewrite == "/"
    assert shares(rest) == [("iris-a", 8000, 70), ("iris-b", 8000, 30)]
    assert shares(grpc) == [("iris-a", 5001, 70), ("iris-b", 5001, 30)]
    assert grpc.headers == (HeaderRule(name="seldon", value="iris"), HeaderRule(name="namespace", value="seldon"))
    assert grpc.is_grpc
    assert exposure(layout).is_after_ready


def test_a_lone_predictor_gets_everything() -> None:
    assert shares(rule(lay_out(sdep()), "rest")) == [("iris-default", 8000, 100)]


def test_no_traffic_is_none() -> None:
    layout = lay_out(sdep(predictor("a", traffic=100), predictor("b", traffic=0)))

    assert shares(rule(layout, "rest"))[1] == ("iris-b", 8000, 0)


def test_a_negative_share_is_refused() -> None:
    with pytest.raises(InvalidManifest, match="traffic -1 is negative"):
        lay_out(sdep(predictor("a", traffic=101), predictor("b", traffic=-1)))


@pytest.mark.parametrize(("traffic", "percent"), [(0, None), (10, 10.0)])
def test_a_shadow_gets_a_copy(traffic: int, percent: float | None) -> None:
    layout = lay_out(sdep(predictor("a"), predictor("b", shadow=True, traffic=traffic)))

    found = rule(layout, "grpc")
    assert shares(found) == [("iris-a", 5001, 100)]
    assert isinstance(found.copying, Copying)
    assert (found.copying.to.service, found.copying.to.port, found.copying.percent) == ("iris-b", 5001, percent)


def test_the_short_path_is_of_the_namespace_default_alone() -> None:
    names = [one.name for one in exposure(lay_out(sdep(namespace="default"))).rules]

    assert names == ["rest", "grpc", "rest-short", "grpc-short"]
    assert [one.name for one in exposure(lay_out(sdep())).rules] == ["rest", "grpc"]


def test_a_predictor_without_orchestrator_is_asked_at_its_own_ports() -> None:
    layout = lay_out(sdep(predictor(annotations={"seldon.io/no-engine": "true"})))

    assert shares(rule(layout, "rest")) == [("iris-default", 9000, 100)]


def test_a_public_name_and_its_headers_guard_the_public_door_alone() -> None:
    doc = noted(ambassador_service_name="public", ambassador_header="location: london")

    layout = lay_out(doc)

    assert rule(layout, "rest").path_prefix == "/seldon/seldon/public/"
    assert rule(layout, "rest").headers == (HeaderRule(name="location", value="london"),)
    assert rule(layout, "rest-own").path_prefix == "/seldon/seldon/iris/"
    assert rule(layout, "rest-own").headers == ()


def test_istio_gets_its_hosts_gateway_retries_and_timeouts() -> None:
    doc = noted(
        istio_host="a.example.com, b.example.com",
        istio_gateway="team/gateway",
        istio_retries="3",
        rest_timeout="1500",
        grpc_timeout="2500",
        ambassador_header="location: london",
    )

    layout = lay_out(doc, **ISTIO)

    found, rest = exposure(layout), rule(layout, "rest")
    assert layout.routing is Routing.ISTIO
    assert (found.name, found.hosts, found.gateways) == ("iris", ("a.example.com", "b.example.com"), ("team/gateway",))
    assert (rest.timeout_s, rule(layout, "grpc").timeout_s) == (1.5, 2.5)
    assert rest.retries is not None
    assert (rest.retries.attempts, rest.retries.per_try_timeout_s) == (3, 1.0)
    assert rest.headers == ()
    assert rule(layout, "grpc").path_pattern == ".*tensorflow.*|.*seldon.protos.*|.*inference.*"
    assert rest.backings[0].subset == {"version": "default"}


def test_istio_without_a_word_is_the_charts() -> None:
    assert exposure(lay_out(sdep(), **ISTIO)).gateways == ("istio-system/seldon-gateway",)
    assert exposure(lay_out(sdep(), istio={"enabled": True, "gateway": "mine"})).gateways == ("mine",)


def test_ambassador_gets_all_that_annotations_say_to_it() -> None:
    doc = noted(
        ambassador_id="inner",
        ambassador_header='location: "london"',
        ambassador_regex_header="x-user: a.*",
        ambassador_retries="2",
        ambassador_service_name="public",
        ambassador_circuit_breakers_max_connections="100",
        ambassador_config="---",
        grpc_timeout="5000",
    )

    layout = lay_out(doc, **AMBASSADOR)

    assert exposure(layout).family == "seldon-seldon-iris"
    assert exposure(layout).ambassador == AmbassadorTuning(
        id="inner",
        header=("location", "london"),
        regex_header=("x-user", "a.*"),
        retries=2,
        circuit_breakers={"max_connections": 100},
        config="---",
    )
    assert rule(layout, "rest").path_prefix == "/seldon/seldon/public/"
    assert (rule(layout, "rest").timeout_s, rule(layout, "grpc").timeout_s) == (3.0, 5.0)
    assert rule(layout, "grpc").path_pattern == "/(seldon.protos.*|tensorflow.serving.*|inference.*)/.*"


def test_a_regular_expression_alone_is_a_header_too() -> None:
    """Upstream's operator ends there."""
    tuning = exposure(lay_out(noted(ambassador_regex_header="x: a.*"), **AMBASSADOR)).ambassador

    assert tuning is not None
    assert (tuning.header, tuning.regex_header) == (None, ("x", "a.*"))


def test_short_mappings_are_of_an_ambassador_of_one_namespace() -> None:
    names = [one.name for one in exposure(lay_out(sdep(), ambassador={"enabled": True, "singleNamespace": True})).rules]

    assert names == ["rest", "grpc", "rest-short", "grpc-short"]


def test_an_installation_without_ways_in_has_none() -> None:
    assert laid_out(sdep(), ClusterSettings(routing=Routing.NONE)).exposures == ()


def test_an_installation_that_names_its_router_has_that_one() -> None:
    settings = ClusterSettings(routing=Routing.INGRESS, values={"routing": "ingress", **ISTIO})

    assert laid_out(sdep(), settings).routing is None
    assert exposure(laid_out(sdep(), settings)).gateways == ()


def test_both_routers_at_once_are_one_and_a_warning() -> None:
    layout = lay_out(sdep(), **ISTIO, **AMBASSADOR)

    assert layout.routing is Routing.ISTIO
    assert layout.warnings == (
        "istio.enabled and ambassador.enabled are both set; ways in are written for Istio alone",
    )
