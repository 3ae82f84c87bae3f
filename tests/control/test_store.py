"""The store: Kubernetes' rules about versions, deletion and watching, on a real file."""

import asyncio
from pathlib import Path

import anyio
import pytest

from fairlead.control.api.kinds import CONFIG_MAP, EVENT, POD
from fairlead.control.deletion import Propagation
from fairlead.control.selectors import Selector, parse_labels
from fairlead.control.store import NAMESPACE, Store, WatchEvent
from fairlead.errors import AlreadyExists, Conflict, Forbidden, Gone, NotFound
from support.objects import Clock, config_map, namespace, opened_store, owner_of
from support.serving_api import SDEP, sdep

pytestmark = pytest.mark.anyio


async def taken(store: Store, count: int, **options: object) -> list[WatchEvent]:
    """The first events of a watch of config maps."""
    events: list[WatchEvent] = []
    with anyio.fail_after(5):
        async for event in store.watch(CONFIG_MAP, **options):  # type: ignore[arg-type]  # keyword pass-through
            events.append(event)
            if len(events) == count:
                break
    return events


async def test_a_new_object_gets_what_the_server_adds(tmp_path: Path) -> None:
    async with opened_store(tmp_path) as store:
        created = await store.create(SDEP, {**sdep("iris"), "status": {"state": "Lies"}})

        metadata = created["metadata"]
        assert metadata["creationTimestamp"] == "2026-01-01T00:00:00Z"
        assert metadata["generation"] == 1
        assert int(metadata["resourceVersion"]) == store.revision
        assert metadata["uid"]
        assert "status" not in created
        assert await store.get(SDEP, "default", "iris") == created


async def test_everything_is_there_after_a_restart_and_versions_go_on(tmp_path: Path) -> None:
    async with opened_store(tmp_path) as store:
        created = await store.create(SDEP, sdep("iris"))

    async with opened_store(tmp_path) as store:
        assert await store.get(SDEP, "default", "iris") == created
        changed = await store.update_status(SDEP, "default", "iris", {"state": "Available"})
        assert int(changed["metadata"]["resourceVersion"]) > int(created["metadata"]["resourceVersion"])


async def test_a_change_of_the_spec_counts_a_generation_and_of_anything_else_does_not(tmp_path: Path) -> None:
    async with opened_store(tmp_path) as store:
        created = await store.create(SDEP, sdep("iris"))
        labelled = await store.update(SDEP, {**created, "metadata": {**created["metadata"], "labels": {"a": "b"}}})
        status = await store.update_status(SDEP, "default", "iris", {"state": "Creating"})
        changed = await store.update(SDEP, {**status, "spec": {**status["spec"], "replicas": 3}})

        assert [d["metadata"]["generation"] for d in (created, labelled, status, changed)] == [1, 1, 1, 2]
        assert changed["status"] == {"state": "Creating"}


async def test_a_write_that_changes_nothing_keeps_the_version(tmp_path: Path) -> None:
    async with opened_store(tmp_path) as store:
        await store.create(SDEP, sdep("iris"))
        first = await store.update_status(SDEP, "default", "iris", {"state": "Available"})

        again = await store.update_status(SDEP, "default", "iris", {"state": "Available"})

        assert again == first
        assert store.revision == int(first["metadata"]["resourceVersion"])


async def test_an_update_from_an_old_version_is_a_conflict(tmp_path: Path) -> None:
    async with opened_store(tmp_path) as store:
        old = await store.create(CONFIG_MAP, config_map("a"))
        await store.update(CONFIG_MAP, {**old, "data": {"key": "other"}})

        with pytest.raises(Conflict, match="the object has been modified; please apply your changes"):
            await store.update(CONFIG_MAP, {**old, "data": {"key": "third"}})


async def test_concurrent_edits_of_one_object_all_count(tmp_path: Path) -> None:
    async with opened_store(tmp_path) as store:
        await store.create(CONFIG_MAP, {**config_map("a"), "data": {"n": "0"}})

        def increment(old: dict[str, dict[str, str]]) -> dict[str, dict[str, str]]:
            return {**old, "data": {"n": str(int(old["data"]["n"]) + 1)}}

        await asyncio.gather(*(store.change(CONFIG_MAP, "default", "a", increment) for _ in range(50)))

        assert (await store.get(CONFIG_MAP, "default", "a"))["data"] == {"n": "50"}


