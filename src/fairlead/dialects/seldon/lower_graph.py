"""From a tree of nodes to the steps of a request, the way of a reward, and the drawing for metadata.

Rules: Seldon Core v1's orchestrator. A node has an input step, a children step and an output step; which call each
of them makes follows from the node's type, its extra methods, or its built-in implementation.
"""

from fairlead.dialects.seldon.schema import NodeMethod, NodeType, PredictiveUnit
from fairlead.plan.model import Branch, Call, Chain, Feedback, Graph, Method, Node, Step, UnitName

_ROUTERS = ("SIMPLE_ROUTER", "RANDOM_ABTEST")

_KINDS: dict[str, str] = {
    "MODEL": "model",
    "ROUTER": "router",
    "COMBINER": "combiner",
    "TRANSFORMER": "transformer",
    "OUTPUT_TRANSFORMER": "output-transformer",
}
_KINDS_BY_METHOD: tuple[tuple[NodeMethod, str], ...] = (
    ("ROUTE", "router"),
    ("AGGREGATE", "combiner"),
    ("TRANSFORM_OUTPUT", "output-transformer"),
    ("TRANSFORM_INPUT", "transformer"),
)


def lower_graph(root: PredictiveUnit) -> Graph:
    """The graph of a predictor whose nodes have their defaults."""
    return Graph(root=_step(root), feedback=_feedback(root), drawing=_drawing(root))


def _does(node: PredictiveUnit, kind: NodeType, method: NodeMethod) -> bool:
    return node.type == kind or method in node.methods


def _step(node: PredictiveUnit) -> Step:
    name = UnitName(node.name)
    steps: list[Step] = []
    if (method := _input_method(node)) is not None:
        steps.append(Call(unit=name, method=method))
    if node.children:
        steps.append(_children_step(node, is_recorded=bool(steps)))
    if _does(node, "OUTPUT_TRANSFORMER", "TRANSFORM_OUTPUT"):
        steps.append(Call(unit=name, method=Method.TRANSFORM_OUTPUT))
    return steps[0] if len(steps) == 1 else Chain(steps=_flatten(steps))


def _input_method(node: PredictiveUnit) -> Method | None:
    """Transforming the input wins over predicting when a node could do both."""
    if _does(node, "TRANSFORMER", "TRANSFORM_INPUT"):
        return Method.TRANSFORM_INPUT
    if node.type == "MODEL" or node.implementation == "SIMPLE_MODEL":
        return Method.PREDICT
    return None


def _children_step(node: PredictiveUnit, *, is_recorded: bool) -> Step:
    """A lone child needs no branch, unless the node itself would then leave no trace in the recorded routing."""
    name = UnitName(node.name)
    routes = node.implementation in _ROUTERS or _does(node, "ROUTER", "ROUTE")
    combines = node.implementation == "AVERAGE_COMBINER" or _does(node, "COMBINER", "AGGREGATE")
    if is_recorded and len(node.children) == 1 and not routes and not combines:
        return _step(node.children[0])
    return Branch(
        name=name,
        choices=tuple(_step(child) for child in node.children),
        route=name if routes else None,
        combine=name if combines else None,
    )


def _flatten(steps: list[Step]) -> tuple[Step, ...]:
    flat: list[Step] = []
    for step in steps:
        flat.extend(step.steps if isinstance(step, Chain) else (step,))
    return tuple(flat)


def _feedback(node: PredictiveUnit) -> Feedback:
    accepts = node.type in ("MODEL", "ROUTER") or "SEND_FEEDBACK" in node.methods
    children = tuple(_feedback(child) for child in node.children)
    return Feedback(unit=UnitName(node.name), accepts=accepts, children=children)


def _drawing(node: PredictiveUnit) -> Node:
    children = tuple(_drawing(child) for child in node.children)
    return Node(unit=UnitName(node.name), kind=node_kind(node), children=children)


def node_kind(node: PredictiveUnit) -> str:
    """What the node is in the drawing; a node without a type is what its methods or its implementation say."""
    if node.implementation in _ROUTERS:
        return "router"
    if node.implementation == "AVERAGE_COMBINER":
        return "combiner"
    if node.type in _KINDS:
        return _KINDS[node.type]
    return next((kind for method, kind in _KINDS_BY_METHOD if method in node.methods), "model")
