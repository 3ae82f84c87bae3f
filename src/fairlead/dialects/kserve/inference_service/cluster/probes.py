"""When a server takes requests: the probe that KServe gives to those without one, and what its agent asks instead."""

import json
from collections.abc import Mapping
from typing import Any

from fairlead.dialects.kserve.inference_service.cluster.draft import DEFAULT_PORT, Draft
from fairlead.dialects.kserve.inference_service.schema import PREDICTOR_CONTAINER, TRANSFORMER_CONTAINER

Json = dict[str, Any]

_PROBED = (PREDICTOR_CONTAINER, TRANSFORMER_CONTAINER)
_OF_AGENT = ("httpGet", "tcpSocket")


def probe_servers(draft: Draft) -> None:
    """A connection is enough for a server that does not say when it is ready."""
    for server in draft.servers():
        if server["name"] in _PROBED and not server.get("readinessProbe"):
            server["readinessProbe"] = {
                "tcpSocket": {"port": port_of(server)},
                "timeoutSeconds": 1,
                "periodSeconds": 10,
                "successThreshold": 1,
                "failureThreshold": 3,
            }


def port_of(container: Mapping[str, Any]) -> int:
    """Where a container listens first."""
    ports = container.get("ports") or ()
    return int(ports[0].get("containerPort") or DEFAULT_PORT) if ports else DEFAULT_PORT


def passed_on(probe: Mapping[str, Any] | None, port: int) -> str:
    """A server's probe for the agent, which asks over the network alone: of one that runs a command it only learns
    whether the server listens."""
    if not probe or not any(kind in probe for kind in _OF_AGENT):
        probe = {"tcpSocket": {"port": port}, "successThreshold": 1}
    return json.dumps(probe, sort_keys=True, separators=(",", ":"))
