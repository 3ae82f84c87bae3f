"""Repositories and versions over both databases: names, lists, links, aliases, and what may not go."""

import asyncio
import json
from collections.abc import Mapping, Sequence

import pytest

from fairlead.errors import AlreadyExists, BadRequest, Conflict, Forbidden, NotFound
from fairlead.registry import versions
from fairlead.registry.callers import Caller, Role
from fairlead.registry.db import events
from fairlead.registry.listing import parse
from fairlead.registry.service import Registry
from fairlead.registry.usage import Tag
from fairlead.registry.values import Kind, Label, NewVersion, Rules, UploadStatus, Version
from support.registries import Clock, add_caller

pytestmark = pytest.mark.anyio

ELSEWHERE = json.dumps({"metadata": {"registry": "huggingface", "model_id": "a/b"}})
"""The manifest of a version that is complete as soon as it is announced."""


async def _model(
    registry: Registry, caller: Caller, version: str, *, build_at: float = 1.0, **values: object
) -> Version:
    await registry.repositories.create(caller, Kind.MODEL, "iris")
    new = NewVersion(version=version, build_at=build_at, **{"manifest": ELSEWHERE, **values})  # type: ignore[arg-type]
    return await registry.versions.create(caller, Kind.MODEL, "iris", new)


async def test_everything_comes_back_as_it_was_given(registry: Registry, caller: Caller) -> None:
    manifest = '{"module":"bentoml.sklearn","odd":[1,{"ü":null}],"size_bytes":7}'
    labels = (Label("z", "1"), Label("a", "2"))
    made = await _model(registry, caller, "v1", manifest=manifest, labels=labels, description="text", build_at=5.25)

    found = await registry.versions.get(caller, Kind.MODEL, "iris", "v1")

    assert found == made
    assert (found.manifest, found.labels, found.description, found.build_at) == (manifest, labels, "text", 5.25)
    assert (found.upload_status, found.module, found.size_bytes) == (UploadStatus.PENDING, "bentoml.sklearn", 7)
    assert found.tag == "iris:v1"


async def test_what_is_not_there_is_told_in_the_words_that_clients_know(registry: Registry, caller: Caller) -> None:
    with pytest.raises(NotFound, match="get modelRepository iris: record not found"):
        await registry.repositories.get(caller, Kind.MODEL, "iris")
    await _model(registry, caller, "v1")
    with pytest.raises(NotFound, match="get model iris:v2: record not found"):
        await registry.versions.get(caller, Kind.MODEL, "iris", "v2")
    with pytest.raises(NotFound, match="get bentoRepository iris: record not found"):
        await registry.versions.get(caller, Kind.BENTO, "iris", "v1")


async def test_organizations_do_not_see_each_other(registry: Registry, caller: Caller) -> None:
    other = await add_caller(registry, "eve")
    await _model(registry, caller, "v1")

    with pytest.raises(NotFound):
        await registry.versions.get(other, Kind.MODEL, "iris", "v1")
    assert (await registry.versions.list(other, Kind.MODEL, parse())).total == 0


async def test_a_guest_looks_and_changes_nothing(registry: Registry, caller: Caller) -> None:
    await _model(registry, caller, "v1")
    guest = Caller(user=caller.user, organization=caller.organization, role=Role.GUEST)
    developer = Caller(user=caller.user, organization=caller.organization, role=Role.DEVELOPER)

    await registry.versions.get(guest, Kind.MODEL, "iris", "v1")
    with pytest.raises(Forbidden, match="cannot update this"):
        await registry.versions.create(guest, Kind.MODEL, "iris", NewVersion(version="v2", build_at=1.0))
    with pytest.raises(Forbidden, match="cannot operate this model: iris:v1"):
        await registry.versions.delete(developer, Kind.MODEL, "iris", "v1")


async def test_two_that_make_the_same_repository_both_have_it(registry: Registry, caller: Caller) -> None:
    made = await asyncio.gather(*(registry.repositories.create(caller, Kind.BENTO, "iris") for _ in range(5)))

    assert len({repository.uid for repository in made}) == 1


