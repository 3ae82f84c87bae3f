"""Services: names inside the cluster."""

from collections.abc import Mapping

from fairlead.backends.kubernetes.render.place import Object, Place
from fairlead.plan.layout import Labels, Service, ServicePort


def service(given: Service, place: Place, *, annotations: Labels | None = None, http2: frozenset[int]) -> Object:
    """A Service. `annotations` are those that a router reads there; `http2` are the ports that are known to speak
    HTTP/2 without TLS, which routers cannot guess."""
    return place.made(
        "v1",
        "Service",
        given.name,
        labels=given.labels,
        annotations={**given.annotations, **(annotations or {})},
        spec=_alias(given) if given.external_name else _own(given, http2),
    )


def _alias(given: Service) -> Object:
    spec: Object = {"type": "ExternalName", "externalName": given.external_name}
    return {**spec, "ports": [_port(port) for port in given.ports]} if given.ports else spec


def _own(given: Service, http2: frozenset[int]) -> Object:
    spec: Object = {"type": "ClusterIP"}
    if given.is_headless:
        spec["clusterIP"] = "None"
    if given.selector:
        spec["selector"] = {**given.selector}
    if given.has_unready:
        spec["publishNotReadyAddresses"] = True
    return {**spec, "ports": [_port(port, is_http2=port.port in http2) for port in given.ports]}


def _port(port: ServicePort, *, is_http2: bool = False) -> Object:
    protocol = port.app_protocol or ("kubernetes.io/h2c" if is_http2 else "")
    written: Mapping[str, object] = {
        "name": port.name,
        "port": port.port,
        "targetPort": port.target,
        "protocol": "TCP",
        "appProtocol": protocol,
    }
    return {key: value for key, value in written.items() if value != ""}
