"""Deployments from first to last: rows, revisions, objects, and who may."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fairlead.errors import AlreadyExists, BadRequest, Conflict, Forbidden, InvalidManifest, NotFound, Problem, Where
from fairlead.registry.api.listening import Listening
from fairlead.registry.callers import Role
from fairlead.registry.deploying.asked import Dialect, asked_v1, asked_v2
from fairlead.registry.deploying.service import Change
from fairlead.registry.deploying.viewing import View
from fairlead.registry.deploying.words import Status
from fairlead.registry.listing import parse
from fairlead.registry.values import Kind, Label
from support.deployments import (
    NEW_MANIFEST,
    Scene,
    add_bento,
    add_cluster,
    new_v1,
    new_v2,
    scene,
    v1_body,
    v2_body,
)
from support.registries import add_caller

pytestmark = pytest.mark.anyio


async def _get(at: Scene, name: str = "iris-dep") -> View:
    return await at.registry.deployments.get(at.caller, "", None, name)


async def _create(at: Scene, **changes: Any) -> View:
    return await at.registry.deployments.create(at.caller, "", new_v2(**changes))


async def _names(at: Scene, q: str = "", **query: Any) -> list[str]:
    page = await at.registry.deployments.list(at.caller, parse(q, me="ada", **query))
    return [view.row.name for view in page.items]


def _spec(at: Scene, name: str = "iris-dep", namespace: str = "default") -> dict[str, Any]:
    found: dict[str, Any] = at.place.objects["BentoDeployment", namespace, name]["spec"]
    return found


async def test_a_new_deployment_is_its_objects_and_waits_for_its_bento(at: Scene) -> None:
    view = await _create(at)
    assert view.standing.status is Status.IMAGE_BUILDING
    assert (view.row.namespace, view.row.creator) == ("default", at.caller.user.uid)
    assert _spec(at)["bento"] == "iris--v-1"
    assert at.place.objects["BentoRequest", "default", "iris--v-1"]["spec"] == {"bentoTag": "iris:v1"}
    assert view.latest is not None
    assert view.latest.revision.status == "active"


async def test_a_deployment_runs_once_its_pods_answer_and_has_one_address(at: Scene) -> None:
    await _create(at)
    await at.run("iris-dep")
    view = await _get(at)
    assert (view.standing.status, view.urls) == (Status.RUNNING, ("http://here/iris-dep/",))


async def test_a_deployment_without_a_name_gets_one_of_its_bento(at: Scene) -> None:
    view = await _create(at, name=None)
    assert view.row.name.startswith("iris-")


@pytest.mark.parametrize("name", ["Iris", "1st", "a_b", "x" * 64])
async def test_a_name_that_kubernetes_would_refuse_is_refused(at: Scene, name: str) -> None:
    with pytest.raises(BadRequest, match=r"DNS-1035 label|no more than 63"):
        await _create(at, name=name)


async def test_the_same_name_is_given_once_in_a_namespace(at: Scene) -> None:
    await _create(at)
    with pytest.raises(AlreadyExists, match="iris-dep already exists in namespace default"):
        await _create(at)
    elsewhere = await at.registry.deployments.create(at.caller, "", new_v1(kube_namespace="team-a"))
    assert "team-a" in at.place.namespaces
    assert elsewhere.row.namespace == "team-a"


async def test_of_two_who_want_one_name_at_once_one_gets_it(at: Scene) -> None:
    tried = await asyncio.gather(_create(at), _create(at, bento="iris:v2"), return_exceptions=True)
    (view,) = [each for each in tried if isinstance(each, View)]
    assert [type(each) for each in tried if each is not view] == [AlreadyExists]
    assert view.latest is not None
    assert _spec(at)["bento"] == f"iris--{view.latest.asked.main.bento.replace('v', 'v-')}"


async def test_an_object_that_somebody_made_by_hand_is_not_taken_over(at: Scene) -> None:
    await at.place.put(_by_hand("iris-dep"))
    with pytest.raises(AlreadyExists):
        await _create(at)
    assert _spec(at)["bento"] == "by-hand"


@pytest.mark.parametrize("tag", ["iris:v9", "none:v1"])
async def test_a_bento_that_is_not_there_is_said_in_the_words_that_clients_know(at: Scene, tag: str) -> None:
    with pytest.raises(BadRequest, match=f"can't find bento: {tag}"):
        await _create(at, bento=tag)


async def test_a_bento_that_is_still_coming_is_not_deployed(at: Scene) -> None:
    await at.add_bento("iris:half", is_complete=False)
    with pytest.raises(BadRequest, match="its upload is pending"):
        await _create(at, bento="iris:half")


async def test_a_service_that_the_bento_has_not_is_refused_with_those_it_has(at: Scene) -> None:
    with pytest.raises(BadRequest, match="no service or runner 'Irsi'; it has Iris"):
        await _create(at, services={"Irsi": {}})
    assert not at.place.objects
    with pytest.raises(NotFound):
        await _get(at)


async def test_what_the_place_refuses_leaves_nothing_behind(at: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(_document: Any) -> Any:
        raise InvalidManifest([Problem(where=Where(path="spec.resources"), message="no such amount")])

    monkeypatch.setattr(at.place, "put", refuse)
    with pytest.raises(BadRequest, match=r"spec\.resources: no such amount"):
        await _create(at)
    with pytest.raises(NotFound):
        await _get(at)


async def test_canaries_are_refused_plainly(at: Scene) -> None:
    canary = {"versions": {"b": {"bento": "iris:v2", "weight": 5}}}
    with pytest.raises(BadRequest, match="canaries are not run here: b"):
        await _create(at, canary=canary)


async def test_an_update_is_a_new_revision_and_the_only_active_one(at: Scene) -> None:
    await _create(at)
    await at.run("iris-dep")
    at.clock.pass_by(1)
    body = v2_body(bento="iris:v2")
    await at.registry.deployments.update(at.caller, "", None, "iris-dep", Change(asked=asked_v2(body)))
    _, page, _ = await at.registry.deployments.revisions(at.caller, "", "default", "iris-dep", parse())
    assert [(view.asked.main.bento, view.revision.status) for view in page.items] == [
        ("v2", "active"),
        ("v1", "inactive"),
    ]
    assert _spec(at)["bento"] == "iris--v-2"
    assert ("BentoRequest", "default", "iris--v-1") not in at.place.objects


async def test_an_old_revision_comes_back_by_its_own_words(at: Scene) -> None:
    await _create(at)
    first = await _get(at)
    assert first.latest is not None
    await at.registry.deployments.update(
        at.caller, "", None, "iris-dep", Change(asked=asked_v2(v2_body(bento="iris:v2")))
    )
    await at.registry.deployments.update(at.caller, "", None, "iris-dep", Change(asked=first.latest.asked))
    assert _spec(at)["bento"] == "iris--v-1"


async def test_an_update_that_the_place_refuses_leaves_the_revision_before_active(
    at: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    await _create(at)
    change = Change(asked=asked_v2(v2_body(services={"Iris": {"instance_type": "huge"}})))
    with pytest.raises(BadRequest, match="no instance type 'huge'"):
        await at.registry.deployments.update(at.caller, "", None, "iris-dep", change)
    _, page, _ = await at.registry.deployments.revisions(at.caller, "", "default", "iris-dep", parse())
    assert [view.revision.status for view in page.items] == ["active"]


async def test_words_about_a_deployment_change_without_a_revision(at: Scene) -> None:
    await _create(at)
    change = Change(description="flowers", labels=[Label("team", "a")])
    view = await at.registry.deployments.update(at.caller, "", None, "iris-dep", change)
    assert (view.row.description, list(view.labels)) == ("flowers", [Label("team", "a")])
    _, page, _ = await at.registry.deployments.revisions(at.caller, "", "default", "iris-dep", parse())
    assert page.total == 1


async def test_a_deployment_is_terminated_then_deleted_and_not_before(at: Scene) -> None:
    await _create(at)
    await at.run("iris-dep")
    with pytest.raises(BadRequest, match=r"^deployment is not terminated$"):
        await at.registry.deployments.delete(at.caller, "", None, "iris-dep")
    view = await at.registry.deployments.terminate(at.caller, "", None, "iris-dep")
    assert view.standing.status is Status.TERMINATING
    assert not [key for key in at.place.objects if key[0] != "Pod"]
    await at.place.delete("Pod", "default", "iris-dep-0")
    assert (await _get(at)).standing.status is Status.TERMINATED
    assert (await _get(at)).row.terminated_at == at.clock.now
    await at.registry.deployments.delete(at.caller, "", None, "iris-dep")
    with pytest.raises(NotFound, match="get deployment iris-dep: record not found"):
        await _get(at)


async def test_a_terminated_deployment_comes_back_with_an_update(at: Scene) -> None:
    await _create(at)
    await at.registry.deployments.terminate(at.caller, "", None, "iris-dep")
    assert (await _get(at)).standing.status is Status.TERMINATED
    view = await at.registry.deployments.repeat(at.caller, "", None, "iris-dep")
    assert view.standing.status is Status.IMAGE_BUILDING
    assert view.row.terminated_at is None


async def test_what_is_made_with_kubectl_is_a_deployment_when_it_is_first_seen(at: Scene) -> None:
    await at.place.put(_request("by-hand", "iris:v1"))
    await at.place.put(_by_hand("theirs"))
    page = await at.registry.deployments.list(at.caller, parse())
    (view,) = page.items
    assert (view.row.name, view.row.creator, view.standing.status) == ("theirs", "", Status.IMAGE_BUILDING)
    assert view.latest is not None
    assert (view.latest.asked.dialect, str(view.latest.asked.main.tag)) == (Dialect.OBJECT, "iris:v1")
    assert len((await at.registry.deployments.list(at.caller, parse())).items) == 1


async def test_what_is_edited_with_kubectl_is_a_new_revision(at: Scene) -> None:
    await _create(at)
    spec = {**_spec(at), "autoscaling": {"minReplicas": 3, "maxReplicas": 3}}
    at.clock.pass_by(1)
    await at.place.set("BentoDeployment", "default", "iris-dep", spec=spec)
    view = await _get(at)
    assert view.latest is not None
    assert view.latest.asked.dialect is Dialect.OBJECT
    _, page, _ = await at.registry.deployments.revisions(at.caller, "", "default", "iris-dep", parse())
    assert [each.revision.status for each in page.items] == ["active", "inactive"]


@pytest.mark.parametrize("overtaking", ["update", "terminate"])
async def test_who_looks_while_somebody_changes_a_deployment_spoils_nothing(
    at: Scene, monkeypatch: pytest.MonkeyPatch, overtaking: str
) -> None:
    await _create(at)
    await at.run("iris-dep")
    plain, deployments = at.place.get, at.registry.deployments
    change = Change(asked=asked_v2(v2_body(bento="iris:v2")))
    work = {
        "update": lambda: deployments.update(at.caller, "", None, "iris-dep", change),
        "terminate": lambda: deployments.terminate(at.caller, "", None, "iris-dep"),
    }

    async def overtaken(kind: str, namespace: str, name: str) -> Any:
        monkeypatch.setattr(at.place, "get", plain)
        before = await plain(kind, namespace, name)
        at.clock.pass_by(1)
        await work[overtaking]()
        return before

    monkeypatch.setattr(at.place, "get", overtaken)
    await _get(at)

    _, page, _ = await deployments.revisions(at.caller, "", "default", "iris-dep", parse())
    assert Dialect.OBJECT not in {each.asked.dialect for each in page.items}
    await at.place.delete("Pod", "default", "iris-dep-0")
    expected = {"update": Status.IMAGE_BUILDING, "terminate": Status.TERMINATED}
    assert (await _get(at)).standing.status is expected[overtaking]


async def test_what_is_deleted_with_kubectl_is_not_deployed(at: Scene) -> None:
    await _create(at)
    await at.place.delete("BentoDeployment", "default", "iris-dep")
    assert (await _get(at)).standing.status is Status.NON_DEPLOYED


async def test_an_operator_notes_what_it_deploys_itself(at: Scene) -> None:
    await at.add_cluster("far")
    config = {"kubeResourceUid": "u", "kubeResourceVersion": "7"}
    target = {"type": "stable", "bento_repository": "iris", "bento": "v1", "config": config}
    new = new_v1(do_not_deploy=True, targets=[target])
    view = await at.registry.deployments.create(at.caller, "far", new)
    assert (view.standing.status, dict(at.place.objects)) == (Status.UNKNOWN, {})
    for version, revisions in (("7", 1), ("8", 2)):
        noted: dict[str, Any] = {**config, "kubeResourceVersion": version, "enable_ingress": True}
        asked = asked_v1(v1_body(targets=[target | {"config": noted}]))
        change = Change(asked=asked, is_noted=True)
        await at.registry.deployments.update(at.caller, "far", "default", "iris-dep", change)
        _, page, _ = await at.registry.deployments.revisions(at.caller, "far", "default", "iris-dep", parse())
        assert page.total == revisions


async def test_nothing_is_deployed_in_a_cluster_that_nothing_serves(at: Scene) -> None:
    await at.add_cluster("far")
    with pytest.raises(
        Conflict, match="nothing runs deployments of cluster far here; clusters that are served: default"
    ):
        await at.registry.deployments.create(at.caller, "far", new_v2())


async def test_an_update_by_the_other_dialect_keeps_what_it_has_no_words_for(at: Scene) -> None:
    await at.registry.deployments.create(at.caller, "", new_v1(targets=[_target(enable_ingress=False)]))
    await at.registry.deployments.update(at.caller, "", None, "iris-dep", Change(asked=asked_v2(v2_body())))
    assert _spec(at)["ingress"] == {"enabled": False}


async def test_what_users_wrote_into_an_object_survives_an_update(at: Scene) -> None:
    await _create(at)
    spec = {**_spec(at), "annotations": {**_spec(at)["annotations"], "mine": "yes"}}
    await at.place.set("BentoDeployment", "default", "iris-dep", spec=spec)
    await at.registry.deployments.update(at.caller, "", None, "iris-dep", Change(asked=asked_v2(v2_body())))
    assert _spec(at)["annotations"]["mine"] == "yes"


async def test_lists_filter_search_and_page(at: Scene) -> None:
    for name, bento in (("a", "iris:v1"), ("b", "iris:v2"), ("c", "old:v1")):
        at.clock.pass_by(1)
        services = {} if bento == "old:v1" else v2_body()["services"]
        await _create(at, name=name, bento=bento, services=services)
    await at.run("b")
    assert await _names(at) == ["c", "b", "a"]
    assert await _names(at, "sort:created_at-asc") == ["a", "b", "c"]
    assert await _names(at, "bento:iris:v2") == ["b"]
    assert await _names(at, "bento_repository:iris") == ["b", "a"]
    assert await _names(at, "status:running") == ["b"]
    assert await _names(at, "creator:@me") == ["c", "b", "a"]
    assert await _names(at, "creator:eve") == []
    assert await _names(at, search="c") == ["c"]
    page = await at.registry.deployments.list(at.caller, parse(start=1, count=1))
    assert ([view.row.name for view in page.items], page.total) == (["b"], 3)


async def test_bentos_in_use_are_known_until_their_deployment_is_terminated(at: Scene) -> None:
    await _create(at)
    organization = at.caller.organization.uid
    assert await at.registry.deployments.deployed(organization) == {(Kind.BENTO, "iris", "v1"): ["default/iris-dep"]}
    with pytest.raises(Conflict):
        await at.registry.versions.delete(at.caller, Kind.BENTO, "iris", "v1")
    await at.registry.deployments.terminate(at.caller, "", None, "iris-dep")
    assert await at.registry.deployments.deployed(organization) == {}


@pytest.mark.parametrize(
    ("role", "cluster_role", "refused"),
    [
        (Role.DEVELOPER, Role.GUEST, "create"),
        (Role.DEVELOPER, Role.DEVELOPER, "terminate"),
        (Role.GUEST, None, "create"),
    ],
)
async def test_who_may_not_is_told_so(at: Scene, role: Role, cluster_role: Role | None, refused: str) -> None:
    await _create(at)
    roles = (("default", cluster_role),) if cluster_role else ()
    caller = replace(at.caller, role=role, cluster_roles=roles)
    assert (await at.registry.deployments.get(caller, "", None, "iris-dep")).row.name == "iris-dep"
    deployments = at.registry.deployments
    tried = {
        "create": lambda: deployments.create(caller, "", new_v2(name="other")),
        "terminate": lambda: deployments.terminate(caller, "", None, "iris-dep"),
    }
    with pytest.raises(Forbidden, match="user ada cannot"):
        await tried[refused]()


async def test_a_token_reaches_the_namespaces_it_was_made_for_and_no_others(at: Scene) -> None:
    await _create(at)
    caller = replace(at.caller, namespaces=("team-a",))
    with pytest.raises(NotFound):
        await at.registry.deployments.get(caller, "", None, "iris-dep")
    with pytest.raises(Forbidden, match="does not reach the namespace default"):
        await at.registry.deployments.get(caller, "", "default", "iris-dep")
    assert (await at.registry.deployments.list(caller, parse())).total == 0
    assert (await at.registry.deployments.create(caller, "", new_v2())).row.namespace == "team-a"


@pytest.mark.usefixtures("anyio_backend")
async def test_every_query_works_on_every_database(database_url: str, tmp_path: Path) -> None:
    async with scene(tmp_path, database=database_url) as at:
        await at.add_bento("iris:v1")
        await _create(at)
        change = Change(asked=asked_v2(v2_body()), labels=[Label("team", "a")])
        await at.registry.deployments.update(at.caller, "", None, "iris-dep", change)
        assert await _names(at, "label:team=a bento:iris:v1 creator:@me cluster:default sort:created_at-desc") == [
            "iris-dep"
        ]
        heard = await at.registry.clusters.heard_of(
            at.caller, (await _get(at)).cluster, name="deployment", namespace="n", version="1", manifest="{}"
        )
        assert [each.uid for each in await at.registry.clusters.components(at.caller)] == [heard.uid]
        await at.registry.deployments.terminate(at.caller, "", None, "iris-dep")
        await at.registry.deployments.delete(at.caller, "", None, "iris-dep")
        assert await _names(at) == []


def _target(**config: Any) -> dict[str, Any]:
    return {"type": "stable", "bento_repository": "iris", "bento": "v1", "config": config}


def _by_hand(name: str) -> dict[str, Any]:
    meta = {"name": name, "namespace": "default"}
    return {
        "apiVersion": "serving.yatai.ai/v2alpha1",
        "kind": "BentoDeployment",
        "metadata": meta,
        "spec": {"bento": "by-hand"},
    }


def _request(name: str, tag: str) -> dict[str, Any]:
    meta = {"name": name, "namespace": "default"}
    return {
        "apiVersion": "resources.yatai.ai/v1alpha1",
        "kind": "BentoRequest",
        "metadata": meta,
        "spec": {"bentoTag": tag},
    }


async def test_another_organization_reaches_nothing_that_runs_here(at: Scene) -> None:
    at.registry.clusters.places.organization = at.caller.organization.uid
    other = await add_caller(at.registry, "eve")
    await add_cluster(at.registry, other, "default")
    await add_bento(at.registry, other, "iris:v1", NEW_MANIFEST)
    deployments, listening = at.registry.deployments, Listening(at.registry)
    with pytest.raises(Conflict, match="what runs is one organization's"):
        await deployments.create(other, "", new_v2())
    await deployments.create(other, "", replace(new_v2(), is_noted=True))
    await _create(at)
    await at.run("iris-dep")

    view = await deployments.get(other, "", None, "iris-dep")
    assert (view.object, view.urls, view.standing.status) == (None, (), Status.UNKNOWN)
    assert await listening.pods_now(view) == []
    for asked in (
        listening.place(other, "default", "default"),
        deployments.update(other, "", None, "iris-dep", _same()),
    ):
        with pytest.raises(Conflict, match="what runs is one organization's"):
            await asked
    await deployments.terminate(other, "", None, "iris-dep")

    assert (await _get(at)).standing.status is Status.RUNNING


def _same() -> Change:
    return Change(asked=asked_v2(v2_body()))


async def test_who_may_not_see_clusters_hears_nothing_of_deployments(at: Scene) -> None:
    view = await _create(at)
    narrow = replace(at.caller, scopes=("read_organization",))
    subscription = Listening(at.registry).subscription(narrow)
    subscription.take({"resource_type": "deployment", "resource_uids": [view.row.uid]})

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(anext(subscription.changes()), 0.05)
