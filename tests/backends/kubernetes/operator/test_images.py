"""An upgrade brings an image, and no pod is to start anew for that alone."""

from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest

from fairlead.backends.kubernetes.operator.images import FOLLOWS, IMAGE, SEEDED, Earlier, with_images_kept
from fairlead.backends.kubernetes.operator.resources import key_of
from fairlead.backends.kubernetes.render.own_gateway import LABEL
from fairlead.dialects.base import EmptyWorld
from fairlead.dialects.clusters import ClusterSettings
from support.cluster import Cluster
from support.operators import DEPLOYMENT, available, options, reconciles, running_operator, sdep, until

Document = dict[str, Any]
ONE, TWO, THREE = "fairlead/fairlead:1", "fairlead/fairlead:2", "fairlead/fairlead:3"
UNDER_ONE = options(settings=ClusterSettings(namespace="default", image=ONE))
UNDER_TWO = options(settings=ClusterSettings(namespace="default", image=TWO))


def _deployment(image: str, *, argument: str = "a", name: str = "iris", replicas: int = 1) -> Document:
    containers = [{"name": "main", "image": image, "args": [argument]}]
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "models"},
        "spec": {"replicas": replicas, "template": {"spec": {"containers": containers}}},
    }


def _made(doc: Document, image: str) -> Document:
    (made,) = with_images_kept([doc], {}, image)
    return dict(made)


def _chosen(live: Document, image: str, *, name: str = "iris", **changed: Any) -> Document:
    def under(one: str) -> list[Document]:
        return [_deployment(one, name=name, **changed)]

    wanted = under(image)
    (chosen,) = with_images_kept(wanted, {key_of(live): live}, image, under=under)
    return dict(chosen)


def _image(doc: Document) -> str:
    return str(doc["spec"]["template"]["spec"]["containers"][0]["image"])


def test_the_same_pods_keep_their_image_through_any_number_of_upgrades() -> None:
    live = _made(_deployment(ONE), ONE)

    second = _chosen(live, TWO)
    third = _chosen(second, THREE)

    assert third == second == live


def test_other_pods_have_todays_image_and_remember_it() -> None:
    live = _made(_deployment(ONE), ONE)

    chosen = _chosen(live, TWO, argument="b")

    assert _image(chosen) == chosen["metadata"]["annotations"][IMAGE] == TWO


def test_another_number_of_the_same_pods_is_written_with_their_image() -> None:
    live = _made(_deployment(ONE), ONE)

    chosen = _chosen(live, TWO, replicas=4)

    assert (_image(chosen), chosen["spec"]["replicas"]) == (ONE, 4)


def test_what_somebody_changed_by_hand_is_put_right_under_the_image_it_had() -> None:
    live = _made(_deployment(ONE), ONE)
    touched = deepcopy(live)
    touched["spec"]["template"]["spec"]["containers"][0]["image"] = "somebody/elses:9"

    assert _chosen(touched, TWO) == live


def test_what_an_earlier_version_made_without_remembering_has_todays_image() -> None:
    assert _image(_chosen(_deployment(ONE), TWO)) == TWO


def test_nothing_is_kept_where_nobody_says_what_it_was() -> None:
    live = _made(_deployment(ONE), ONE)

    (chosen,) = with_images_kept([_deployment(TWO)], {key_of(live): live}, TWO)

    assert _image(dict(chosen)) == TWO


def test_of_revisions_the_newest_says_which_image_is_kept() -> None:
    def revision(number: int, image: str, argument: str) -> Document:
        doc = _deployment(image, argument=argument, name=f"iris-{number:05}")
        return {**doc, "metadata": {**doc["metadata"], "labels": {LABEL: "iris"}}}

    live = [_made(revision(1, ONE, "a"), ONE), _made(revision(2, TWO, "b"), TWO)]

    (chosen,) = with_images_kept(
        [revision(1, THREE, "b")],
        {key_of(one): one for one in live},
        THREE,
        under=lambda image: [revision(1, image, "b")],
    )

    assert _image(dict(chosen)) == TWO


class _Runtimes(EmptyWorld):
    def list(self, kind: str, namespace: str | None = None) -> list[Document]:
        spec = {"containers": [{"image": TWO}, {"image": "kserve/pmmlserver:latest"}]}
        return [
            {"metadata": {"name": "ours", "labels": {SEEDED: "true"}}, "spec": spec},
            {"metadata": {"name": "somebodys"}, "spec": spec},
        ]


def test_what_we_brought_along_named_the_earlier_image_and_what_others_wrote_did_not() -> None:
    ours, somebodys = Earlier(_Runtimes(), now=TWO, then=ONE).list("ClusterServingRuntime")

    assert [one["image"] for one in ours["spec"]["containers"]] == [ONE, "kserve/pmmlserver:latest"]
    assert somebodys["spec"]["containers"][0]["image"] == TWO


@pytest.mark.anyio
@pytest.mark.slow
async def test_an_operator_with_another_image_changes_no_deployment(cluster: Cluster) -> None:
    await cluster.create(sdep())
    async with running_operator(cluster, chosen=UNDER_ONE):
        await available(cluster)
    before = cluster.get("Deployment", DEPLOYMENT)
    cluster.journal.clear()

    async with running_operator(cluster, chosen=UNDER_TWO) as operator:
        await until(lambda: reconciles(operator) >= 1)

    assert cluster.get("Deployment", DEPLOYMENT) == before
    assert set(cluster.journal.by_verb()) <= {"get", "list", "watch"}


@pytest.mark.anyio
@pytest.mark.slow
@pytest.mark.parametrize("asked", ["value", "annotation"])
async def test_whoever_asks_has_the_new_image_at_once(cluster: Cluster, asked: str) -> None:
    doc = sdep()
    doc["metadata"]["annotations"] = {FOLLOWS: "true"} if asked == "annotation" else {}
    values = {"image": {"rollout": asked == "value"}}
    await cluster.create(doc)
    async with running_operator(cluster, chosen=UNDER_ONE):
        await available(cluster)

    async with running_operator(
        cluster, chosen=replace(UNDER_TWO, settings=replace(UNDER_TWO.settings, values=values))
    ):
        await until(lambda: _image(cluster.get("Deployment", DEPLOYMENT)) == TWO)