async def test_two_that_announce_the_same_version_both_have_it_until_it_is_complete(
    registry: Registry, caller: Caller
) -> None:
    await registry.repositories.create(caller, Kind.MODEL, "iris")
    new = NewVersion(version="v1", build_at=1.0, manifest="{}")

    made = await asyncio.gather(*(registry.versions.create(caller, Kind.MODEL, "iris", new) for _ in range(5)))

    assert len({version.uid for version in made}) == 1
    await _model(registry, caller, "v1")
    with pytest.raises(AlreadyExists, match="model iris:v1 already exists"):
        await registry.versions.create(caller, Kind.MODEL, "iris", new)


async def test_a_model_of_another_registry_is_complete_when_announced(registry: Registry, caller: Caller) -> None:
    assert (await _model(registry, caller, "v1")).is_complete


async def test_latest_is_the_newest_complete_one(registry: Registry, caller: Caller) -> None:
    await _model(registry, caller, "middle", build_at=2.0)
    await _model(registry, caller, "old", build_at=1.0)
    await _model(registry, caller, "unfinished", build_at=3.0, manifest="{}")

    assert (await registry.versions.get(caller, Kind.MODEL, "iris", "latest")).version == "middle"
    with pytest.raises(BadRequest, match="latest"):
        await _model(registry, caller, "latest")


