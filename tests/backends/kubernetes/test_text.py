"""Objects as text."""

from typing import Any

import yaml
from hypothesis import given
from hypothesis import strategies as st

from fairlead.backends.kubernetes.text import yaml_of
from fairlead.dialects.document import load

_WORDS = st.sampled_from(["1e3", "0o7", "010", "y", "on", "1:30", "2001-01-01", "", "null", "~", ".inf", "0x1f", "1_0"])
# Kubernetes takes no control characters in text, and its own reader refuses them.
_TEXT = _WORDS | st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")) | st.just("\n"), max_size=20)
_VALUES = st.recursive(
    _TEXT | st.integers(-(2**40), 2**40) | st.booleans() | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXT, inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(_TEXT, _VALUES, min_size=1, max_size=3))
def test_kubernetes_and_other_readers_read_what_was_written(value: dict[str, Any]) -> None:
    value = {"kind": "Thing", **{key: item for key, item in value.items() if key not in ("kind", "items", "<<", "=")}}
    text = yaml_of([value, value])

    assert [one.doc for one in load(text)] == [value, value]
    assert list(yaml.safe_load_all(text)) == [value, value]


def test_fields_stay_in_their_order_and_nothing_is_an_alias() -> None:
    shared = {"a": "1"}

    assert yaml_of([{"z": shared, "b": shared}]) == 'z:\n  a: "1"\nb:\n  a: "1"\n'


def test_lines_of_text_stay_readable() -> None:
    assert yaml_of([{"a": "x: 1\ny: 2\n"}]) == "a: |\n  x: 1\n  y: 2\n"
