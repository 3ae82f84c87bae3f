"""The Service of a component in Standard mode: the first port of its container is 80, the others are what they are."""

from collections.abc import Mapping
from typing import Any

from fairlead.dialects.kserve.inference_service.cluster.agent import PORT as AGENT_PORT
from fairlead.dialects.kserve.inference_service.cluster.agent import is_tapped
from fairlead.dialects.kserve.inference_service.cluster.draft import DEFAULT_PORT
from fairlead.dialects.kserve.inference_service.cluster.pods import ComposedPod
from fairlead.dialects.kserve.inference_service.template import ComponentTemplate
from fairlead.plan.layout import Service, ServicePort

HTTP_PORT = 80
H2C = "kubernetes.io/h2c"
_GRPC_WORDS = ("grpc", "h2c")


def service_of(template: ComponentTemplate, name: str, composed: ComposedPod, *, is_headless: bool) -> Service:
    """The Service that is called as the component's Deployment."""
    first, *others = composed.ports or ({},)
    is_behind = composed.has_agent and is_tapped(template.spec)
    target = AGENT_PORT if is_behind else int(first.get("containerPort") or DEFAULT_PORT)
    ports = [_port(first, HTTP_PORT, target, default_name=name)]
    ports += [_port(one, int(one["containerPort"]), int(one["containerPort"])) for one in others]
    return Service(
        name=name,
        selector={"app": app_label(name)},
        ports=tuple(ports),
        labels={**composed.pod.labels, "app": app_label(name)},
        annotations=composed.pod.annotations,
        is_headless=is_headless,
    )


def app_label(name: str) -> str:
    """What the pods of a Deployment are told apart by."""
    return f"isvc.{name}"


def _port(written: Mapping[str, Any], port: int, target: int, *, default_name: str = "") -> ServicePort:
    name = str(written.get("name") or default_name)
    is_http2 = bool(written.get("name")) and any(word in name for word in _GRPC_WORDS)
    return ServicePort(port=port, target=target, name=name, app_protocol=H2C if is_http2 else "")
