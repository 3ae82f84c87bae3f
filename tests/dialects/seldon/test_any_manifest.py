"""No manifest breaks the dialect: whatever is put anywhere in it, it is lowered, or refused with an error of ours."""

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairlead.dialects.catalog import Catalog
from fairlead.dialects.document import load
from fairlead.dialects.seldon import SeldonDialect
from fairlead.errors import FairleadError
from support.golden import folders
from support.junk import spoilt

DOCUMENTS = [load((folder / "manifest.yaml").read_text())[0].doc for folder in folders("seldon")]


@pytest.mark.slow
@settings(max_examples=400, deadline=None)
@given(data=st.data())
def test_junk_anywhere_gives_a_plan_or_an_error_of_ours(data: st.DataObject) -> None:
    doc = spoilt(data, DOCUMENTS)
    dialect, catalog = SeldonDialect(), Catalog()

    dialect.prune(doc)
    dialect.failed_status(doc, FairleadError("reason"), now="2024-01-01T00:00:00Z")
    with contextlib.suppress(FairleadError):
        dialect.validate(doc, catalog=catalog)
        dialect.lower(doc, catalog=catalog)
