"""No manifest breaks the operator: whatever is in it, it is laid out and has a status, or is refused with an error of
ours; and no installation's values or ConfigMap do."""

import contextlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairlead.backends.kubernetes.render import render
from fairlead.dialects.catalog import Catalog
from fairlead.dialects.clusters import ClusterSettings, Observed
from fairlead.dialects.document import load
from fairlead.dialects.given import GivenWorld
from fairlead.dialects.seldon import SeldonDialect
from fairlead.errors import FairleadError
from support import golden_objects
from support.junk import JUNK, spoilt

NOW = "2024-01-01T00:00:00Z"
FOLDERS = [folder for folder in golden_objects.folders() if folder.parent.name == "seldon"]
DOCUMENTS = [load((folder / "manifest.yaml").read_text())[0].doc for folder in FOLDERS]
VALUES: list[dict[str, Any]] = [
    {},
    {"istio": {"enabled": True}, "keda": {"enabled": True}},
    {"ambassador": {"enabled": True}},
    {"executor": {"image": {"repository": "acme/executor"}}},
]


@pytest.mark.slow
@settings(max_examples=400, deadline=None)
@given(data=st.data(), values=st.sampled_from(VALUES))
def test_junk_anywhere_gives_objects_or_an_error_of_ours(data: st.DataObject, values: dict[str, Any]) -> None:
    doc = spoilt(data, DOCUMENTS)
    placed = ClusterSettings(values=values)
    dialect, catalog = SeldonDialect(settings=placed), Catalog()

    with contextlib.suppress(FairleadError):
        dialect.validate(doc, catalog=catalog)
        layout = dialect.lay_out(doc, settings=placed, catalog=catalog)
        render(layout, placed)
        dialect.cluster_status(doc, layout, Observed(), settings=placed, now=NOW)


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_no_table_of_an_installation_breaks_it(data: st.DataObject) -> None:
    names = ("predictor_servers", "storageInitializer", "explainer", "credentials")
    settings_of = {name: data.draw(JUNK) for name in (*names, "executor", "predictiveUnit", "istio", "relatedImages")}
    stored = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "seldon-config", "namespace": "fairlead-system"},
        "data": {name: data.draw(st.text(max_size=10) | st.sampled_from(["{}", '{"a": 1}'])) for name in names},
    }
    placed, doc = ClusterSettings(values=settings_of), data.draw(st.sampled_from(DOCUMENTS))
    dialect, world = SeldonDialect(settings=placed), GivenWorld([stored])

    with contextlib.suppress(FairleadError):
        dialect.validate(doc, catalog=Catalog(), world=world)
        dialect.lay_out(doc, settings=placed, catalog=Catalog(), world=world)