async def test_lists_are_newest_first_and_paged_without_gaps(registry: Registry, caller: Caller) -> None:
    for number in range(7):
        await _model(registry, caller, f"v{number}", build_at=float(number // 2))

    pages = [await registry.versions.list(caller, Kind.MODEL, parse(start=start, count=3)) for start in (0, 3, 6)]

    names = [version.version for page in pages for version in page.items]
    assert names[0] == "v6"
    assert sorted(names) == [f"v{number}" for number in range(7)]
    assert [version.build_at for page in pages for version in page.items] == [3.0, 2.0, 2.0, 1.0, 1.0, 0.0, 0.0]
    assert [(page.start, page.count, page.total) for page in pages] == [(0, 3, 7), (3, 3, 7), (6, 3, 7)]


@pytest.mark.parametrize(
    ("q", "expected"),
    [
        ("label:stage=prod", ["b"]),
        ("label:stage", ["b", "a"]),
        ("-label:stage=prod", ["c", "a"]),
        ("-label:stage", ["c"]),
        ("label:stage label:team=x", ["a"]),
        ("module:bentoml.onnx", ["c"]),
        ("creator:@me", ["c", "b", "a"]),
        ("creator:nobody", []),
        ("sort:build_at-asc", ["a", "b", "c"]),
        ("sort:size-desc", ["a", "c", "b"]),
        ("B", ["b"]),
        ("iris", ["c", "b", "a"]),
        ("in:description 100%", ["a"]),
        ("_", []),
        ("status:success", []),
        ("cluster:default", []),
    ],
)
async def test_the_language_of_lists(registry: Registry, caller: Caller, q: str, expected: list[str]) -> None:
    stage = (Label("stage", "dev"), Label("team", "x"))
    await _model(registry, caller, "a", build_at=1.0, manifest='{"size_bytes":9}', labels=stage, description="100% new")
    await _model(registry, caller, "b", build_at=2.0, manifest='{"size_bytes":2}', labels=(Label("stage", "prod"),))
    await _model(registry, caller, "c", build_at=3.0, manifest='{"size_bytes":5,"module":"bentoml.onnx"}')

    page = await registry.versions.list(caller, Kind.MODEL, parse(q, me="ada"), repository="iris")

    assert [version.version for version in page.items] == expected
    assert page.total == len(expected)


async def test_a_list_cannot_be_sorted_by_what_it_has_not(registry: Registry, caller: Caller) -> None:
    with pytest.raises(BadRequest, match="cannot sort by 'colour'; accepted: build_at"):
        await registry.versions.list(caller, Kind.MODEL, parse("sort:colour"))


async def test_repositories_are_listed_by_their_last_change(registry: Registry, caller: Caller, clock: Clock) -> None:
    for name in ("one", "two", "three"):
        clock.pass_by(1)
        await registry.repositories.create(caller, Kind.BENTO, name, labels=(Label("of", name),))
    clock.pass_by(1)
    await registry.versions.create(caller, Kind.BENTO, "one", NewVersion(version="v1", build_at=1.0))

    page = await registry.repositories.list(caller, Kind.BENTO, parse(count=2))
    labelled = await registry.repositories.list(caller, Kind.BENTO, parse("label:of=two"))

    assert [repository.name for repository in page.items] == ["one", "three"]
    assert page.total == 3
    assert [repository.name for repository in labelled.items] == ["two"]
    uid = page.items[0].uid
    assert await registry.versions.counts([uid]) == {uid: 1}
    assert [version.version for version in (await registry.versions.newest([uid], 3))[uid]] == ["v1"]


async def test_a_bento_knows_its_models_and_they_know_it(registry: Registry, caller: Caller) -> None:
    await _model(registry, caller, "v1")
    await registry.repositories.create(caller, Kind.BENTO, "service")
    new = NewVersion(version="b1", build_at=1.0, manifest='{"models":["iris:v1","gone:v9"]}')
    bento = await registry.versions.create(caller, Kind.BENTO, "service", new)

    assert [model.tag for model in await registry.versions.models_of(bento)] == ["iris:v1"]
    assert [found.tag for found in await registry.versions.bentos_with(caller, "iris", "v1")] == ["service:b1"]
    assert [found.tag for found in await registry.versions.bentos_with(caller, "gone")] == ["service:b1"]
    await registry.versions.update(caller, Kind.BENTO, "service", "b1", manifest='{"models":[]}')
    assert await registry.versions.models_of(bento) == []


async def test_an_update_changes_what_is_given(registry: Registry, caller: Caller, clock: Clock) -> None:
    made = await _model(registry, caller, "v1", labels=(Label("a", "1"),), description="old")
    clock.pass_by(5)

    await registry.versions.update(caller, Kind.MODEL, "iris", "v1", description="new")

    found = await registry.versions.get(caller, Kind.MODEL, "iris", "v1")
    assert (found.description, found.labels, found.manifest) == ("new", made.labels, made.manifest)
    assert found.updated_at == made.updated_at + 5


async def test_an_alias_points_at_a_version_and_may_be_moved(registry: Registry, caller: Caller) -> None:
    await _model(registry, caller, "v1")
    await _model(registry, caller, "v2")

    await registry.aliases.put(caller, Kind.MODEL, "iris", "production", "v1")
    first = await registry.versions.get(caller, Kind.MODEL, "iris", "production")
    await registry.aliases.put(caller, Kind.MODEL, "iris", "production", "v2")
    second = await registry.versions.get(caller, Kind.MODEL, "iris", "production")
    listed = await registry.aliases.list(caller, Kind.MODEL, "iris")
    await registry.aliases.remove(caller, Kind.MODEL, "iris", "production")

    assert (first.version, second.version) == ("v1", "v2")
    assert [(alias.name, alias.version) for alias in listed] == [("production", "v2")]
    with pytest.raises(NotFound):
        await registry.versions.get(caller, Kind.MODEL, "iris", "production")


async def test_a_name_is_a_version_or_an_alias(registry: Registry, caller: Caller) -> None:
    await _model(registry, caller, "v1")
    await registry.aliases.put(caller, Kind.MODEL, "iris", "production", "v1")

    with pytest.raises(Conflict, match="is an alias"):
        await _model(registry, caller, "production")
    for name in ("v1", "latest"):
        with pytest.raises(Conflict, match="is a version"):
            await registry.aliases.put(caller, Kind.MODEL, "iris", name, "v1")


async def test_a_deleted_repository_takes_its_versions_along(registry: Registry, caller: Caller) -> None:
    await _model(registry, caller, "v1", labels=(Label("a", "1"),))
    await registry.aliases.put(caller, Kind.MODEL, "iris", "production", "v1")

    await registry.repositories.delete(caller, Kind.MODEL, "iris")

    assert (await registry.versions.list(caller, Kind.MODEL, parse())).total == 0
    await _model(registry, caller, "v1")
    assert (await registry.versions.get(caller, Kind.MODEL, "iris", "v1")).labels == ()


class _Running:
    async def deployed(self, organization: str) -> Mapping[Tag, Sequence[str]]:
        return {(Kind.MODEL, "iris", "v1"): ("default/web",)}


async def test_what_runs_is_not_deleted_unless_forced(registry: Registry, caller: Caller) -> None:
    await _model(registry, caller, "v1")
    registry.uses.append(_Running())

    with pytest.raises(Conflict, match="model iris:v1 is used by the deployment default/web"):
        await registry.versions.delete(caller, Kind.MODEL, "iris", "v1")
    with pytest.raises(Conflict, match="used by the deployment"):
        await registry.repositories.delete(caller, Kind.MODEL, "iris")
    await registry.versions.delete(caller, Kind.MODEL, "iris", "v1", force=True)


async def test_what_a_bento_needs_is_not_deleted_unless_forced(registry: Registry, caller: Caller) -> None:
    await _model(registry, caller, "v1")
    await registry.repositories.create(caller, Kind.BENTO, "service")
    new = NewVersion(version="b1", build_at=1.0, manifest='{"models":["iris:v1"]}')
    await registry.versions.create(caller, Kind.BENTO, "service", new)

    with pytest.raises(Conflict, match="needed by the bento service:b1"):
        await registry.versions.delete(caller, Kind.MODEL, "iris", "v1")
    await registry.versions.delete(caller, Kind.BENTO, "service", "b1")
    await registry.versions.delete(caller, Kind.MODEL, "iris", "v1")


async def test_an_immutable_version_stays_as_it_is(registry: Registry, caller: Caller) -> None:
    await _model(registry, caller, "v1")
    await _model(registry, caller, "v2")
    await registry.versions.update(caller, Kind.MODEL, "iris", "v1", is_immutable=True)

    with pytest.raises(Conflict, match="iris:v1 is immutable"):
        await registry.versions.update(caller, Kind.MODEL, "iris", "v1", manifest="{}")
    with pytest.raises(Conflict, match="iris:v1 is immutable"):
        await registry.versions.delete(caller, Kind.MODEL, "iris", "v1")
    await registry.repositories.update(caller, Kind.MODEL, "iris", rules=Rules(is_immutable=True))
    with pytest.raises(Conflict, match="iris:v2 is immutable"):
        await registry.versions.delete(caller, Kind.MODEL, "iris", "v2")
    await registry.versions.update(caller, Kind.MODEL, "iris", "v1", description="may change")


async def test_changes_are_in_the_audit_log(registry: Registry, caller: Caller, clock: Clock) -> None:
    await registry.repositories.create(caller, Kind.MODEL, "iris")
    clock.pass_by(1)
    await _model(registry, caller, "v1")
    clock.pass_by(1)
    await registry.versions.delete(caller, Kind.MODEL, "iris", "v1")

    async with registry.database.read() as connection:
        _, found = await events.list_events(
            connection, events.EventFilter(organization=caller.organization.uid), oldest_first=True
        )
    assert [(event.operation_name, event.resource_type, event.resource_name) for event in found] == [
        ("created", "model_repository", "iris"),
        ("created", "model", "iris:v1"),
        ("deleted", "model", "iris:v1"),
    ]


async def test_bentos_without_an_image_come_a_few_at_a_time(
    registry: Registry, caller: Caller, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(versions, "_MOST_UNSEEN", 2)
    await registry.repositories.create(caller, Kind.BENTO, "iris")
    for number in range(3):
        new = NewVersion(version=f"v{number}", build_at=float(number), manifest="{}")
        await registry.versions.create(caller, Kind.BENTO, "iris", new)

    first = await registry.versions.with_unknown_images(caller)
    for each in first:
        await registry.versions.set_image_build_status(each, None, is_syncing=True)
    then = await registry.versions.with_unknown_images(caller)

    assert [[each.version for each in some] for some in (first, then)] == [["v2", "v1"], ["v0"]]
