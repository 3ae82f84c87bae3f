"""Services."""

from typing import Any

from fairlead.plan.layout import ServicePort
from support.layouts import only, service, written


def spec(**fields: Any) -> dict[str, Any]:
    found: dict[str, Any] = only(written(services=(service(**fields),)), "Service")["spec"]
    return found


def test_ports_lead_where_they_say() -> None:
    ports = (
        ServicePort(port=80, target=8080, name="http"),
        ServicePort(port=5001, target="grpc", name="grpc", app_protocol="kubernetes.io/h2c"),
    )

    assert spec(ports=ports, selector={"app": "iris"}) == {
        "type": "ClusterIP",
        "selector": {"app": "iris"},
        "ports": [
            {"name": "http", "port": 80, "targetPort": 8080, "protocol": "TCP"},
            {
                "name": "grpc",
                "port": 5001,
                "targetPort": "grpc",
                "protocol": "TCP",
                "appProtocol": "kubernetes.io/h2c",
            },
        ],
    }


def test_a_headless_service_has_no_address() -> None:
    assert spec(is_headless=True, ports=(ServicePort(port=80, target=80),))["clusterIP"] == "None"


def test_a_name_for_another_host_has_nothing_else() -> None:
    assert spec(external_name="gateway.istio-system.svc.cluster.local", selector={"a": "b"}) == {
        "type": "ExternalName",
        "externalName": "gateway.istio-system.svc.cluster.local",
    }
