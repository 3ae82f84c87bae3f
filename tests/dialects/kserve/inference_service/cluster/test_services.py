"""Ports of a component's Service."""

from typing import Any

import pytest

from fairlead.plan.layout import ServicePort
from support.isvc import container, isvc
from support.kserve_cluster import Cluster

H2C = "kubernetes.io/h2c"


@pytest.mark.parametrize(
    ("ports", "expected"),
    [
        ([], [ServicePort(port=80, target=8080, name="iris-predictor")]),
        ([{"containerPort": 5000}], [ServicePort(port=80, target=5000, name="iris-predictor")]),
        ([{"containerPort": 9000, "name": "h2c"}], [ServicePort(port=80, target=9000, name="h2c", app_protocol=H2C)]),
        (
            [{"containerPort": 8080, "name": "http1"}, {"containerPort": 8081, "name": "grpc-port"}],
            [
                ServicePort(port=80, target=8080, name="http1"),
                ServicePort(port=8081, target=8081, name="grpc-port", app_protocol=H2C),
            ],
        ),
    ],
)
def test_the_first_port_is_80_and_the_others_are_what_they_are(ports: Any, expected: list[ServicePort]) -> None:
    (service,) = Cluster().layout(isvc(container(ports=ports))).services

    assert list(service.ports) == expected


@pytest.mark.parametrize("tap", [{"batcher": {}}, {"logger": {"mode": "all"}}])
def test_requests_pass_the_agent_first(tap: Any) -> None:
    ports = [{"containerPort": 5000, "name": "http1"}, {"containerPort": 5001, "name": "grpc"}]

    (service,) = Cluster().layout(isvc({**container(ports=ports), **tap})).services

    assert [port.target for port in service.ports] == [9081, 5001]


def test_a_transformer_beside_the_server_is_what_requests_reach() -> None:
    beside = {"name": "transformer-container", "image": "t:1", "ports": [{"containerPort": 8090, "name": "http"}]}
    predictor = {"model": {"modelFormat": {"name": "sklearn"}, "storageUri": "s3://b/m"}, "containers": [beside]}

    (service,) = Cluster().layout(isvc(predictor)).services

    assert service.ports == (ServicePort(port=80, target=8090, name="http"),)
