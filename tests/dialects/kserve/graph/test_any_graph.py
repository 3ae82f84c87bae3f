"""Properties that hold for every graph."""

import json
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from fairlead.dialects.catalog import Catalog
from fairlead.dialects.kserve import KServeDialect
from fairlead.errors import FairleadError
from fairlead.plan.model import Revision
from support.stored_docs import DocumentWorld

DIALECT = KServeDialect("http://localhost:8080")
NAMES = st.sampled_from(["root", "a", "b", "c", ""])
TARGETS = st.fixed_dictionaries(
    {},
    optional={"nodeName": NAMES, "serviceName": NAMES, "serviceUrl": st.sampled_from(["http://x/y", "x", "http://["])},
)
STEPS = st.builds(
    lambda target, rest: {**target, **rest},
    TARGETS,
    st.fixed_dictionaries(
        {},
        optional={
            "name": NAMES,
            "data": st.sampled_from(["$request", "$response", ""]),
            "weight": st.integers(-5, 120),
            "condition": st.sampled_from(["", "a", "#(", "[@this].#(x==1)"]),
            "dependency": st.sampled_from(["Soft", "Hard"]),
            "mapPredictionsToInstances": st.booleans(),
        },
    ),
)
NODES = st.dictionaries(
    NAMES,
    st.fixed_dictionaries(
        {
            "routerType": st.sampled_from(["Sequence", "Splitter", "Ensemble", "Switch"]),
            "steps": st.lists(STEPS, max_size=4),
        }
    ),
    max_size=4,
)


def documents() -> list[dict[str, Any]]:
    predictor = {"model": {"modelFormat": {"name": "sklearn"}, "storageUri": "gs://x"}}
    return [
        {
            "apiVersion": "serving.kserve.io/v1beta1",
            "kind": "InferenceService",
            "metadata": {"name": name, "namespace": "ns"},
            "spec": {"predictor": predictor},
        }
        for name in ("a", "b")
    ]


@given(NODES)
def test_a_graph_is_refused_in_words_or_becomes_a_plan_that_survives_the_wire(nodes: dict[str, Any]) -> None:
    doc = {
        "apiVersion": "serving.kserve.io/v1alpha1",
        "kind": "InferenceGraph",
        "metadata": {"name": "ig", "namespace": "ns"},
        "spec": {"nodes": nodes},
    }
    world = DocumentWorld(documents())
    try:
        DIALECT.validate(doc, catalog=Catalog(), world=world)
        plan = DIALECT.lower(doc, catalog=Catalog(), world=world)
    except FairleadError:
        return

    assert DIALECT.lower(json.loads(json.dumps(doc)), catalog=Catalog(), world=world) == plan
    revision = plan.components[0].revision
    assert msgspec.json.decode(msgspec.json.encode(revision), type=Revision) == revision
    units = {unit.name for unit in revision.units}
    assert len(units) == len(revision.units)
    assert {name for name, _ in revision.graph.named} == set(nodes)


@given(NODES)
def test_pruning_keeps_every_field_of_a_graph(nodes: dict[str, Any]) -> None:
    doc = {
        "apiVersion": "serving.kserve.io/v1alpha1",
        "kind": "InferenceGraph",
        "metadata": {"name": "ig"},
        "spec": {"nodes": nodes, "bogus": 1},
    }

    assert DIALECT.prune(doc)["spec"] == {"nodes": nodes}
