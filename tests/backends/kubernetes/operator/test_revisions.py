"""Numbers of revisions behind our own gateway, and which earlier ones stay."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from fairlead.backends.kubernetes.operator.resources import ObjectKey, key_of
from fairlead.backends.kubernetes.operator.revisions import numbered
from fairlead.backends.kubernetes.render import render
from fairlead.backends.kubernetes.render.own_gateway import LABEL, REVISION
from fairlead.dialects.clusters import ClusterSettings
from fairlead.plan.layout import Layout, PodTemplate, Share
from support.layouts import layout, on_demand

SETTINGS = ClusterSettings(has_own_gateway=True)
NAME = "iris-predictor"


def asked(image: str = "a", *, kept: tuple[str, ...] = (), traffic: tuple[Share, ...] = ()) -> Layout:
    template = PodTemplate(spec={"containers": [{"name": "m", "image": image}]})
    return layout(on_demand=(replace(on_demand(pod=template), kept=kept, traffic=traffic),))


def wanted(given: Layout, live: Mapping[ObjectKey, Any]) -> tuple[Any, set[str]]:
    """The Deployment to have, and the names of those that stay."""
    made, kept = numbered(render(given, SETTINGS), given, live)
    return next(one for one in made if one["kind"] == "Deployment"), {key.name for key in kept}


def there(*layouts: Layout) -> dict[ObjectKey, Any]:
    """What a cluster has after these, one after the other, with nothing taken away."""
    live: dict[ObjectKey, Any] = {}
    for one in layouts:
        made, _ = wanted(one, live)
        live[key_of(made)] = made
    return live


def test_the_first_revision_is_number_one_in_every_place() -> None:
    made, kept = wanted(asked(), {})

    names = {LABEL: NAME, REVISION: f"{NAME}-00001"}
    assert made["metadata"]["name"] == f"{NAME}-00001"
    assert made["spec"]["selector"]["matchLabels"] == names
    assert names.items() <= made["spec"]["template"]["metadata"]["labels"].items()
    assert kept == set()


def test_the_same_template_is_the_same_revision() -> None:
    live = there(asked("a"), asked("b"))

    made, _ = wanted(asked("b", traffic=(Share(percent=100),)), live)

    assert made["metadata"]["name"] == f"{NAME}-00002"
    assert made["spec"]["selector"]["matchLabels"][REVISION] == f"{NAME}-00002"


def test_another_template_is_the_next_one_even_if_it_was_there_before() -> None:
    made, _ = wanted(asked("a"), there(asked("a"), asked("b")))

    assert made["metadata"]["name"] == f"{NAME}-00003"


def test_a_number_that_somebody_remembers_is_not_given_again() -> None:
    made, _ = wanted(asked("c", kept=(f"{NAME}-00007",)), there(asked("a")))

    assert made["metadata"]["name"] == f"{NAME}-00008"


def test_revisions_that_are_named_stay_and_others_do_not() -> None:
    live = there(asked("a"), asked("b"), asked("c"))
    shares = (Share(percent=10), Share(percent=90, revision=f"{NAME}-00002"))

    _, kept = wanted(asked("d", traffic=shares, kept=(f"{NAME}-00001",)), live)

    assert kept == {f"{NAME}-00001", f"{NAME}-00002"}


def test_the_wanted_revision_is_not_one_of_those_that_are_left_alone() -> None:
    _, kept = wanted(asked("a", kept=(f"{NAME}-00001",)), there(asked("a")))

    assert kept == set()


def test_what_is_frozen_stays_at_its_newest_revision() -> None:
    made, _ = wanted(replace(asked("z"), is_frozen=True), there(asked("a"), asked("b")))

    assert made["metadata"]["name"] == f"{NAME}-00002"


def test_revisions_that_are_leaving_and_those_of_others_do_not_count() -> None:
    live = there(asked("a"))
    for one in live.values():
        one["metadata"]["deletionTimestamp"] = "now"

    assert wanted(asked("b"), live)[0]["metadata"]["name"] == f"{NAME}-00001"
