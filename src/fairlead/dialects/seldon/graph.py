"""Looking at an inference graph: its nodes with their paths, and which of them need a container."""

from collections.abc import Iterator
from typing import NamedTuple

from fairlead.dialects.podspec import Container
from fairlead.dialects.seldon.schema import PredictiveUnit, PredictorSpec

UNKNOWN = "UNKNOWN_IMPLEMENTATION"
BUILTINS = {
    "SIMPLE_MODEL": "simple_model",
    "SIMPLE_ROUTER": "simple_router",
    "RANDOM_ABTEST": "random_abtest",
    "AVERAGE_COMBINER": "average_combiner",
}
"""Implementations that need no container, and what we call them."""


class Placed(NamedTuple):
    """A node, its path in the manifest, and the field name that the webhook reports for it (children are
    spelled `graph[0][1]` there)."""

    node: PredictiveUnit
    path: str
    field: str


class Found(NamedTuple):
    """A container and where it stands: number of the pod and its position there."""

    container: Container
    pod: int
    position: int


def walk(predictor: PredictorSpec, index: int) -> Iterator[Placed]:
    """All nodes of a predictor, depth first, parents before children."""
    base = f"spec.predictors[{index}].graph"
    yield from _walk(predictor.graph, base, base)


def _walk(node: PredictiveUnit, path: str, field: str) -> Iterator[Placed]:
    yield Placed(node, path, field)
    for index, child in enumerate(node.children):
        yield from _walk(child, f"{path}.children[{index}]", f"{field}[{index}]")


def is_prepackaged(node: PredictiveUnit) -> bool:
    """Any implementation that is neither unknown nor built in is the name of a server."""
    return node.implementation not in ("", UNKNOWN) and node.implementation not in BUILTINS


def is_builtin(node: PredictiveUnit) -> bool:
    """Whether the node is one of ours and needs no container."""
    return node.implementation in BUILTINS


def find_container(predictor: PredictorSpec, name: str) -> Found | None:
    """The first container of that name in the predictor's pods."""
    for pod_index, pod in enumerate(predictor.component_specs):
        for index, container in enumerate(pod.spec.containers):
            if container.name == name:
                return Found(container, pod_index, index)
    return None