async def test_a_name_is_taken_once_and_a_namespace_must_exist(tmp_path: Path) -> None:
    async with opened_store(tmp_path) as store:
        await store.create(CONFIG_MAP, config_map("a"))

        with pytest.raises(AlreadyExists, match='configmaps "a" already exists'):
            await store.create(CONFIG_MAP, config_map("a"))
        with pytest.raises(NotFound, match='namespaces "x" not found'):
            await store.create(CONFIG_MAP, config_map("a", "x"))


async def test_pages_together_are_the_whole_list(tmp_path: Path) -> None:
    async with opened_store(tmp_path) as store:
        names = [f"c{number:02}" for number in range(7)]
        await asyncio.gather(*(store.create(CONFIG_MAP, config_map(name)) for name in names))

        found, page, remaining = [], "", []
        while True:
            listing = await store.list(CONFIG_MAP, "default", limit=3, page=page)
            found += [item["metadata"]["name"] for item in listing.items]
            remaining.append(listing.remaining)
            page = listing.next_page
            if not page:
                break

        assert found == names
        assert remaining == [4, 1, 0]


async def test_a_watch_tells_changes_in_order_from_the_version_it_is_given(tmp_path: Path) -> None:
    async with opened_store(tmp_path) as store:
        since = store.revision
        created = await store.create(CONFIG_MAP, config_map("a"))
        await store.update(CONFIG_MAP, {**created, "data": {"key": "b"}})
        await store.delete(CONFIG_MAP, "default", "a")

        events = await taken(store, 3, since=since)

        assert [event.type for event in events] == ["ADDED", "MODIFIED", "DELETED"]
        versions = [int(event.object["metadata"]["resourceVersion"]) for event in events]
        assert versions == sorted(set(versions))
        assert events[2].object["data"] == {"key": "b"}


async def test_a_watch_without_a_version_starts_with_what_there_is(tmp_path: Path) -> None:
    async with opened_store(tmp_path) as store:
        await store.create(CONFIG_MAP, config_map("a"))

        events = await taken(store, 2)

        assert [event.type for event in events] == ["ADDED", "BOOKMARK"]
        assert events[1].revision == store.revision


async def test_a_watch_with_a_selector_sees_objects_come_and_go(tmp_path: Path) -> None:
    async with opened_store(tmp_path) as store:
        since = store.revision
        plain = await store.create(CONFIG_MAP, config_map("a"))
        marked = await store.update(CONFIG_MAP, {**plain, "metadata": {**plain["metadata"], "labels": {"x": "1"}}})
        edited = await store.update(CONFIG_MAP, {**marked, "data": {}})
        await store.update(CONFIG_MAP, {**edited, "metadata": {**edited["metadata"], "labels": {}}})

        events = await taken(store, 3, since=since, selector=Selector(parse_labels("x=1")))

        assert [event.type for event in events] == ["ADDED", "MODIFIED", "DELETED"]


async def test_a_watch_from_before_the_window_is_told_to_list_again(tmp_path: Path) -> None:
    async with opened_store(tmp_path) as store:
        await store.create(CONFIG_MAP, config_map("a"))

    async with opened_store(tmp_path) as store:
        with pytest.raises(Gone, match="too old resource version: 1"):
            await taken(store, 1, since=1)


async def test_watches_end_when_the_store_closes(tmp_path: Path) -> None:
    async with opened_store(tmp_path) as store:
        watching = asyncio.create_task(taken(store, 100))
        await store.create(CONFIG_MAP, config_map("a"))

    with anyio.fail_after(5):
        events = await watching

    assert [event.type for event in events][-1:] in (["ADDED"], ["BOOKMARK"])


async def test_an_object_with_finalizers_waits_for_them(tmp_path: Path) -> None:
    async with opened_store(tmp_path) as store:
        await store.create(CONFIG_MAP, config_map("a", finalizers=["example.com/clean"]))

        marked = await store.delete(CONFIG_MAP, "default", "a")
        kept = await store.get(CONFIG_MAP, "default", "a")
        freed = {**kept, "metadata": {k: v for k, v in kept["metadata"].items() if k != "finalizers"}}
        await store.update(CONFIG_MAP, freed)

        assert marked["metadata"]["deletionTimestamp"] == "2026-01-01T00:00:00Z"
        with pytest.raises(NotFound):
            await store.get(CONFIG_MAP, "default", "a")


