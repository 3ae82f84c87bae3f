import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.dialects.document import MAX_DEPTH, load, render_path
from fairlead.errors import InvalidManifest, Problem, Where


def refusal(text: str) -> str:
    with pytest.raises(InvalidManifest) as caught:
        load(text, "f.yaml")
    return str(caught.value)


def test_each_value_knows_its_line() -> None:
    loaded = load("a: 1\nb:\n  c:\n  - x\n  - k: 2\n    z: |\n      text\n      more\nd: end\n", "f.yaml")[0]

    assert loaded.doc == {"a": 1, "b": {"c": ["x", {"k": 2, "z": "text\nmore\n"}]}, "d": "end"}
    assert [loaded.line(path) for path in ("a", "b.c", "b.c[0]", "b.c[1].k", "b.c[1].z", "d")] == [1, 3, 4, 5, 6, 9]


def test_a_path_that_leads_to_nothing_has_the_line_around_it() -> None:
    loaded = load("spec:\n  predictors:\n  - name: a\n", "f.yaml")[0]

    assert loaded.line("spec.predictors[0].graph.name") == 3
    assert loaded.line("spec.replicas") == 1
    assert str(loaded.where("spec.predictors[0].graph")) == "f.yaml:3: spec.predictors[0].graph"


def test_a_key_with_dots_has_its_line_in_brackets_and_without() -> None:
    loaded = load("metadata:\n  annotations:\n    a: b\n    x.dev/window: 1s\n", "f.yaml")[0]

    for path in ("metadata.annotations[x.dev/window]", "metadata.annotations.x.dev/window"):
        assert loaded.line(path) == 4
    assert loaded.line("metadata.annotations.x.dev/target") == 2


def test_problems_get_their_lines() -> None:
    loaded = load("spec:\n  name: a\n", "f.yaml")[0]
    error = InvalidManifest([Problem(where=Where(path="spec.name"), message="too short")], message="whole")

    located = loaded.locate(error)

    assert str(located) == "whole"
    assert [str(problem) for problem in located.problems] == ["f.yaml:2: spec.name: too short"]


def test_a_key_with_a_dot_stands_in_brackets() -> None:
    loaded = load("metadata:\n  annotations:\n    seldon.io/svc-name: x\n")[0]

    assert loaded.line("metadata.annotations[seldon.io/svc-name]") == 3
    assert render_path(("metadata", "annotations", "seldon.io/svc-name")) in loaded.lines


def test_documents_are_separated_and_empty_ones_left_out() -> None:
    text = "---\n# only a comment\n---\na: 1\n---\n\n---\nb: 2\n...\n"

    assert [(loaded.doc, loaded.line("b")) for loaded in load(text)] == [({"a": 1}, 4), ({"b": 2}, 8)]


def test_a_list_is_unrolled_with_the_lines_of_its_items() -> None:
    text = "kind: List\n\nitems:\n- {kind: A,\n  name: a}\n- kind: BList\n  items:\n  - kind: B\n    name: b\n"

    first, second = load(text, "f.yaml")

    assert (first.doc, first.line("name")) == ({"kind": "A", "name": "a"}, 5)
    assert (second.doc, second.line("name"), second.line("")) == ({"kind": "B", "name": "b"}, 9, 8)


def test_an_item_that_is_no_object_is_refused() -> None:
    assert refusal("kind: List\nitems:\n- text\n") == "f.yaml:3: items[0]: an item of a list must be an object"


def test_quoted_scalars_stay_text() -> None:
    doc = load("a: '010'\nb: \"yes\"\nc: !!str 1.0\nd: !!int '7'\n")[0].doc

    assert doc == {"a": "010", "b": "yes", "c": "1.0", "d": 7}


def test_keys_become_text() -> None:
    assert load("1: a\ny: b\n1.5: c\n'n': d\n")[0].doc == {"1": "a", "true": "b", "1.5": "c", "n": "d"}


def test_anchors_and_merges_are_followed() -> None:
    text = "base: &base {a: 1, b: 2}\nother: &other {b: 3, c: 4}\nx: {<<: [*base, *other], a: 0}\nz: *base\n"

    doc = load(text)[0].doc

    assert doc["x"] == {"a": 0, "b": 2, "c": 4}
    assert doc["z"] == {"a": 1, "b": 2}
    assert doc["z"] is not doc["base"]


def test_a_key_given_twice_is_refused_with_its_line() -> None:
    assert refusal("spec:\n  a: 1\n  b: 2\n  a: 3\n") == "f.yaml:4: spec: the key 'a' is given twice"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [1\nb: 2\n", "f.yaml:2: not valid YAML"),
        ("a: 1\n  b: 2\n", "f.yaml:2: not valid YAML"),
        ("a: \x01\n", "f.yaml: not valid YAML"),
        ("a: *nobody\n", "f.yaml:1: no anchor named 'nobody'"),
        ("a: &a [*a]\n", "f.yaml:1: an alias refers to a value that contains it"),
        ("a: !!python/object:os.system x\n", "f.yaml:1: the tag"),
        ("? [1]\n: a\n", "f.yaml:1: a key must be text"),
        ("a: .nan\n", "f.yaml:1: .nan is not a number"),
        ("- a\n", "f.yaml:1: a manifest must be an object"),
        ("just text\n", "f.yaml:1: a manifest must be an object"),
        ("a: {<<: text}\n", "f.yaml:1: '<<' merges an object"),
        ('{"a": 1,}', "f.yaml:1: not valid JSON"),
        ('{"a": 1,\n "a": 2}', "f.yaml:2: the key 'a' is given twice"),
        ('{"a": NaN}', "f.yaml: not valid JSON: NaN"),
    ],
)
def test_what_cannot_be_read_says_where_and_why(text: str, message: str) -> None:
    assert refusal(text).startswith(message)


@pytest.mark.parametrize("opening", ["[", "{a: ", "- "])
def test_nesting_has_a_limit(opening: str) -> None:
    assert "nested deeper than" in refusal(f"x:\n {opening * (MAX_DEPTH + 1)}")


def test_deep_json_is_refused_and_nothing_breaks() -> None:
    depth = 100_000

    assert "nested deeper than" in refusal('{"a":' * depth + "1" + "}" * depth)


def test_aliases_that_multiply_are_refused() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]

    assert "aliases expand to more than" in refusal("\n".join(lines))


def test_json_has_lines_too() -> None:
    text = '\ufeff\n{"a": "x\\"{y",\n\t"b": [1,\n {"c": 1e3}]}\n{"d": "\\ud83d\\ude00"}'

    first, second = load(text, "f.json")

    assert first.doc == {"a": 'x"{y', "b": [1, {"c": 1000}]}
    assert [first.line(path) for path in ("a", "b", "b[0]", "b[1].c")] == [2, 3, 3, 4]
    assert (second.doc, second.line("d")) == ({"d": "😀"}, 5)


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(st.text(), _VALUES, min_size=1))
def test_json_reads_as_itself(doc: dict[str, object]) -> None:
    doc.pop("kind", None)

    assert [loaded.doc for loaded in load(json.dumps(doc))] == [doc]
