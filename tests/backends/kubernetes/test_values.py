"""Values files: names of the upstream charts and ours, checked and turned into settings."""

import contextlib
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.backends.kubernetes.accepted_values import ACCEPTED, Sort
from fairlead.backends.kubernetes.values import read
from fairlead.dialects.clusters import ClusterSettings
from fairlead.dialects.kserve.chart_values import FIELDS, IMAGES
from fairlead.errors import InvalidManifest
from fairlead.plan.layout import Routing
from support.doc_pages import ROOT


def refusal(text: str) -> str:
    with pytest.raises(InvalidManifest) as refused:
        read(text, "values.yaml")
    return str(refused.value)


def test_an_empty_file_is_an_installation_without_values() -> None:
    assert read("", "values.yaml").settings == ClusterSettings()
    assert read("# nothing\n", "values.yaml").settings == ClusterSettings()


def test_our_own_values_become_settings() -> None:
    settings = read(
        "image: {repository: r/f, tag: '1.2', pullPolicy: Always, pullSecrets: [a, {name: b}]}\n"
        "runtimeImages: {sklearn: r/s:1}\nnamespaceOverride: ops\nclusterDomain: local\nrouting: ingress\n"
        "knative: {enabled: true}\nkeda: {enabled: true}\nownGateway: {enabled: true}\n",
        "values.yaml",
    ).settings

    assert (settings.image, settings.image_of("sklearn")) == ("r/f:1.2", "r/s:1")
    assert (settings.image_pull_policy, settings.image_pull_secrets) == ("Always", ("a", "b"))
    assert (settings.namespace, settings.cluster_domain, settings.routing) == ("ops", "local", Routing.INGRESS)
    assert settings.has_knative
    assert settings.has_keda
    assert settings.has_own_gateway


@pytest.mark.parametrize(
    ("text", "routing"),
    [
        ("istio: {enabled: true}", Routing.ISTIO),
        ("ambassador: {enabled: 'true'}", Routing.AMBASSADOR),
        ("ambassador: {enabled: true}\nrouting: gateway-api", Routing.GATEWAY_API),
        ("istio: {enabled: false}", Routing.GATEWAY_API),
    ],
)
def test_the_switches_of_seldons_chart_choose_a_router(text: str, routing: Routing) -> None:
    assert read(text, "v").settings.routing is routing


def test_an_unknown_name_is_told_with_its_line_and_changes_nothing() -> None:
    found = read("istio:\n  gatway: x\nusageMetrics: {enabled: true}\n", "values.yaml")

    assert found.settings.values == {"istio": {}}
    assert found.warnings == (
        "values.yaml:2: istio.gatway: no value that Fairlead reads; did you mean istio.gateway?",
        "values.yaml:3: usageMetrics: no value that Fairlead reads",
    )


def test_all_wrong_types_are_told_at_once_with_what_is_accepted() -> None:
    text = refusal("istio:\n  enabled: [yes]\nimage: mine\nexecutor: {port: x}\nrouting: contour\n")

    assert text.splitlines() == [
        "values.yaml:2: istio.enabled: must be true or false, and is a list",
        "values.yaml:3: image: must be a mapping, and is 'mine'",
        "values.yaml:4: executor.port: must be a whole number, and is 'x'",
        "values.yaml:5: routing: must be one of gateway-api, istio, ambassador, ingress, none, and is 'contour'",
    ]


def test_numbers_may_be_text_and_text_a_number_as_set_makes_them() -> None:
    settings = read("defaultUserID: 1000\nexecutor: {port: '8001'}\n", "v").settings

    assert settings.value("defaultUserID") == "1000"
    assert settings.value("executor.port") == 8001


def test_null_means_the_default() -> None:
    assert read("istio: {gateway: null}\nrouting: null\n", "v").settings == ClusterSettings(values={"istio": {}})


@pytest.mark.parametrize("text", ["- a\n", "a: 1\n---\nb: 2\n", "text\n", "a: [\n"])
def test_what_is_no_values_file_is_refused_with_its_place(text: str) -> None:
    told = refusal(text)

    assert told.startswith("values.yaml")
    assert "apiVersion" not in told


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner), max_leaves=3))
def test_any_value_of_any_name_is_read_or_refused(item: object) -> None:
    for path in ("istio.enabled", "routing", "networkPolicy.from", "runtimeImages", "executor.port"):
        *sections, name = path.split(".")
        text = json.dumps({sections[0]: {name: item}} if sections else {name: item})
        with contextlib.suppress(InvalidManifest):
            assert read(text, "v").settings


def test_every_field_of_kserves_settings_that_the_chart_has_is_accepted() -> None:
    images = {f"kserve.{path}.{part}" for path in IMAGES.values() for part in ("image", "tag")}

    assert {f"kserve.{path}" for path in FIELDS.values()} | images <= set(ACCEPTED)


def test_every_accepted_value_is_documented_and_no_other() -> None:
    page = (ROOT / "docs" / "kubernetes-values.md").read_text()

    assert set(re.findall(r"^\| `([A-Za-z0-9_.]+)` \|", page, re.MULTILINE)) == set(ACCEPTED)


def test_choices_of_a_value_are_in_its_row() -> None:
    rows = dict(
        re.findall(r"^\| `([A-Za-z0-9_.]+)` (\|.*)$", (ROOT / "docs/kubernetes-values.md").read_text(), re.MULTILINE)
    )

    for path in ("routing", "image.pullPolicy", "ingress.rewrite", "security.profile"):
        assert all(f"`{choice}`" in rows[path] for choice in ACCEPTED[path].choices)
    assert ACCEPTED["routing"].sort is Sort.TEXT
