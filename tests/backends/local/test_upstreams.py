"""How programs and containers find other services of ours."""

import pytest

from fairlead.backends.local.upstreams import path_inside, with_upstream
from fairlead.plan.model import Upstream
from support.local_world import unit

DATA_URL = "http://127.0.0.1:8080"
ADDRESS = "127.0.0.1:8080/serving/ns/iris-predictor"
ASKS = unit(upstream=Upstream(host="iris-predictor.ns", is_inside=True))


@pytest.mark.parametrize(
    ("host", "path"),
    [
        ("iris-predictor.ns", "/serving/ns/iris-predictor"),
        ("iris-predictor.ns.svc", "/serving/ns/iris-predictor"),
        ("iris-predictor.ns.svc.cluster.local.:80", "/serving/ns/iris-predictor"),
        ("localhost:9000", ""),
        ("10.0.0.1", ""),
        ("10.0.0.1:80", ""),
        ("models.example.org", ""),
        ("iris-predictor.ns:9000", ""),
        ("iris..svc", ""),
        ("", ""),
    ],
)
def test_names_of_a_cluster_are_ours_and_no_others(host: str, path: str) -> None:
    assert path_inside(host) == path


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (("run", "--predictor_host", "iris-predictor.ns", "-v"), ("run", "--predictor_host", ADDRESS, "-v")),
        (("--predictor_host=iris-predictor.ns",), (f"--predictor_host={ADDRESS}",)),
        (("run", "--model_name", "iris"), ("run", "--model_name", "iris")),
    ],
)
def test_the_argument_gets_the_path_at_the_data_port(given: tuple[str, ...], told: tuple[str, ...]) -> None:
    assert with_upstream(given, ASKS, DATA_URL) == told


def test_a_program_that_asks_over_grpc_gets_a_name_in_place_of_a_path() -> None:
    asks = unit(upstream=Upstream(host="iris-predictor.ns", protocol="grpc-v2", is_inside=True))

    told = with_upstream(("--predictor_host", "iris-predictor.ns"), asks, DATA_URL)

    assert told == ("--predictor_host", "iris-predictor.ns.localhost:8080")


def test_a_data_port_with_tls_is_asked_over_tls() -> None:
    told = with_upstream(("--predictor_host", "x"), ASKS, "https://127.0.0.1:8443")

    expected = "127.0.0.1:8443/serving/ns/iris-predictor"
    assert told == ("--predictor_host", expected, "--predictor_use_ssl=true")


def test_an_upstream_that_is_none_of_ours_stays_what_it_is() -> None:
    given = ("--predictor_host", "models.example.org")

    assert with_upstream(given, unit(upstream=Upstream(host="models.example.org")), DATA_URL) == given
    assert with_upstream(given, unit(), DATA_URL) == given
