from typing import Any

import pytest

from fairlead.errors import LoadError
from fairlead.runtimes.triton.text_format import parse


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("", {}),
        ('name: "iris"', {"name": ["iris"]}),
        ("name: 'a' \"b\"", {"name": ["ab"]}),
        (r'name: "a\"b\n\x41\101"', {"name": ['a"b\nAA']}),
        ("n: 8 m: -1 f: 1.5e-3 g: 2.f h: 0x1F", {"n": [8], "m": [-1], "f": [0.0015], "g": [2.0], "h": [31]}),
        ("a: true b: false c: KIND_CPU", {"a": [True], "b": [False], "c": ["KIND_CPU"]}),
        ("dims: [ 1, -1 ] dims: 3", {"dims": [1, -1, 3]}),
        ("dims: [ ]", {"dims": []}),
        ("a { b: 1 } a: { b: 2 } a < b: 3 >", {"a": [{"b": [1]}, {"b": [2]}, {"b": [3]}]}),
        ('input [ { name: "x" }, { name: "y" } ]', {"input": [{"name": ["x"]}, {"name": ["y"]}]}),
        ("# all\na: 1 # one\n b: 2, c: 3;", {"a": [1], "b": [2], "c": [3]}),
        ("dynamic_batching { }", {"dynamic_batching": [{}]}),
    ],
)
def test_text_becomes_fields(text: str, fields: dict[str, Any]) -> None:
    assert parse(text, where="config.pbtxt") == fields


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: 1\nb 2", r"config\.pbtxt:2: expected ':' or '\{', got '2'"),
        ("a {", r"config\.pbtxt:1: expected '}', got 'the end of the file'"),
        ("a: ]", r"config\.pbtxt:1: expected a value, got ']'"),
        ("a: [1", r"config\.pbtxt:1: expected a value, got 'the end of the file'"),
        ('a: "x', r"config\.pbtxt:1: unexpected '\"'"),
        ("a: 1 }", r"config\.pbtxt:1: expected a field's name, got '}'"),
        ("\n\n%", r"config\.pbtxt:3: unexpected '%'"),
        ("a {" * 100, r"at most 64 levels"),
    ],
)
def test_what_cannot_be_read_names_its_line(text: str, words: str) -> None:
    with pytest.raises(LoadError, match=words):
        parse(text, where="config.pbtxt")
