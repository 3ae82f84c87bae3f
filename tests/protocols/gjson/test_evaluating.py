"""Paths as GJSON's documentation explains them, and as GJSON itself answered them."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.protocols.gjson import MISSING, exists, get, parse
from fairlead.protocols.gjson.modifiers import _MODIFIERS
from fairlead.protocols.gjson.paths import MODIFIERS

DALE = {"first": "Dale", "last": "Murphy", "age": 44, "nets": ["ig", "fb", "tw"]}
ROGER = {"first": "Roger", "last": "Craig", "age": 68, "nets": ["fb", "tw"]}
JANE = {"first": "Jane", "last": "Murphy", "age": 47, "nets": ["ig", "tw"]}
PEOPLE = {
    "name": {"first": "Tom", "last": "Anderson"},
    "age": 37,
    "children": ["Sara", "Alex", "Jack"],
    "fav.movie": "Deer Hunter",
    "friends": [DALE, ROGER, JANE],
}
TRUTHS = {
    "vals": [
        {"a": 1, "b": True},
        {"a": 2, "b": True},
        {"a": 3, "b": False},
        {"a": 4, "b": "0"},
        {"a": 5, "b": 0},
        {"a": 6, "b": "1"},
        {"a": 7, "b": 1},
        {"a": 8, "b": "true"},
        {"a": 9, "b": False},
        {"a": 10, "b": None},
        {"a": 11},
    ]
}
# Recorded from tidwall/gjson 1.14.4: a document, a path, and what it found (nothing for those of two).
RECORDED: list[list[Any]] = json.loads((Path(__file__).parent / "recorded.json").read_text())


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("name.last", "Anderson"),
        ("age", 37),
        ("children", ["Sara", "Alex", "Jack"]),
        ("children.#", 3),
        ("children.1", "Alex"),
        ("child*.2", "Jack"),
        ("c?ildren.0", "Sara"),
        (r"fav\.movie", "Deer Hunter"),
        ("friends.#.first", ["Dale", "Roger", "Jane"]),
        ("friends.1.last", "Craig"),
        ('friends.#(last=="Murphy").first', "Dale"),
        ('friends.#(last=="Murphy")#.first', ["Dale", "Jane"]),
        ("friends.#[age>45]#.last", ["Craig", "Murphy"]),
        ("friends.#(age>45)#.last", ["Craig", "Murphy"]),
        ("friends.#(age>=47)#.age", [68, 47]),
        ("friends.#(age<=44).age", 44),
        ("friends.#(age<44)", MISSING),
        ("friends.#(age!=44)#.age", [68, 47]),
        ('friends.#(first%"D*").last', "Murphy"),
        ('friends.#(first!%"D*").last', "Craig"),
        ("friends.#(first==Dale).age", 44),
        ('children.#(!%"*a*")', "Alex"),
        ('children.#(%"*a*")#', ["Sara", "Jack"]),
        ('friends.#(nets.#(=="fb"))#.first', ["Dale", "Roger"]),
        ("friends|0.first", "Dale"),
        ("friends.0|first", "Dale"),
        ("friends|#", 3),
        ('friends.#(last="Murphy")#|first', MISSING),
        ('friends.#(last="Murphy")#.0', []),
        ('friends.#(last="Murphy")#|0', DALE),
        ('friends.#(last="Murphy")#.#', []),
        ('friends.#(last="Murphy")#|#', 2),
        ("children.@reverse", ["Jack", "Alex", "Sara"]),
        ("children.@reverse.0", "Jack"),
        ("@this.age", 37),
        ("@keys.0", "name"),
        ("name.@values", ["Tom", "Anderson"]),
        ("name.@tostr", '{"first":"Tom","last":"Anderson"}'),
        ("name.@tostr.@fromstr.first", "Tom"),
        ('@pretty:{"sortKeys":true}.age', 37),
        ("friends.#.nets.@flatten.#", [3, 2, 2]),
        ("friends.#.nets|@flatten|#", 7),
        ("{name.first,age}.@join", {"first": "Tom", "age": 37}),
        ("[name,name.@this].@join", {"first": "Tom", "last": "Anderson"}),
        ('{"id":!["123","456"],"val":!["2","1"]}.@group', [{"id": "123", "val": "2"}, {"id": "456", "val": "1"}]),
        ("[name.first,age,friends.#.age]", ["Tom", 37, [44, 68, 47]]),
        (
            '{name.first,age,"the_murphys":friends.#(last="Murphy")#.first}',
            {"first": "Tom", "age": 37, "the_murphys": ["Dale", "Jane"]},
        ),
        (
            '{name.first,age,"company":!"Happysoft","employed":!true}',
            {"first": "Tom", "age": 37, "company": "Happysoft", "employed": True},
        ),
        ("@dig:first", ["Tom", "Dale", "Roger", "Jane"]),
        ("..0.age", 37),
        ("nobody", MISSING),
        ("age.nobody", MISSING),
        ("children.9", MISSING),
        ("children.-1", MISSING),
        ("friends.#(first==", MISSING),
        ("", MISSING),
    ],
)
def test_paths_of_the_documentation_find_what_it_says(path: str, found: Any) -> None:
    assert get(PEOPLE, path) == found


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("vals.#(b==~true)#.a", [1, 2, 6, 7, 8]),
        ("vals.#(b==~false)#.a", [3, 4, 5, 9, 10, 11]),
        ("vals.#(b==~null)#.a", [10, 11]),
        ("vals.#(b==~*)#.a", [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]),
    ],
)
def test_a_tilde_compares_anything_as_true_or_false(path: str, found: Any) -> None:
    assert get(TRUTHS, path) == found


@pytest.mark.parametrize(
    ("document", "path", "is_there"),
    [
        ({"predictions": [{"label": "dog"}]}, 'predictions.#(label=="dog")', True),
        ({"predictions": [{"label": "cat"}]}, 'predictions.#(label=="dog")', False),
        ({"decision_picker": "ERROR"}, "[@this].#(decision_picker==ERROR)", True),
        ({"decision_picker": "OK"}, "[@this].#(decision_picker==ERROR)", False),
        ({"instances": [{"modelId": "1"}]}, 'instances.#(modelId=="1")', True),
        ({"instances": [{"modelId": 1}]}, 'instances.#(modelId=="1")', True),
        ({"instances": [{"modelId": "2"}]}, 'instances.#(modelId=="1")', False),
    ],
)
def test_conditions_of_inference_graphs_decide_as_their_authors_meant(document: Any, path: str, is_there: bool) -> None:
    assert exists(document, path) is is_there


@pytest.mark.parametrize("value", [None, False, 0, "", [], {}])
def test_a_value_that_says_no_exists_all_the_same(value: Any) -> None:
    assert exists({"a": value}, "a")


@pytest.mark.parametrize("row", RECORDED, ids=lambda row: row[1])
def test_a_path_finds_what_gjson_found(row: list[Any]) -> None:
    document, path, *found = row

    answer = get(document, path)

    assert answer == found[0] if found else answer is MISSING


@pytest.mark.parametrize("text", [b"", b"{", b"NaN", b'{"a": Infinity}', b"[" * 100_000, b"\xff", b"1 2"])
def test_what_is_no_json_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError):
        parse(text)


@pytest.mark.parametrize("text", [b'"\\ud800"', b"1e999", b" [1]\n"])
def test_json_that_fast_parsers_refuse_is_read(text: bytes) -> None:
    parse(text)


def test_the_modifiers_that_a_path_knows_are_those_that_can_be_applied() -> None:
    assert {*_MODIFIERS, "dig"} == MODIFIERS


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=20,
)


@given(_JSON, st.text(alphabet='ab#.|@*?\\()[]{}"=!<>%~:,this01', max_size=25))
def test_no_path_fails_on_any_document(document: Any, path: str) -> None:
    assert exists(document, path) is (get(document, path) is not MISSING)


@given(st.lists(st.text(min_size=1, max_size=6), min_size=1, max_size=4), _JSON)
def test_escaped_keys_lead_to_their_value(keys: list[str], value: Any) -> None:
    document = value
    for key in reversed(keys):
        document = {key: document}
    path = ".".join("".join(f"\\{char}" for char in key) for key in keys)

    assert get(document, path) == value


@given(_JSON)
def test_this_is_the_document_and_a_multipath_holds_it(document: Any) -> None:
    assert get(document, "@this") == document
    assert get(document, "[@this].0") == document


def test_a_document_nested_beyond_the_stack_finds_nothing() -> None:
    document: Any = 1
    for _ in range(5000):
        document = [document]

    assert get(document, '@flatten:{"deep":true}') is MISSING
    assert get(document, "@dig:nobody") == []