@pytest.mark.parametrize("policy", [Propagation.BACKGROUND, Propagation.FOREGROUND])
async def test_dependents_go_with_their_last_owner(tmp_path: Path, policy: Propagation) -> None:
    async with opened_store(tmp_path) as store:
        first, second = [await store.create(CONFIG_MAP, config_map(name)) for name in ("one", "two")]
        await store.create(CONFIG_MAP, config_map("of-one", ownerReferences=[owner_of(first)]))
        await store.create(CONFIG_MAP, config_map("of-both", ownerReferences=[owner_of(first), owner_of(second)]))

        await store.delete(CONFIG_MAP, "default", "one", propagation=policy)

        left = [item["metadata"]["name"] for item in (await store.list(CONFIG_MAP)).items]
        assert left == ["of-both", "two"]


async def test_a_foreground_deletion_waits_for_dependents_with_finalizers(tmp_path: Path) -> None:
    async with opened_store(tmp_path) as store:
        owner = await store.create(CONFIG_MAP, config_map("owner"))
        references = [owner_of(owner)]
        await store.create(CONFIG_MAP, config_map("slow", ownerReferences=references, finalizers=["example.com/x"]))

        await store.delete(CONFIG_MAP, "default", "owner", propagation=Propagation.FOREGROUND)
        waiting = await store.get(CONFIG_MAP, "default", "owner")
        slow = await store.get(CONFIG_MAP, "default", "slow")
        del slow["metadata"]["finalizers"]
        await store.update(CONFIG_MAP, slow)

        assert waiting["metadata"]["finalizers"] == ["foregroundDeletion"]
        assert not (await store.list(CONFIG_MAP)).items


async def test_orphaned_dependents_stay_without_their_owner(tmp_path: Path) -> None:
    async with opened_store(tmp_path) as store:
        owner = await store.create(CONFIG_MAP, config_map("owner"))
        await store.create(CONFIG_MAP, config_map("child", ownerReferences=[owner_of(owner)]))

        await store.delete(CONFIG_MAP, "default", "owner", propagation=Propagation.ORPHAN)

        child = await store.get(CONFIG_MAP, "default", "child")
        assert "ownerReferences" not in child["metadata"]


async def test_a_namespace_takes_its_contents_along(tmp_path: Path) -> None:
    async with opened_store(tmp_path) as store:
        await store.create(NAMESPACE, namespace("team"))
        await store.create(CONFIG_MAP, config_map("a", "team"))
        await store.create(CONFIG_MAP, config_map("a"))

        await store.delete(NAMESPACE, "", "team")

        assert [item["metadata"]["namespace"] for item in (await store.list(CONFIG_MAP)).items] == ["default"]
        with pytest.raises(NotFound):
            await store.get(NAMESPACE, "", "team")


async def test_a_terminating_namespace_takes_nothing_new_and_goes_with_its_last_object(tmp_path: Path) -> None:
    async with opened_store(tmp_path) as store:
        await store.create(NAMESPACE, namespace("team"))
        await store.create(CONFIG_MAP, config_map("a", "team", finalizers=["example.com/x"]))

        await store.delete(NAMESPACE, "", "team")
        with pytest.raises(Forbidden, match="because it is being terminated"):
            await store.create(CONFIG_MAP, config_map("b", "team"))
        phase = (await store.get(NAMESPACE, "", "team"))["status"]["phase"]
        left = await store.get(CONFIG_MAP, "team", "a")
        del left["metadata"]["finalizers"]
        await store.update(CONFIG_MAP, left)

        assert phase == "Terminating"
        with pytest.raises(NotFound):
            await store.get(NAMESPACE, "", "team")


async def test_the_first_namespaces_are_there_to_stay(tmp_path: Path) -> None:
    async with opened_store(tmp_path) as store:
        names = [item["metadata"]["name"] for item in (await store.list(NAMESPACE)).items]

        assert names == ["default", "fairlead-system"]
        with pytest.raises(Forbidden, match="this namespace may not be deleted"):
            await store.delete(NAMESPACE, "", "default")


