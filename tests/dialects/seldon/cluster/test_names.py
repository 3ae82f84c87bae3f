"""Names of objects: the rules of the operator, and what every API server asks of a name and a label."""

import re
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from fairlead.plan.layout import Layout
from support.sdep import one, pod, predictor, sdep
from support.seldon_layouts import lay_out, workload

LONG = "c12345678901234567890123456789012345678901234567890123456789"
NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
LABEL = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
NAMES = st.from_regex(r"[a-z]([-a-z0-9]{0,60}[a-z0-9])?", fullmatch=True)


def long_name() -> dict[str, Any]:
    return sdep(
        predictor(LONG, {"name": "m", "type": "MODEL"}, componentSpecs=[pod({"name": "m", "image": "a"})]), name="s"
    )


def test_a_long_deployment_name_is_a_digest() -> None:
    assert workload(lay_out(long_name())).name.startswith("seldon-")


def test_a_long_deployment_name_keeps_its_prefix_where_the_installation_says_so() -> None:
    plain = workload(lay_out(long_name())).name
    prefixed = workload(lay_out(long_name(), manager={"deploymentNameAsPrefix": True})).name

    assert prefixed == plain.replace("seldon-", "s-")


def test_short_names_are_the_operators() -> None:
    layout = lay_out(sdep(name="iris-model"))

    assert [item.name for item in layout.workloads] == ["iris-model-default-0-classifier"]
    assert [item.name for item in layout.services] == ["iris-model-default", "iris-model-default-classifier"]


@settings(max_examples=60, deadline=None)
@given(name=NAMES, called=NAMES, container=NAMES)
def test_every_name_and_label_is_one_that_an_api_server_takes(name: str, called: str, container: str) -> None:
    graph = {"name": container, "implementation": "SKLEARN_SERVER", "modelUri": "gs://m"}
    layout = lay_out(sdep(predictor(called, graph, explainer={"type": "ALE"}), name=name))

    assert [text for text in names_of(layout) if not NAME.fullmatch(text)] == []
    assert [pair for pair in labels_of(layout) if not all(LABEL.fullmatch(part) for part in pair)] == []
    assert len({item.name for item in layout.services}) == 3


def names_of(layout: Layout) -> list[str]:
    """Of objects, containers and volumes."""
    found = [item.name for item in layout.workloads] + [item.name for item in layout.services]
    found += [item.name for item in layout.exposures]
    for item in layout.workloads:
        spec = item.pod.spec
        found += [part["name"] for part in (*spec["containers"], *spec.get("initContainers", ()), *spec["volumes"])]
    return found


def labels_of(layout: Layout) -> list[tuple[str, str]]:
    """Keys without their prefix, and values."""
    holders = [labels for item in layout.workloads for labels in (item.labels, item.pod.labels, item.selector)]
    holders += [labels for item in layout.services for labels in (item.labels, item.selector)]
    return [(key.rpartition("/")[2], value) for labels in holders for key, value in labels.items()]


def test_a_services_selector_finds_the_pods_that_answer() -> None:
    layout = lay_out(one({"name": "model", "image": "acme/model:1"}))

    for item in layout.services:
        assert any(item.selector.items() <= pods.pod.labels.items() for pods in layout.workloads)
