"""No manifest breaks the dialect: whatever is put anywhere in it, it is lowered, or refused with an error of ours."""

import contextlib
import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairlead.dialects.catalog import Catalog
from fairlead.dialects.document import load
from fairlead.dialects.seldon import SeldonDialect
from fairlead.errors import FairleadError
from support.golden import folders

DOCUMENTS = [load((folder / "manifest.yaml").read_text())[0].doc for folder in folders("seldon")]
JUNK = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 2**40)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
    | st.sampled_from(
        ["MODEL", "ROUTER", "classifier", "RANDOM_ABTEST", "SKLEARN_SERVER", "/mnt/models", "$(A)", "1Gi"]
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths of everything inside a document."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, item in items for place in places(item, (*path, key)))]


def put(doc: dict[str, Any], path: tuple[Any, ...], value: Any) -> None:
    inner: Any = doc
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value


@pytest.mark.slow
@settings(max_examples=400, deadline=None)
@given(data=st.data())
def test_junk_anywhere_gives_a_plan_or_an_error_of_ours(data: st.DataObject) -> None:
    doc = copy.deepcopy(data.draw(st.sampled_from(DOCUMENTS)))
    for _ in range(data.draw(st.integers(1, 3))):
        path = data.draw(st.sampled_from(places(doc)))
        if path:
            put(doc, path, data.draw(JUNK))
    dialect, catalog = SeldonDialect(), Catalog()

    dialect.prune(doc)
    dialect.failed_status(doc, FairleadError("reason"), now="2024-01-01T00:00:00Z")
    with contextlib.suppress(FairleadError):
        dialect.validate(doc, catalog=catalog)
        dialect.lower(doc, catalog=catalog)