async def test_deletion_preconditions_are_kept(tmp_path: Path) -> None:
    async with opened_store(tmp_path) as store:
        await store.create(CONFIG_MAP, config_map("a"))

        with pytest.raises(Conflict, match="UID in precondition: other"):
            await store.delete(CONFIG_MAP, "default", "a", uid="other")


async def test_a_dry_run_changes_nothing(tmp_path: Path) -> None:
    async with opened_store(tmp_path) as store:
        kept = await store.create(CONFIG_MAP, config_map("kept"))
        before = store.revision

        await store.create(CONFIG_MAP, config_map("new"), dry_run=True)
        shown = await store.update(CONFIG_MAP, {**kept, "data": {}}, dry_run=True)
        await store.delete(CONFIG_MAP, "default", "kept", dry_run=True)

        assert shown["data"] == {}
        assert store.revision == before
        assert (await store.list(CONFIG_MAP)).items == [kept]


def pod(name: str, owner: dict[str, object], phase: str = "Running") -> dict[str, object]:
    metadata = {"name": name, "namespace": "default", "uid": f"uid-{name}", "ownerReferences": [owner]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "status": {"phase": phase}}


async def test_mirrored_objects_follow_their_source_and_tell_only_changes(tmp_path: Path) -> None:
    async with opened_store(tmp_path) as store:
        owner = await store.create(SDEP, sdep("iris"))
        reference, uid = owner_of(owner), owner["metadata"]["uid"]

        await store.mirror(POD, [pod("a", reference), pod("b", reference)], owner_uid=uid)
        before = store.revision
        await store.mirror(POD, [pod("b", reference)], owner_uid=uid)
        await store.mirror(POD, [pod("b", reference)], owner_uid=uid)

        assert [item["metadata"]["name"] for item in (await store.list(POD)).items] == ["b"]
        assert store.revision == before + 1


async def test_mirrored_objects_are_gone_after_a_restart_and_with_their_owner(tmp_path: Path) -> None:
    async with opened_store(tmp_path) as store:
        owner = await store.create(SDEP, sdep("iris"))
        await store.mirror(POD, [pod("a", owner_of(owner))], owner_uid=owner["metadata"]["uid"])
        await store.delete(SDEP, "default", "iris")
        gone = (await store.list(POD)).items
        owner = await store.create(SDEP, sdep("iris"))
        await store.mirror(POD, [pod("a", owner_of(owner))], owner_uid=owner["metadata"]["uid"])

    async with opened_store(tmp_path) as store:
        assert gone == []
        assert (await store.list(POD)).items == []


async def test_repeated_events_are_counted_once_stored(tmp_path: Path) -> None:
    clock = Clock()
    async with opened_store(tmp_path, clock) as store:
        involved = await store.create(SDEP, sdep("iris"))
        await store.record_event(involved, "Pulling", "downloading")
        clock.forward(minutes=5)
        await store.record_event(involved, "Pulling", "downloading")
        await store.record_event(involved, "Failed", "no such bucket", "Warning")

        events = (await store.list(EVENT, "default")).items

        by_reason = {event["reason"]: event for event in events}
        assert by_reason["Pulling"]["count"] == 2
        assert by_reason["Pulling"]["firstTimestamp"] == "2026-01-01T00:00:00Z"
        assert by_reason["Pulling"]["lastTimestamp"] == "2026-01-01T00:05:00Z"
        assert by_reason["Failed"]["type"] == "Warning"
        assert by_reason["Failed"]["involvedObject"]["uid"] == involved["metadata"]["uid"]


async def test_events_are_bounded_by_object_and_by_age(tmp_path: Path) -> None:
    clock = Clock()
    async with opened_store(tmp_path, clock) as store:
        noisy, quiet = [await store.create(SDEP, sdep(name)) for name in ("noisy", "quiet")]
        await store.record_event(quiet, "Once", "said once")
        for number in range(60):
            await store.record_event(noisy, "Again", f"message {number}")
        kept = [event["reason"] for event in (await store.list(EVENT)).items]
        clock.forward(hours=25)

    async with opened_store(tmp_path, clock) as store:
        await store.record_event(quiet, "Later", "a day after")
        later = [event["reason"] for event in (await store.list(EVENT)).items]

    assert kept.count("Again") == 50
    assert kept.count("Once") == 1
    assert later == ["Later"]
