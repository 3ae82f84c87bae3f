"""Prepackaged servers: what an `implementation` name stands for.

The image is what a cluster would have run (Seldon Core v1.18.2's configuration); it shows in answers' request path
and in env. What runs here is a runtime of ours.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from fairlead.dialects.catalog import Catalog, Entry

SELDON, V2, TENSORFLOW = "seldon", "v2", "tensorflow"


MLSERVER = "mlserver"
"""The variant of runtimes that stand in for MLServer: it names its outputs and shapes its answers in its own way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A prepackaged server: our runtime (empty when there is none, and `why` says why) and the image per protocol."""

    runtime: str = ""
    why: str = ""
    images: Mapping[str, str] = field(default_factory=dict)


SERVERS: Mapping[str, Server] = {
    "SKLEARN_SERVER": Server(
        runtime="sklearn", images={SELDON: "seldonio/sklearnserver:1.18.2", V2: "seldonio/mlserver:1.3.5-sklearn"}
    ),
    "XGBOOST_SERVER": Server(
        runtime="xgboost", images={SELDON: "seldonio/xgboostserver:1.18.2", V2: "seldonio/mlserver:1.3.5-xgboost"}
    ),
    "MLFLOW_SERVER": Server(
        runtime="mlflow", images={SELDON: "seldonio/mlflowserver:1.18.2", V2: "seldonio/mlserver:1.3.5-mlflow"}
    ),
    "TENSORFLOW_SERVER": Server(
        runtime="tensorflow",
        images={SELDON: "seldonio/tfserving-proxy:1.18.2", TENSORFLOW: "tensorflow/serving:2.1.0"},
    ),
    "TRITON_SERVER": Server(runtime="triton", images={V2: "nvcr.io/nvidia/tritonserver:21.08-py3"}),
    "HUGGINGFACE_SERVER": Server(runtime="huggingface", images={V2: "seldonio/mlserver:1.3.5-huggingface"}),
    "TEMPO_SERVER": Server(
        why="its folders are a conda environment and a class pickled in it, which run with each other alone; serve the "
        "class as your own Python code, or the models it calls by their formats",
        images={V2: "seldonio/mlserver:1.3.5-slim"},
    ),
}

NOT_FOR_TENSORFLOW = frozenset({"SKLEARN_SERVER", "XGBOOST_SERVER", "MLFLOW_SERVER", "HUGGINGFACE_SERVER"})


def canonical_protocol(protocol: str) -> str:
    """The protocol by the name we use: absent is seldon, kfserving is v2."""
    return {"": SELDON, "kfserving": V2}.get(protocol, protocol)


def is_known(implementation: str, catalog: Catalog) -> bool:
    """Whether a server of that name is configured."""
    return implementation in catalog.servers or implementation in SERVERS


def default_image(implementation: str, protocol: str, catalog: Catalog) -> str:
    """The image of a server, empty when it has none for that protocol."""
    custom = catalog.servers.get(implementation)
    if custom is not None:
        return custom.image
    server = SERVERS.get(implementation)
    return server.images.get(canonical_protocol(protocol), "") if server else ""


def entry(implementation: str, protocol: str, catalog: Catalog) -> Entry | None:
    """What runs for a server, `None` when nothing here can."""
    custom = catalog.servers.get(implementation)
    if custom is not None:
        return custom
    server = SERVERS.get(implementation)
    if server is None or not server.runtime:
        return None
    is_mlserver = "/mlserver:" in server.images.get(canonical_protocol(protocol), "")
    return Entry(runtime=server.runtime, variant=MLSERVER if is_mlserver else "")


def available(catalog: Catalog) -> list[str]:
    """Names of the servers that can run here."""
    return sorted({name for name, server in SERVERS.items() if server.runtime} | set(catalog.servers))
