"""The admission webhook's rules of graphs, with its literal texts. `tests/golden/kserve/graphs` has a folder for each
of them."""

import re
from collections.abc import Iterator

from fairlead.dialects.kserve.graph.schema import KIND, ROOT, GraphNode, GraphStep, InferenceGraph
from fairlead.dialects.kserve.problems import problem, refuse
from fairlead.errors import Problem

NAME = "[a-z]([-a-z0-9]*[a-z0-9])?"
WHOLE = 100


def validate(graph: InferenceGraph) -> None:
    """Raise `InvalidManifest` with every broken rule."""
    refuse([*_name_problems(graph), *_root_problems(graph), *_node_problems(graph)])


def _name_problems(graph: InferenceGraph) -> Iterator[Problem]:
    name = graph.metadata.name
    if not re.fullmatch(NAME, name):
        text = (
            f'The {KIND} "{name}" is invalid: a {KIND} name must consist of lower case alphanumeric characters or '
            '\'-\', and must start with alphabetical character. (e.g. "my-name" or "abc-123", regex used for '
            f"validation is '{NAME}')"
        )
        yield problem("metadata.name", text)


def _root_problems(graph: InferenceGraph) -> Iterator[Problem]:
    if ROOT not in graph.spec.nodes:
        text = f"root node not found, {KIND} needs a node with name '{ROOT}' as the root node of the graph"
        yield problem("spec.nodes", text)


def _node_problems(graph: InferenceGraph) -> Iterator[Problem]:
    for name, node in graph.spec.nodes.items():
        yield from _label_problems(graph, name, node)
        for index, step in enumerate(node.steps):
            yield from _target_problems(graph, name, index, step)
        if node.router_type == "Splitter":
            yield from _weight_problems(graph, name, node)


def _label_problems(graph: InferenceGraph, name: str, node: GraphNode) -> Iterator[Problem]:
    seen: set[str] = set()
    for index, step in enumerate(node.steps):
        if step.name and step.name in seen:
            text = (
                f'Node "{name}" of {KIND} "{graph.metadata.name}" contains more than one step with name "{step.name}"'
            )
            yield problem(f"spec.nodes.{name}.steps[{index}].name", text)
        seen.add(step.name)


def _target_problems(graph: InferenceGraph, name: str, index: int, step: GraphStep) -> Iterator[Problem]:
    where = f'Step {index} ("{step.name}") in node "{name}" of {KIND} "{graph.metadata.name}"'
    path = f"spec.nodes.{name}.steps[{index}]"
    if not step.targets:
        yield problem(path, f"{where} does not specify an inference target")
    elif len(step.targets) > 1:
        yield problem(path, f"{where} specifies more than one of nodeName, serviceName, serviceUrl")


def _weight_problems(graph: InferenceGraph, name: str, node: GraphNode) -> Iterator[Problem]:
    where = f"{KIND}[{graph.metadata.name}] Node[{name}]"
    missing = [(index, step) for index, step in enumerate(node.steps) if step.weight is None]
    for index, step in missing:
        text = f"{where} Route[{step.service_name}] missing the 'Weight'"
        yield problem(f"spec.nodes.{name}.steps[{index}].weight", text)
    if not missing and sum(step.weight or 0 for step in node.steps) != WHOLE:
        text = f"{where} splitter node: the sum of traffic weights for all routing targets should be {WHOLE}"
        yield problem(f"spec.nodes.{name}.steps", text)
