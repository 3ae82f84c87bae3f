"""No InferenceService breaks the operator: whatever is in it, it is laid out and has a status, or is refused with an
error of ours."""

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
from fairlead.dialects.kserve import KServeDialect
from fairlead.errors import FairleadError
from support import golden
from support.junk import spoilt

NOW = "2024-01-01T00:00:00Z"
FOLDERS = sorted(path.parent for path in (golden.ROOT / "kserve" / "cluster").glob("*/manifest.yaml"))
SETTINGS = (ClusterSettings(), ClusterSettings(has_knative=True), ClusterSettings(has_own_gateway=True))


def _documents(name: str) -> list[list[dict[str, Any]]]:
    paths = [folder / name for folder in FOLDERS]
    return [[one.doc for one in load(path.read_text())] if path.exists() else [] for path in paths]


PAIRS = [
    (found[0], world)
    for found, world in zip(_documents("manifest.yaml"), _documents("world.yaml"), strict=True)
    if found[0]["kind"] == "InferenceService"
]


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(data=st.data(), placed=st.sampled_from(SETTINGS))
def test_junk_anywhere_gives_objects_or_an_error_of_ours(data: st.DataObject, placed: ClusterSettings) -> None:
    doc, world = data.draw(st.sampled_from(PAIRS))
    spec = spoilt(data, [doc["spec"]])

    _try({**doc, "spec": spec}, world, placed)


def _try(doc: dict[str, Any], world: list[dict[str, Any]], placed: ClusterSettings) -> None:
    with contextlib.suppress(FairleadError):
        dialect, catalog = KServeDialect(settings=placed), Catalog()
        stored = GivenWorld([*world, *dialect.seeds()])
        ready = dialect.default(doc, world=stored)
        dialect.validate(ready, catalog=catalog, world=stored)
        layout = dialect.lay_out(ready, settings=placed, catalog=catalog, world=stored)
        render(layout, placed)
        dialect.cluster_status(ready, layout, Observed(), settings=placed, now=NOW, world=stored)
