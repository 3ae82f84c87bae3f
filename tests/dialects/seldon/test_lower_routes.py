from typing import Any

import pytest

from fairlead.plan.model import ComponentName, HeaderMatch, Mirror, Plan, Route, Target
from support.sdep import lower, predictor, sdep


def shared(plan: Plan) -> list[Route]:
    return [route for route in plan.routes if route.metadata or route.path_prefix != "/"]


def paths(plan: Plan) -> list[str]:
    return [route.path_prefix for route in plan.routes if route.path_prefix != "/"]


def weights(plan: Plan) -> dict[str, int]:
    return {target.component: target.weight for target in plan.routes[0].targets}


def annotated(**annotations: str) -> dict[str, Any]:
    return sdep(annotations={f"seldon.io/{key.replace('_', '-')}": value for key, value in annotations.items()})


def test_rest_and_grpc_are_reached_by_namespace_and_name() -> None:
    rest, grpc = shared(lower(sdep()))

    assert (rest.path_prefix, rest.rewrite, rest.metadata) == ("/seldon/seldon/iris/", "/", ())
    assert (grpc.path_prefix, grpc.metadata) == ("/", (("seldon", "iris"), ("namespace", "seldon")))
    assert rest.targets == grpc.targets == (Target(component=ComponentName("default"), weight=100),)


def test_the_short_path_exists_in_the_default_namespace_only() -> None:
    plan = lower(sdep(namespace="default"))

    assert paths(plan) == ["/seldon/default/iris/", "/seldon/iris/"]
    assert (("seldon", "iris"),) in [route.metadata for route in plan.routes]
    assert paths(lower(sdep(namespace="other"))) == ["/seldon/other/iris/"]


def test_shares_are_exact_and_zero_means_none() -> None:
    assert weights(lower(sdep(predictor("a", traffic=75), predictor("b", traffic=25)))) == {"a": 75, "b": 25}
    assert weights(lower(sdep(predictor("a", traffic=100), predictor("b")))) == {"a": 100, "b": 0}


def test_a_lone_predictor_gets_everything_whatever_it_says() -> None:
    assert (
        weights(lower(sdep(predictor(traffic=0)))) == weights(lower(sdep(predictor(traffic=100)))) == {"default": 100}
    )


@pytest.mark.parametrize(("traffic", "percent"), [(0, 100.0), (10, 10.0), (100, 100.0)])
def test_a_shadow_gets_a_copy(traffic: int, percent: float) -> None:
    plan = lower(sdep(predictor("live", traffic=100), predictor("dark", shadow=True, traffic=traffic)))

    assert weights(plan) == {"live": 100}
    assert [route.mirrors for route in shared(plan)] == [
        (Mirror(component=ComponentName("dark"), percent=percent),)
    ] * 2


def test_every_predictor_answers_to_the_hosts_of_its_service() -> None:
    doc = sdep(predictor("a", traffic=100, annotations={"seldon.io/svc-name": "fixed"}), predictor("b", shadow=True))

    direct = {route.host: route.targets[0].component for route in lower(doc).routes if route.host}

    assert direct == {
        host: component
        for key, component in (("fixed", "a"), ("iris-b", "b"))
        for host in (key, f"{key}.seldon", f"{key}.seldon.svc", f"{key}.seldon.svc.cluster.local")
    }


def test_timeouts_of_rest_and_grpc_are_their_own() -> None:
    plan = lower(annotated(rest_timeout="1500", grpc_timeout="20"))

    assert [route.timeout_s for route in shared(plan)] == [1.5, 0.02]
    assert {(route.timeout_s, route.grpc_timeout_s) for route in plan.routes if route.host} == {(1.5, 0.02)}
    assert (plan.components[0].revision.timeout_s, plan.components[0].revision.grpc_timeout_s) == (1.5, 0.02)


def test_spec_annotations_win_over_the_objects_own() -> None:
    doc = annotated(rest_timeout="1000")
    doc["metadata"]["annotations"] = {"seldon.io/rest-timeout": "9000", "seldon.io/ambassador-retries": "3"}

    route = lower(doc).routes[0]

    assert (route.timeout_s, route.retries) == (1.0, 3)


def test_a_second_name_is_guarded_by_the_headers_and_the_own_name_is_not() -> None:
    doc = annotated(ambassador_service_name="public", ambassador_header="Location: london")

    routes = shared(lower(doc))

    guard = (HeaderMatch(name="location", value="london"),)
    assert [(route.path_prefix, route.headers) for route in routes if not route.metadata] == [
        ("/seldon/seldon/public/", guard),
        ("/seldon/seldon/iris/", ()),
    ]
    assert [(dict(route.metadata)["seldon"], route.headers) for route in routes if route.metadata] == [
        ("public", guard),
        ("iris", ()),
    ]


def test_a_regular_expression_works_without_a_plain_header() -> None:
    routes = lower(annotated(ambassador_regex_header="x-user: (a|b).*")).routes

    assert routes[0].headers == (HeaderMatch(name="x-user", value="(a|b).*", is_regex=True),)


@pytest.mark.parametrize(
    ("annotation", "value", "complaint"),
    [
        ("ambassador_header", "no colon", "is not written as `header: value`"),
        ("ambassador_regex_header", "a: (", "is not a regular expression"),
        ("rest_timeout", "3s", "is not a whole number"),
        ("istio_retries", "-1", "is not a whole number"),
    ],
)
def test_an_annotation_that_cannot_be_read_is_a_warning(annotation: str, value: str, complaint: str) -> None:
    plan = lower(annotated(**{annotation: value}))

    assert len(plan.warnings) == 1
    assert complaint in plan.warnings[0]
    assert plan.routes == lower(sdep()).routes


def test_istio_hosts_are_required_of_requests() -> None:
    plan = lower(annotated(istio_host=" A.example.com, b.example.com ,"))

    assert [route.host for route in shared(plan)] == ["a.example.com"] * 2 + ["b.example.com"] * 2
    assert lower(annotated(istio_host="*,a.example.com")).routes == lower(sdep()).routes
