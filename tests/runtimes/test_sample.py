from typing import Any

import pytest

from fairlead.errors import LoadError, UnknownRuntime
from fairlead.plan.model import Method
from fairlead.protocols.message import Form, Message
from fairlead.runtimes import registry
from fairlead.runtimes.base import Servable
from fairlead.runtimes.failures import CodeFailed
from support.units import asking, context, unit


def load(variant: str, **parameters: Any) -> Servable:
    return registry.load(context(unit("sample", variant=variant, **parameters)))


def predict(variant: str, message: Message | None = None, **parameters: Any) -> Message:
    return load(variant, **parameters).invoke(Method.PREDICT, message or asking([[1.0, 2.0, 5.0]]))


def test_an_unknown_sample_is_answered_with_the_known_ones() -> None:
    with pytest.raises(UnknownRuntime, match=r"no sample 'nothing'; available: echo_model, .*mock_classifier"):
        load("nothing")


def test_the_mock_classifier_gives_the_figure_of_the_tutorials() -> None:
    answer = predict("mock_classifier")

    assert answer.payload.value.tolist() == [[pytest.approx(0.43782349911420193, abs=1e-16)]]
    assert answer.payload.names == ["proba"]


def test_the_mock_classifier_is_shifted_by_its_parameter() -> None:
    shifted = predict("mock_classifier", intValue=1).payload.value.item()

    assert shifted == pytest.approx(0.22270013882530884)


def test_the_mock_classifier_refuses_anything_but_two_dimensions() -> None:
    with pytest.raises(CodeFailed, match="Incorrect shape"):
        predict("mock_classifier", asking([1.0, 2.0]))


def test_the_mock_classifier_answers_rows_unless_it_is_slow() -> None:
    rows = load("mock_classifier").rows

    assert rows is not None
    assert rows.class_names == ["proba"]
    assert load("mock_classifier", delaySecs=1).rows is None


def test_the_mock_classifier_has_a_health_of_its_own() -> None:
    health = load("mock_classifier").health().payload

    assert (health.form, health.value) == (Form.JSON, {"status": "ok"})


@pytest.mark.parametrize(
    ("variant", "expected"),
    [
        ("fixed-model:0.1", [1, 2, 3, 4]),
        ("fixed-model:0.2", [5, 6, 7, 8]),
        ("fixed_model:0.2", [5, 6, 7, 8]),
        ("fixed_model", [1, 2, 3, 4]),
    ],
)
def test_the_fixed_model_answers_by_its_version(variant: str, expected: list[int]) -> None:
    answer = predict(variant)

    assert (answer.payload.value.tolist(), answer.payload.names) == (expected, [])
    assert predict(variant, asking([[1]], Form.TENSOR)).payload.value.shape == (4,)


def test_the_echo_model_echoes_and_reports_metrics() -> None:
    answer = predict("echo-model", asking("hello", Form.STRING))

    assert (answer.payload.form, answer.payload.value) == (Form.STRING, "hello")
    assert [(metric["key"], metric["value"]) for metric in answer.own_metrics] == [
        ("mycounter", 1),
        ("mygauge", 100),
        ("mytimer", 20.2),
    ]


@pytest.mark.parametrize("parameters", [{}, {"n_branches": 0}, {"n_branches": 2, "branch_names": "a:b:c"}])
def test_a_bandit_that_cannot_be_made_says_why(parameters: dict[str, Any]) -> None:
    with pytest.raises(LoadError, match=r"mab_epsilon_greedy\(.*n_branches|branch_names"):
        load("mab_epsilon_greedy", **parameters)


def test_a_parameter_that_a_sample_does_not_take_is_named() -> None:
    with pytest.raises(LoadError, match="unexpected keyword argument 'size'"):
        load("mock_classifier", size=1)
