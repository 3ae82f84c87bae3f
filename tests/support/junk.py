"""Documents with anything put anywhere in them, for tests that nothing of a dialect breaks by what it reads."""

import copy
from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

JUNK = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 2**40)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
    | st.sampled_from(
        ["MODEL", "ROUTER", "classifier", "RANDOM_ABTEST", "SKLEARN_SERVER", "/mnt/models", "$(A)", "1Gi", "pvc://a"]
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def spoilt(data: st.DataObject, documents: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """One of the documents, with junk at one to three places."""
    doc: dict[str, Any] = copy.deepcopy(data.draw(st.sampled_from(documents)))
    for _ in range(data.draw(st.integers(1, 3))):
        path = data.draw(st.sampled_from(_places(doc)))
        if path:
            _put(doc, path, data.draw(JUNK))
    return doc


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths of everything inside a document."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, item in items for place in _places(item, (*path, key)))]


def _put(doc: dict[str, Any], path: tuple[Any, ...], value: Any) -> None:
    inner: Any = doc
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
