"""Which image runs a node of a graph, and by whose rules its container is completed.

An image or a command that a user wrote is kept. A prepackaged server without one is what the installation configures
for it, else our own image with the runtime for that format, else (no runtime of ours does it) the upstream image.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from fairlead.dialects.seldon import servers
from fairlead.dialects.seldon.cluster.installation import Installation
from fairlead.dialects.seldon.cluster.raw import named
from fairlead.dialects.seldon.context import NodeContext
from fairlead.dialects.seldon.graph import is_prepackaged
from fairlead.dialects.seldon.schema import SeldonDeployment

TENSORFLOW_SERVER = "TENSORFLOW_SERVER"
TFSERVING = "tfserving"
"""The container of TensorFlow Serving beside a proxy that speaks Seldon's protocol."""
KAFKA, KAFKA_IMAGE = "kafka", "seldonio/seldon-core-executor:1.18.2"
_WITHOUT_MODEL = "HUGGINGFACE_SERVER"
_RELATED_PREFIX = {
    "SKLEARN_SERVER": "SKLEARNSERVER",
    "XGBOOST_SERVER": "XGBOOSTSERVER",
    "MLFLOW_SERVER": "MLFLOWSERVER",
}


class Style(StrEnum):
    """Whose container a server's is like."""

    PLAIN = "plain"
    SELDON = "seldon"
    MLSERVER = "mlserver"
    TRITON = "triton"
    TENSORFLOW_PROXY = "tensorflow-proxy"
    TENSORFLOW = "tensorflow"


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """What runs in a node's container. `runtime` is ours, empty for an image that is not."""

    image: str
    style: Style
    runtime: str = ""

    @property
    def is_own(self) -> bool:
        """Whether the image is ours, and so started by its own command."""
        return bool(self.runtime)


def find_program(context: NodeContext, pod: Mapping[str, Any], installation: Installation) -> Program:
    """The program of a node with a container. `pod` is the raw PodSpec that the container is in."""
    node, protocol = context.node, context.outer.sdep.spec.protocol
    written: Mapping[str, Any] = named(pod["containers"], node.name) or {}
    if not is_prepackaged(node):
        if not written.get("image"):
            context.findings.refuse(f"{context.container_path}.image", f"container {node.name} has no image")
        return Program(image=written.get("image", ""), style=Style.PLAIN)
    configured = _configured(context, installation)
    if written.get("image") or configured:
        return Program(image=written.get("image") or configured, style=_style(node.implementation, protocol))
    runtime = _own_runtime(context, pod, written)
    if runtime:
        style = Style.MLSERVER if protocol == servers.V2 else Style.SELDON
        return Program(image=installation.settings.image_of(runtime), style=style, runtime=runtime)
    image = servers.default_image(node.implementation, protocol, context.outer.catalog)
    if not image:
        context.findings.refuse(f"{context.path}.implementation", _missing(node.implementation, protocol))
    return Program(image=image, style=_style(node.implementation, protocol))


def tensorflow_image(installation: Installation) -> str:
    """The image of TensorFlow Serving itself."""
    return (
        installation.related.get("TENSORFLOW")
        or installation.server_image(TENSORFLOW_SERVER, servers.TENSORFLOW)
        or servers.SERVERS[TENSORFLOW_SERVER].images[servers.TENSORFLOW]
    )


def orchestrator_image(sdep: SeldonDeployment, installation: Installation) -> str:
    """The orchestrator's image where it is not ours: the installation's own, and upstream's for graphs that are fed by
    Kafka, which ours does not read."""
    if not installation.orchestrator.image and sdep.spec.server_type == KAFKA:
        return KAFKA_IMAGE
    return installation.orchestrator.image


def _configured(context: NodeContext, installation: Installation) -> str:
    implementation, protocol = context.node.implementation, context.outer.sdep.spec.protocol
    related = installation.related.get(_related_name(implementation, protocol), "")
    return related or installation.server_image(implementation, protocol)


def _related_name(implementation: str, protocol: str) -> str:
    if implementation == TENSORFLOW_SERVER:
        return "TENSORFLOW" if protocol == servers.TENSORFLOW else "TFPROXY"
    name = _RELATED_PREFIX.get(implementation, "")
    return f"{name}_V2" if name and protocol == servers.V2 else name


def _own_runtime(context: NodeContext, pod: Mapping[str, Any], written: Mapping[str, Any]) -> str:
    """Ours for the format; none where the manifest speaks to the upstream server: by its flags, or by the container
    that stands beside it. Models without a folder come from a hub, which ours asks nothing of."""
    node = context.node
    server = servers.SERVERS.get(node.implementation)
    if server is None or written.get("args") or written.get("command"):
        return ""
    if node.implementation == _WITHOUT_MODEL and not node.model_uri:
        return ""
    if node.implementation == TENSORFLOW_SERVER and any(item.get("name") == TFSERVING for item in pod["containers"]):
        return ""
    return server.runtime


def _style(implementation: str, protocol: str) -> Style:
    if implementation == TENSORFLOW_SERVER:
        return Style.TENSORFLOW if protocol == servers.TENSORFLOW else Style.TENSORFLOW_PROXY
    if implementation == "TRITON_SERVER":
        return Style.TRITON
    return Style.MLSERVER if protocol == servers.V2 else Style.SELDON


def _missing(implementation: str, protocol: str) -> str:
    return f"there is no image of {implementation} for the protocol {protocol}; set one in predictor_servers"
