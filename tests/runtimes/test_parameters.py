import json
from typing import Any

import pytest

from fairlead.plan.model import Parameter
from fairlead.runtimes.failures import BadParameter
from fairlead.runtimes.parameters import as_arguments, flag, parse_parameters, threads_of
from support.units import context, unit


def entry(value: object, type_: str) -> str:
    return json.dumps([{"name": "p", "value": value, "type": type_}])


@pytest.mark.parametrize(
    ("value", "type_", "expected"),
    [
        ("3", "INT", 3),
        (3, "INT", 3),
        ("0.5", "FLOAT", 0.5),
        ("1e3", "DOUBLE", 1000.0),
        ("3", "STRING", "3"),
        ("Yes", "BOOL", True),
        ("on", "BOOL", True),
        ("1", "BOOL", True),
        ("F", "BOOL", False),
        ("off", "BOOL", False),
    ],
)
def test_a_value_is_read_as_its_type(value: object, type_: str, expected: object) -> None:
    (parameter,) = parse_parameters(entry(value, type_))

    assert parameter.value == expected
    assert type(parameter.value) is type(expected)
    assert (parameter.name, parameter.type) == ("p", type_)


@pytest.mark.parametrize(("value", "type_"), [("x", "INT"), ("1.5", "INT"), ("x", "FLOAT"), ("maybe", "BOOL")])
def test_a_value_that_is_not_of_its_type_is_named(value: str, type_: str) -> None:
    with pytest.raises(BadParameter) as refused:
        parse_parameters(entry(value, type_))

    assert str(refused.value) == f"Bad model parameter: p with value {value} can't be parsed as a {type_}"
    assert refused.value.reason == "MICROSERVICE_BAD_PARAMETER"


def test_a_type_that_does_not_exist_is_named() -> None:
    with pytest.raises(BadParameter) as refused:
        parse_parameters(entry("1", "INTEGER"))

    assert str(refused.value) == "Bad model parameter type: INTEGER valid are INT, FLOAT, DOUBLE, STRING, BOOL"


@pytest.mark.parametrize("text", ["", "{", "{}", "[1]", '[{"value": 1}]', '[{"name": "p"}]'])
def test_what_is_no_list_of_parameters_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(BadParameter, match="predict"):
        parse_parameters(text)


def test_no_parameters_are_fine() -> None:
    assert parse_parameters("[]") == ()


def test_a_parameter_without_type_is_a_string() -> None:
    assert parse_parameters('[{"name": "p", "value": "1"}]') == (Parameter(name="p", value="1", type="STRING"),)


def test_parameters_become_keyword_arguments() -> None:
    assert as_arguments(unit(a=1, b="x")) == {"a": 1, "b": "x"}


@pytest.mark.parametrize(
    ("given", "expected"), [({}, True), ({"f": False}, False), ({"f": "no"}, False), ({"f": 1}, True)]
)
def test_a_flag_is_on_or_off_however_it_is_typed(given: dict[str, Any], expected: bool) -> None:
    assert flag(unit(**given), "f", default=True) is expected


def test_a_flag_that_is_neither_is_refused() -> None:
    with pytest.raises(BadParameter, match="unit classifier: parameter f is 'maybe'; expected true or false"):
        flag(unit(f="maybe"), "f", default=True)


@pytest.mark.parametrize(("given", "expected"), [({}, 1), ({"nthread": "4"}, 4), ({"threads": 2}, 2)])
def test_threads_are_those_asked_for_else_those_of_the_worker(given: dict[str, Any], expected: int) -> None:
    assert threads_of(context(unit(**given))) == expected
