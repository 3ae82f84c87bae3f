import random
from typing import Any

import numpy as np
import pytest

from fairlead.errors import LoadError, UnknownRuntime
from fairlead.plan.model import Method
from fairlead.protocols.message import Form, Message, Meta, Payload, Reward
from fairlead.runtimes import registry
from fairlead.runtimes.base import Servable
from fairlead.runtimes.failures import BadData, CodeFailed
from support.units import asking, context, unit


def load(variant: str, *, env: dict[str, str] | None = None, **parameters: Any) -> Servable:
    return registry.load(context(unit("builtin", name="node", variant=variant, **parameters), env=env))


def test_an_unknown_built_in_is_answered_with_the_known_ones() -> None:
    with pytest.raises(UnknownRuntime, match="average_combiner, random_abtest, simple_model, simple_router"):
        load("magic")


# --- simple model -----------------------------------------------------------------------------------------------


def test_the_simple_model_answers_three_classes_whatever_it_is_asked() -> None:
    answer = load("simple_model").invoke(Method.PREDICT, asking([[9.0]], puid="p", tags={"a": 1}))

    assert answer.payload.form is Form.TENSOR
    assert answer.payload.value.tolist() == [[0.1, 0.9, 0.5]]
    assert answer.payload.names == ["class0", "class1", "class2"]
    assert answer.status == {"status": "SUCCESS"}
    assert (answer.meta.puid, answer.meta.tags, answer.meta.request_path) == ("p", {"a": 1}, {})


def test_the_simple_model_reports_three_metrics() -> None:
    answer = load("simple_model").invoke(Method.PREDICT, asking([[9.0]]))

    assert answer.own_metrics == answer.meta.metrics
    assert [(metric["key"], metric["type"], metric["value"]) for metric in answer.own_metrics] == [
        ("mymetric_counter", "COUNTER", 1),
        ("mymetric_gauge", "GAUGE", 100),
        ("mymetric_timer", "TIMER", 22.1),
    ]


@pytest.mark.parametrize(("value", "form"), [("text", Form.STRING), (b"bytes", Form.BINARY)])
def test_the_simple_model_echoes_text_and_bytes(value: Any, form: Form) -> None:
    assert load("simple_model").invoke(Method.PREDICT, asking(value, form)).payload == Payload(form, value)


# --- routers ----------------------------------------------------------------------------------------------------


def branches(servable: Servable, times: int) -> list[int]:
    return [servable.invoke(Method.ROUTE, asking([[1.0]])).payload.value.item() for _ in range(times)]


def test_the_simple_router_takes_the_first_branch() -> None:
    assert branches(load("simple_router"), 3) == [0, 0, 0]


def test_the_split_follows_the_ratio() -> None:
    taken = branches(load("random_abtest", env={"FAIRLEAD_RANDOM_SEED": "7"}, ratioA=0.2), 5000)

    assert taken.count(0) / 5000 == pytest.approx(0.2, abs=0.02)
    assert set(taken) == {0, 1}


def test_the_split_is_even_without_a_ratio() -> None:
    taken = branches(load("random_abtest", env={"FAIRLEAD_RANDOM_SEED": "7"}), 5000)

    assert taken.count(0) / 5000 == pytest.approx(0.5, abs=0.03)


@pytest.mark.parametrize(("ratio", "branch"), [(0.0, 1), (1.0, 0), ("1.0", 0), (0, 1)])
def test_a_ratio_of_all_or_nothing_is_exact(ratio: Any, branch: int) -> None:
    assert branches(load("random_abtest", ratioA=ratio), 200) == [branch] * 200


def test_a_seed_makes_the_split_repeatable() -> None:
    chance = random.Random("42")
    expected = [0 if chance.random() < 0.5 else 1 for _ in range(20)]

    assert branches(load("random_abtest", env={"FAIRLEAD_RANDOM_SEED": "42"}, ratioA=0.5), 20) == expected


def test_a_ratio_that_is_no_number_is_refused() -> None:
    with pytest.raises(LoadError, match="parameter ratioA must be a number from 0 to 1, not 'half'"):
        load("random_abtest", ratioA="half")


# --- combiner ---------------------------------------------------------------------------------------------------


def test_the_average_keeps_form_names_tags_and_status_of_the_first() -> None:
    first = asking([[1, 2], [3, 4]], Form.TENSOR, names=["a", "b"], tags={"x": 1}, request_path={"m1": "i1"})
    first.status = {"status": "SUCCESS"}
    second = asking([[3.0, 4.0], [5.0, 6.0]], tags={"x": 2, "y": 2}, request_path={"m2": "i2"})

    answer = load("average_combiner").aggregate([first, second])

    assert answer.payload.form is Form.TENSOR
    assert answer.payload.value.tolist() == [[2.0, 3.0], [4.0, 5.0]]
    assert answer.payload.names == ["a", "b"]
    assert answer.status == {"status": "SUCCESS"}
    assert answer.meta == Meta(tags={"x": 1}, request_path={"m1": "i1", "m2": "i2"})


@pytest.mark.parametrize(
    "messages",
    [
        [asking([[1.0, 2.0]]), asking([[1.0]])],
        [asking([1.0, 2.0]), asking([1.0, 2.0])],
        [asking("text", Form.STRING)],
        [asking([["a"]])],
    ],
)
def test_what_has_no_average_is_an_error(messages: list[Message]) -> None:
    with pytest.raises(CodeFailed, match="Expected"):
        load("average_combiner").aggregate(messages)


# --- what all of them share -------------------------------------------------------------------------------------


@pytest.mark.parametrize("variant", ["average_combiner", "random_abtest", "simple_model", "simple_router"])
def test_what_a_built_in_does_not_do_passes_through(variant: str) -> None:
    servable = load(variant)
    message = asking([[1, 2]], names=["a", "b"], puid="p")

    for method in {Method.TRANSFORM_INPUT, Method.TRANSFORM_OUTPUT} - servable.methods:
        answer = servable.invoke(method, message)
        assert answer.payload == message.payload
        assert answer.meta == Meta(puid="p")
    assert servable.health().payload.value == "healthy"
    assert servable.metadata()["name"] == "node"
    servable.close()


def test_only_routers_route_and_only_combiners_combine() -> None:
    with pytest.raises(BadData, match="Route not defined"):
        load("simple_model").invoke(Method.ROUTE, asking([[1]]))
    with pytest.raises(BadData, match="Aggregate not defined"):
        load("simple_router").aggregate([asking([[1]])])


def test_a_reward_is_answered_and_forgotten() -> None:
    reward = Reward(asking([[1]], puid="p"), None, None, 1.0, raw={})

    answer = load("random_abtest").feedback(reward)

    assert (answer.payload.value.tolist(), answer.meta.puid) == ([], "p")
    assert load("random_abtest").feedback(Reward(None, None, None, 1.0, raw={})).meta == Meta()
    assert np.ndim(answer.payload.value) == 1
