from typing import Any

import pytest

from fairlead.dialects.catalog import Catalog, Entry
from fairlead.errors import InvalidManifest
from fairlead.plan.model import Branch, Call, Chain, Feedback, Graph, Method, Step, UnitName
from support.sdep import lower, pod, predictor, sdep

CATALOG = Catalog(entries={"acme/x": Entry(runtime="python", target="X")})


def node(name: str, *children: dict[str, Any], kind: str | None = None, **fields: Any) -> dict[str, Any]:
    typed = {} if kind is None else {"type": kind}
    return {"name": name, "children": list(children), **typed, **fields}


def graph_of(root: dict[str, Any]) -> Graph:
    names = _names(root)
    containers = pod(*({"name": name, "image": "acme/x"} for name in names))
    return lower(sdep(predictor(graph=root, componentSpecs=[containers])), CATALOG).components[0].revision.graph


def _names(root: dict[str, Any]) -> list[str]:
    return [root["name"], *(name for child in root["children"] for name in _names(child))]


def call(name: str, method: Method) -> Step:
    return Call(unit=UnitName(name), method=method)


def predict(name: str) -> Step:
    return call(name, Method.PREDICT)


def branch(name: str, *choices: Step, route: bool = False, combine: bool = False) -> Step:
    unit = UnitName(name)
    return Branch(name=unit, choices=choices, route=unit if route else None, combine=unit if combine else None)


def test_a_lone_model_is_one_call() -> None:
    assert graph_of(node("m")).root == predict("m")


def test_a_model_with_a_child_feeds_it() -> None:
    assert graph_of(node("a", node("b"))).root == Chain(steps=(predict("a"), predict("b")))


def test_transformers_stand_around_their_children() -> None:
    root = node("in", node("out", node("m"), kind="OUTPUT_TRANSFORMER"), kind="TRANSFORMER")

    assert graph_of(root).root == Chain(
        steps=(
            call("in", Method.TRANSFORM_INPUT),
            branch("out", predict("m")),
            call("out", Method.TRANSFORM_OUTPUT),
        )
    )


def test_a_router_and_a_combiner_are_branches() -> None:
    root = node("r", node("c", node("a"), node("b"), kind="COMBINER"), node("d"), kind="ROUTER")

    assert graph_of(root).root == branch(
        "r", branch("c", predict("a"), predict("b"), combine=True), predict("d"), route=True
    )


def test_several_children_without_a_combiner_are_all_called() -> None:
    root = node("m", node("a"), node("b"))

    assert graph_of(root).root == Chain(steps=(predict("m"), branch("m", predict("a"), predict("b"))))


def test_methods_add_calls_and_transforming_wins_over_predicting() -> None:
    methods = ["TRANSFORM_INPUT", "TRANSFORM_OUTPUT", "ROUTE", "AGGREGATE"]

    root = graph_of(node("m", node("a"), kind="MODEL", methods=methods)).root

    assert root == Chain(
        steps=(
            call("m", Method.TRANSFORM_INPUT),
            branch("m", predict("a"), route=True, combine=True),
            call("m", Method.TRANSFORM_OUTPUT),
        )
    )


@pytest.mark.parametrize("kind", ["ROUTER", "COMBINER"])
def test_a_leaf_without_a_call_passes_the_message_through(kind: str) -> None:
    assert graph_of(node("leaf", kind=kind)).root == Chain(steps=())


@pytest.mark.parametrize(
    ("implementation", "expected"),
    [
        ("SIMPLE_ROUTER", branch("x", predict("a"), predict("b"), route=True)),
        ("RANDOM_ABTEST", branch("x", predict("a"), predict("b"), route=True)),
        ("AVERAGE_COMBINER", branch("x", predict("a"), predict("b"), combine=True)),
        ("SIMPLE_MODEL", Chain(steps=(predict("x"), branch("x", predict("a"), predict("b"))))),
    ],
)
def test_builtins_do_what_their_name_says(implementation: str, expected: Step) -> None:
    assert graph_of(node("x", node("a"), node("b"), implementation=implementation)).root == expected


@pytest.mark.parametrize("count", [1, 3])
def test_a_random_test_has_two_sides(count: int) -> None:
    children = [node(f"m{index}") for index in range(count)]

    with pytest.raises(InvalidManifest, match=f"exactly 2 children, this node has {count}"):
        graph_of(node("x", *children, implementation="RANDOM_ABTEST"))


def test_rewards_reach_models_routers_and_who_asks_for_them() -> None:
    root = node(
        "t",
        node("r", node("m"), node("c", kind="COMBINER", methods=["SEND_FEEDBACK"]), kind="ROUTER"),
        kind="TRANSFORMER",
    )

    feedback = graph_of(root).feedback

    assert feedback == Feedback(
        unit=UnitName("t"),
        accepts=False,
        children=(
            Feedback(
                unit=UnitName("r"),
                accepts=True,
                children=(Feedback(unit=UnitName("m"), accepts=True), Feedback(unit=UnitName("c"), accepts=True)),
            ),
        ),
    )


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({"kind": "MODEL"}, "model"),
        ({"kind": "ROUTER"}, "router"),
        ({"kind": "COMBINER"}, "combiner"),
        ({"kind": "TRANSFORMER"}, "transformer"),
        ({"kind": "OUTPUT_TRANSFORMER"}, "output-transformer"),
        ({"implementation": "SIMPLE_ROUTER"}, "router"),
        ({"implementation": "AVERAGE_COMBINER"}, "combiner"),
        ({"implementation": "SIMPLE_MODEL"}, "model"),
        ({"methods": ["TRANSFORM_INPUT"]}, "transformer"),
        ({"methods": ["ROUTE"]}, "router"),
        ({"kind": "UNKNOWN_TYPE", "methods": ["AGGREGATE"]}, "combiner"),
    ],
)
def test_the_drawing_says_what_a_node_is(fields: dict[str, Any], kind: str) -> None:
    drawing = graph_of(node("x", node("m"), **fields)).drawing

    assert drawing is not None
    assert (drawing.kind, [child.unit for child in drawing.children]) == (kind, ["m"])
