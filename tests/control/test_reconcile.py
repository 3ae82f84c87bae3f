"""The loop with a real store, a dialect of two lines and a back-end that only remembers."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from fairlead.backends.base import Notice
from fairlead.control.kept_plans import KeptPlans
from fairlead.control.reconcile import Followed, Reconciler
from fairlead.control.store import Store
from fairlead.control.world import StoredWorld
from fairlead.dialects.base import ALONE, Document, Happened, Kind, World
from fairlead.dialects.catalog import Catalog
from fairlead.errors import FairleadError, InvalidManifest, Problem, Where
from fairlead.plan.model import Owner, Plan
from fairlead.plan.status import PlanStatus

pytestmark = pytest.mark.anyio

THING = Kind(group="example.dev", versions=("v1",), kind="Thing", plural="things", singular="thing")
POD = Kind(group="", versions=("v1",), kind="Pod", plural="pods", singular="pod", is_read_only=True)
SECRET = Kind(group="", versions=("v1",), kind="Secret", plural="secrets", singular="secret", has_status=False)
PART = Kind(group="example.dev", versions=("v1",), kind="Part", plural="parts", singular="part", is_planned=False)
GROUPING = Kind(
    group="example.dev", versions=("v1",), kind="Grouping", plural="groupings", singular="grouping", reads=("Part",)
)
NOTE = Kind(
    group="example.dev",
    versions=("v1",),
    kind="Note",
    plural="notes",
    singular="note",
    is_planned=False,
    is_read_only=True,
)
EVENT = Kind(group="", versions=("v1",), kind="Event", plural="events", singular="event", has_status=False)


class OneLineDialect:
    kinds: tuple[Kind, ...] = (THING,)

    def prune(self, doc: Document) -> dict[str, Any]:
        return dict(doc)

    def seeds(self) -> Sequence[Document]:
        return ()

    def default(self, doc: Document, *, world: World = ALONE) -> dict[str, Any]:
        return dict(doc)

    def records(self, doc: Document, *, catalog: Catalog, world: World = ALONE) -> Sequence[Document]:
        return ()

    def validate(
        self, doc: Document, *, catalog: Catalog, old: Document | None = None, world: World = ALONE
    ) -> None: ...

    def lower(self, doc: Document, *, catalog: Catalog, world: World = ALONE) -> Plan:
        if doc["spec"].get("bad"):
            raise InvalidManifest([Problem(where=Where(path="spec.bad"), message="must not be set")])
        given = doc["metadata"]
        owner = Owner(
            api_version=doc["apiVersion"],
            kind=doc["kind"],
            namespace=given["namespace"],
            name=given["name"],
            uid=given["uid"],
            generation=given["generation"],
        )
        return Plan(owner=owner, components=(), routes=(), warnings=tuple(doc["spec"].get("warn", ())))

    def status(
        self, doc: Document, plan: Plan, observed: PlanStatus, *, now: str, world: World = ALONE
    ) -> dict[str, Any]:
        return {"state": "Available" if observed.routed else "Creating"}

    def failed_status(self, doc: Document, error: FairleadError, *, now: str, world: World = ALONE) -> dict[str, Any]:
        return {"state": "Failed", "description": str(error)}

    def derived_status(self, doc: Document, *, now: str, world: World = ALONE) -> dict[str, Any] | None:
        return None

    def events(self, doc: Document, status: Mapping[str, Any]) -> Sequence[Happened]:
        return ()

    def open_api(self, kind: Kind) -> dict[str, Any]:
        return {}


class GroupingDialect(OneLineDialect):
    """Lowers a grouping to warnings that name the parts of its namespace, keeps a note per generation, and gives notes
    a status."""

    kinds = (GROUPING, PART, NOTE)

    def records(self, doc: Document, *, catalog: Catalog, world: World = ALONE) -> Sequence[Document]:
        given, kept = doc["metadata"], doc["spec"].get("keep", 1)
        newest = given["generation"]
        return [
            {
                "apiVersion": "example.dev/v1",
                "kind": "Note",
                "metadata": {"name": f"{given['name']}-{number}", "namespace": given["namespace"]},
                "spec": {"number": number},
            }
            for number in range(max(1, newest - kept + 1), newest + 1)
        ]

    def lower(self, doc: Document, *, catalog: Catalog, world: World = ALONE) -> Plan:
        plan = super().lower(doc, catalog=catalog)
        parts = tuple(part["metadata"]["name"] for part in world.list("Part", plan.owner.namespace))
        return replace(plan, warnings=parts)

    def derived_status(self, doc: Document, *, now: str, world: World = ALONE) -> dict[str, Any] | None:
        if doc["kind"] != "Note":
            return None
        owner = doc["metadata"]["ownerReferences"][0]["name"]
        observed = world.observed("Grouping", doc["metadata"]["namespace"], owner)
        return {"ready": observed is not None and observed.routed}

    def events(self, doc: Document, status: Mapping[str, Any]) -> Sequence[Happened]:
        return [Happened(reason="Shown", message="it is")] if status["state"] == "Available" else ()


class YieldingDialect(OneLineDialect):
    """Lowers a thing so that it gives way to the one that it names, while that is there."""

    def lower(self, doc: Document, *, catalog: Catalog, world: World = ALONE) -> Plan:
        plan, first = super().lower(doc, catalog=catalog), doc["spec"].get("after", "")
        if world.get("Thing", plan.owner.namespace, first) is None:
            return plan
        return replace(plan, behind=(replace(plan.owner, api_version="", name=first, uid="", generation=0),))


class RememberingBackend:
    def __init__(self) -> None:
        self.applied: list[Plan] = []
        self.deleted: list[Owner] = []
        self.refreshed: list[str] = []
        self.settled = asyncio.Event()
        self.news: asyncio.Queue[PlanStatus | Notice] = asyncio.Queue()

    async def apply(self, plan: Plan) -> None:
        self.applied.append(plan)

    async def delete(self, owner: Owner) -> None:
        self.deleted.append(owner)

    async def settle(self) -> None:
        self.settled.set()

    async def refresh(self, namespace: str) -> None:
        self.refreshed.append(namespace)

    async def observe(self) -> AsyncIterator[PlanStatus | Notice]:
        while True:
            yield await self.news.get()


def thing(name: str, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "example.dev/v1",
        "kind": "Thing",
        "metadata": {"name": name, "namespace": "default"},
        "spec": spec,
    }


@asynccontextmanager
async def running(
    store: Store, dialect: OneLineDialect | None = None, *, plans: Path | None = None
) -> AsyncIterator[RememberingBackend]:
    backend, dialect = RememberingBackend(), dialect or OneLineDialect()
    scratch = tempfile.TemporaryDirectory()
    reconciler = Reconciler(
        store=store,
        world=StoredWorld(store, dialect.kinds),
        kept=KeptPlans(plans or Path(scratch.name)),
        followed=[Followed(kind=kind, dialect=dialect) for kind in dialect.kinds],
        backend=backend,
        catalog=Catalog(),
        references=(SECRET,),
        pod_kind=POD,
        node="here",
        clock=lambda: "2026-01-01T00:00:00Z",
    )
    task = asyncio.create_task(reconciler.run())
    try:
        await asyncio.wait_for(backend.settled.wait(), 10)
        yield backend
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        scratch.cleanup()


@asynccontextmanager
async def open_store(folder: Path) -> AsyncIterator[Store]:
    store = await Store.open(folder / "state.db")
    try:
        yield store
    finally:
        await store.close()


async def until(check: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(10):
        while not await check():
            await asyncio.sleep(0.005)


async def state(store: Store, name: str) -> dict[str, Any]:
    return (await store.get(THING, "default", name)).get("status") or {}


async def test_what_exists_at_the_start_is_applied_before_strangers_are_stopped(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        await store.create(THING, thing("old"))
        async with running(store) as backend:
            assert [plan.owner.name for plan in backend.applied] == ["old"]


async def test_a_change_of_the_manifest_is_applied_and_a_change_of_status_is_not(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store, running(store) as backend:
        created = await store.create(THING, thing("a"))
        await store.update_status(THING, "default", "a", {"state": "Creating"})
        await store.update(THING, {**created, "spec": {"x": 1}, "metadata": {"name": "a", "namespace": "default"}})

        async def has_both() -> bool:
            return len(backend.applied) == 2

        await until(has_both)
        assert [plan.owner.generation for plan in backend.applied] == [1, 2]


async def test_a_deleted_manifest_is_deleted_from_the_back_end(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store, running(store) as backend:
        await store.create(THING, thing("a"))
        await store.delete(THING, "default", "a")

        async def is_deleted() -> bool:
            return [owner.name for owner in backend.deleted] == ["a"]

        await until(is_deleted)


async def test_a_manifest_that_is_made_anew_under_its_name_is_applied_anew(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store, running(store) as backend:
        for number in range(3):
            created = await store.create(THING, thing("a", x=number))
            await store.update_status(THING, "default", "a", {"state": "Creating"})
            if number < 2:
                await store.delete(THING, "default", "a")

        async def is_applied() -> bool:
            return bool(backend.applied) and backend.applied[-1].owner.uid == created["metadata"]["uid"]

        await until(is_applied)
        deleted = [owner.uid for owner in backend.deleted]
        assert [plan.owner.uid for plan in backend.applied] == [*deleted, created["metadata"]["uid"]]


@pytest.mark.slow
async def test_many_manifests_at_once_are_all_applied_and_told_of(tmp_path: Path) -> None:
    names = {f"thing-{number}" for number in range(200)}
    async with open_store(tmp_path) as store, running(store) as backend:
        await asyncio.gather(*(store.create(THING, thing(name)) for name in names))

        async def are_applied() -> bool:
            return {plan.owner.name for plan in backend.applied} == names

        await until(are_applied)
        for plan in backend.applied:
            for is_routed in (False, True):
                await backend.news.put(PlanStatus(owner=plan.owner, components=(), routed=is_routed))

        async def are_available() -> bool:
            things = (await store.list(THING)).items
            return [thing.get("status", {}).get("state") for thing in things] == ["Available"] * len(names)

        await until(are_available)


async def test_a_manifest_that_cannot_be_lowered_fails_alone_and_says_why(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store, running(store) as backend:
        await store.create(THING, thing("bad", bad=True))
        await store.create(THING, thing("good"))

        async def good_is_applied() -> bool:
            return [plan.owner.name for plan in backend.applied] == ["good"]

        async def is_told() -> bool:
            events = (await store.list(EVENT)).items
            return [(event["reason"], event["type"]) for event in events] == [("Invalid", "Warning")]

        await until(good_is_applied)
        await until(is_told)
        assert await state(store, "bad") == {"state": "Failed", "description": "spec.bad: must not be set"}


async def test_what_the_back_end_reports_becomes_the_status(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store, running(store) as backend:
        await store.create(THING, thing("a"))

        async def is_applied() -> bool:
            return bool(backend.applied)

        await until(is_applied)
        await backend.news.put(PlanStatus(owner=backend.applied[0].owner, components=(), routed=True))

        async def is_available() -> bool:
            return await state(store, "a") == {"state": "Available"}

        await until(is_available)


async def test_a_notice_and_a_warning_become_events(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store, running(store) as backend:
        await store.create(THING, thing("a", warn=["securityContext means nothing here"]))

        async def is_applied() -> bool:
            return bool(backend.applied)

        await until(is_applied)
        await backend.news.put(Notice(owner=backend.applied[0].owner, reason="Downloading", message="s3://models/a"))

        async def are_noted() -> bool:
            found = {(event["reason"], event["type"]) for event in (await store.list(EVENT)).items}
            return found == {("NotUsed", "Warning"), ("Downloading", "Normal")}

        await until(are_noted)


async def test_a_refused_change_keeps_its_failure_while_the_old_revision_reports(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store, running(store) as backend:
        created = await store.create(THING, thing("a"))

        async def is_applied() -> bool:
            return bool(backend.applied)

        await until(is_applied)
        await store.update(THING, {**created, "spec": {"bad": True}, "metadata": {"name": "a", "namespace": "default"}})

        async def has_failed() -> bool:
            return (await state(store, "a")).get("state") == "Failed"

        await until(has_failed)
        await backend.news.put(PlanStatus(owner=backend.applied[0].owner, components=(), routed=True))
        await backend.news.put(Notice(owner=backend.applied[0].owner, reason="Seen", message="after the status"))

        async def is_noted() -> bool:
            return any(event["reason"] == "Seen" for event in (await store.list(EVENT)).items)

        await until(is_noted)
        assert (await state(store, "a"))["state"] == "Failed"


async def test_a_status_is_never_that_of_another_version_of_the_manifest(tmp_path: Path) -> None:
    """Else the step back that a manifest asks for would be taken from where the version before had got."""

    class Witness(OneLineDialect):
        seen: list[tuple[int, int]] = []  # noqa: RUF012

        def status(
            self, doc: Document, plan: Plan, observed: PlanStatus, *, now: str, world: World = ALONE
        ) -> dict[str, Any]:
            self.seen.append((doc["metadata"]["generation"], plan.owner.generation))
            return {"generation": plan.owner.generation}

    witness = Witness()
    async with open_store(tmp_path) as store, running(store, witness) as backend:
        await store.create(THING, thing("a"))

        async def is_applied(generation: int) -> bool:
            return bool(backend.applied) and backend.applied[-1].owner.generation == generation

        await until(partial(is_applied, 1))
        for number in range(2, 22):
            await store.update(THING, thing("a", number=number))
            await backend.news.put(PlanStatus(owner=backend.applied[-1].owner, components=(), routed=True))
            await until(partial(is_applied, number))
        await backend.news.put(PlanStatus(owner=backend.applied[-1].owner, components=(), routed=True))

        async def is_told() -> bool:
            return await state(store, "a") == {"generation": 21}

        await until(is_told)
        assert [pair for pair in witness.seen if pair[0] > pair[1]] == []


async def test_a_secret_that_appears_is_tried_at_once(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store, running(store) as backend:
        await store.create(
            SECRET, {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s3", "namespace": "default"}}
        )

        async def is_refreshed() -> bool:
            return backend.refreshed == ["default"]

        await until(is_refreshed)


def grouping(**spec: Any) -> dict[str, Any]:
    return thing("g", **spec) | {"kind": "Grouping"}


def part(name: str, namespace: str = "default") -> dict[str, Any]:
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "example.dev/v1", "kind": "Part", "metadata": metadata, "spec": {}}


async def test_what_refers_to_an_object_is_looked_at_again_when_that_changes(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store, running(store, GroupingDialect()) as backend:
        await store.create(GROUPING, grouping())
        await store.create(PART, part("wheel"))

        async def is_seen() -> bool:
            return [plan.warnings for plan in backend.applied][-1:] == [("wheel",)]

        await until(is_seen)
        await store.delete(PART, "default", "wheel")

        async def is_missed() -> bool:
            return backend.applied[-1].warnings == ()

        await until(is_missed)


class CountingDialect(GroupingDialect):
    """Its plans are the same whatever parts there are; its statuses count them. A part named `bad` cannot be."""

    def lower(self, doc: Document, *, catalog: Catalog, world: World = ALONE) -> Plan:
        if world.get("Part", "default", "bad") is not None:
            raise FairleadError("a bad part")
        return OneLineDialect().lower(doc, catalog=catalog)

    def status(
        self, doc: Document, plan: Plan, observed: PlanStatus, *, now: str, world: World = ALONE
    ) -> dict[str, Any]:
        return {"state": "Creating", "parts": len(world.list("Part", "default"))}


async def test_a_status_that_follows_from_others_is_told_again_when_they_change(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store, running(store, CountingDialect()) as backend:
        await store.create(GROUPING, grouping())

        async def told() -> dict[str, Any]:
            return (await store.get(GROUPING, "default", "g")).get("status") or {}

        async def is_applied() -> bool:
            return bool(backend.applied)

        async def counts(number: int) -> bool:
            return (await told()).get("parts") == number

        await until(is_applied)
        backend.news.put_nowait(PlanStatus(owner=backend.applied[0].owner, components=(), routed=True))
        await until(lambda: counts(0))
        await store.create(PART, part("wheel"))
        await until(lambda: counts(1))
        await store.create(PART, part("bad"))

        async def is_refused() -> bool:
            return (await told()).get("description") == "a bad part"

        await until(is_refused)
        await store.delete(PART, "default", "bad")
        await until(lambda: counts(1))

        assert len(backend.applied) == 1


async def test_an_object_elsewhere_and_one_that_did_not_change_make_nobody_look(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store, running(store, GroupingDialect()) as backend:
        await store.create(GROUPING, grouping())
        created = await store.create(PART, part("wheel", "fairlead-system"))
        await store.update_status(PART, "fairlead-system", "wheel", {"round": True})
        await store.update(
            PART, {**created, "spec": {"x": 1}, "metadata": dict(part("wheel", "fairlead-system")["metadata"])}
        )
        await store.create(PART, part("axle"))

        async def is_seen() -> bool:
            return [plan.warnings for plan in backend.applied][-1:] == [("axle",)]

        await until(is_seen)
        assert len(backend.applied) <= 2


async def test_records_are_kept_beside_their_owner_and_go_when_it_no_longer_names_them(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store, running(store, GroupingDialect()):
        created = await store.create(GROUPING, grouping(keep=1))

        async def names() -> list[str]:
            return [note["metadata"]["name"] for note in (await store.list(NOTE)).items]

        async def is_first() -> bool:
            return await names() == ["g-1"]

        await until(is_first)
        note = await store.get(NOTE, "default", "g-1")
        assert note["metadata"]["ownerReferences"][0]["uid"] == created["metadata"]["uid"]
        await store.update(GROUPING, {**grouping(keep=1, x=2)})

        async def is_second() -> bool:
            return await names() == ["g-2"]

        await until(is_second)
        await store.delete(GROUPING, "default", "g")

        async def is_gone() -> bool:
            return await names() == []

        await until(is_gone)


async def test_the_status_of_a_record_follows_from_its_owners_plan_and_events_from_a_change(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store, running(store, GroupingDialect()) as backend:
        await store.create(GROUPING, grouping())

        async def is_applied() -> bool:
            return bool(backend.applied)

        await until(is_applied)
        await backend.news.put(PlanStatus(owner=backend.applied[0].owner, components=(), routed=True))

        async def is_told() -> bool:
            note = await store.get(NOTE, "default", "g-1")
            reasons = {event["reason"] for event in (await store.list(EVENT)).items}
            return note.get("status") == {"ready": True} and "Shown" in reasons

        await until(is_told)


async def test_what_gave_way_to_another_is_looked_at_again_when_that_goes(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store, running(store, YieldingDialect()) as backend:
        await store.create(THING, thing("first"))
        await store.create(THING, thing("second", after="first"))

        async def is_behind() -> bool:
            return any(plan.behind for plan in backend.applied)

        await until(is_behind)
        await store.delete(THING, "default", "first")

        async def is_let_in() -> bool:
            return backend.applied[-1].owner.name == "second" and not backend.applied[-1].behind

        await until(is_let_in)


async def test_a_manifest_that_was_changed_for_the_worse_runs_on_as_before_after_a_restart(tmp_path: Path) -> None:
    plans = tmp_path / "plans"
    async with open_store(tmp_path) as store:
        created = await store.create(THING, thing("a"))
        async with running(store, plans=plans):
            pass
        await store.update(THING, {**created, "spec": {"bad": True}, "metadata": {"name": "a", "namespace": "default"}})
        async with running(store, plans=plans) as backend:
            assert [(plan.owner.name, plan.owner.generation) for plan in backend.applied] == [("a", 1)]
            assert (await state(store, "a"))["state"] == "Failed"


async def test_the_plan_of_an_object_that_is_gone_is_not_that_of_the_next_of_its_name(tmp_path: Path) -> None:
    plans = tmp_path / "plans"
    async with open_store(tmp_path) as store:
        await store.create(THING, thing("a"))
        await store.create(THING, thing("b"))
        async with running(store, plans=plans):
            pass
        for name in "ab":
            await store.delete(THING, "default", name)
        await store.create(THING, thing("a", bad=True))
        async with running(store, plans=plans) as backend:
            assert backend.applied == []

        assert list(plans.glob("*/*/b.json")) == []
