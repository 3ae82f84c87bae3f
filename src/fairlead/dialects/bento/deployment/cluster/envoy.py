"""The configuration of upstream's proxy: everything goes to the server in the same pod, but for requests with the debug
header, which go to the debug pods."""

import json
from typing import Any

from fairlead.dialects.bento.deployment.cluster.server import port_of
from fairlead.dialects.bento.deployment.cluster.sidecars import ADMIN_PORT, PROXY_PORT
from fairlead.dialects.bento.deployment.parts import DeploymentPart

_MANAGER = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
_ROUTER = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"


def envoy_config(part: DeploymentPart, debug_service: str, *, header: str, port: int) -> str:
    """As JSON, which YAML is too."""
    routes: list[dict[str, Any]] = [{"match": {"prefix": "/"}, "route": {"cluster": "server", "timeout": "0s"}}]
    clusters = [_cluster("server", "127.0.0.1", port_of(part))]
    if debug_service:
        match = {"prefix": "/", "headers": [{"name": header, "string_match": {"exact": "true"}}]}
        routes.insert(0, {"match": match, "route": {"cluster": "debug", "timeout": "0s"}})
        clusters.append(_cluster("debug", debug_service, port))
    hosts = [{"name": "all", "domains": ["*"], "routes": routes}]
    manager = {
        "@type": _MANAGER,
        "stat_prefix": "ingress",
        "route_config": {"name": "server", "virtual_hosts": hosts},
        "http_filters": [{"name": "envoy.filters.http.router", "typed_config": {"@type": _ROUTER}}],
    }
    filters = [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]
    listener = {"name": "http", "address": _address("0.0.0.0", PROXY_PORT), "filter_chains": [{"filters": filters}]}  # noqa: S104 - in a pod
    config = {
        "admin": {"address": _address("0.0.0.0", ADMIN_PORT)},  # noqa: S104 - in a pod
        "static_resources": {"listeners": [listener], "clusters": clusters},
    }
    return json.dumps(config, indent=2) + "\n"


def _cluster(name: str, host: str, port: int) -> dict[str, Any]:
    endpoint = {"endpoint": {"address": _address(host, port)}}
    return {
        "name": name,
        "type": "STRICT_DNS",
        "connect_timeout": "5s",
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [endpoint]}]},
    }


def _address(host: str, port: int) -> dict[str, Any]:
    return {"socket_address": {"address": host, "port_value": port}}
