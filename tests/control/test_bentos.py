"""Bentos through the loop: a request, what is found in its bento, the Bento that is stored, what is deployed of it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from fairlead.backends.base import Notice
from fairlead.control.kept_plans import KeptPlans
from fairlead.control.reconcile import Followed, Reconciler
from fairlead.control.store import NAMESPACE, Store
from fairlead.control.world import StoredWorld
from fairlead.dialects.base import Kind
from fairlead.dialects.bento import BentoDialect
from fairlead.dialects.catalog import Catalog
from fairlead.errors import AlreadyExists, NotFound
from fairlead.plan.model import Owner, Plan
from fairlead.plan.status import ModelState, PlanStatus
from support.bentos_stored import MODEL, TAG, bento, brought, condition, deployment, request

pytestmark = pytest.mark.anyio

DIALECT = BentoDialect("http://localhost:8080")
KINDS = {kind.kind: kind for kind in DIALECT.kinds}
POD = Kind(group="", versions=("v1",), kind="Pod", plural="pods", singular="pod", is_read_only=True)
SECRET = Kind(group="", versions=("v1",), kind="Secret", plural="secrets", singular="secret", has_status=False)


class RememberingBackend:
    """Runs nothing, and tells what a test puts into `news`."""

    def __init__(self) -> None:
        self.plans: dict[str, Plan] = {}
        self.settled = asyncio.Event()
        self.news: asyncio.Queue[PlanStatus | Notice] = asyncio.Queue()

    async def apply(self, plan: Plan) -> None:
        self.plans[f"{plan.owner.kind}/{plan.owner.name}"] = plan

    async def delete(self, owner: Owner) -> None:
        self.plans.pop(f"{owner.kind}/{owner.name}", None)

    async def settle(self) -> None:
        self.settled.set()

    async def refresh(self, namespace: str) -> None: ...

    async def observe(self) -> AsyncIterator[PlanStatus | Notice]:
        while True:
            yield await self.news.get()


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[tuple[Store, RememberingBackend]]:
    store, backend = await Store.open(folder / "state.db"), RememberingBackend()
    reconciler = Reconciler(
        store=store,
        world=StoredWorld(store, DIALECT.kinds),
        kept=KeptPlans(folder / "plans"),
        followed=[Followed(kind=kind, dialect=DIALECT) for kind in DIALECT.kinds],
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
        yield store, backend
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await store.close()


async def until(check: Callable[[], Awaitable[object]]) -> None:
    async with asyncio.timeout(10):
        while not await check():
            await asyncio.sleep(0.005)


async def found(store: Store, kind: str, name: str = "iris") -> dict[str, Any] | None:
    try:
        return await store.get(KINDS[kind], "models", name)
    except NotFound:
        return None


async def create(store: Store, doc: dict[str, Any]) -> dict[str, Any]:
    with suppress(AlreadyExists):
        await store.create(NAMESPACE, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "models"}})
    return await store.create(KINDS[doc["kind"]], DIALECT.default(doc))


async def test_a_request_becomes_a_bento_and_the_deployment_that_waits_for_it_runs(tmp_path: Path) -> None:
    (tmp_path / "plans").mkdir()
    async with running(tmp_path) as (store, backend):
        asked = await create(store, request())
        await create(store, deployment())

        async def waits() -> bool:
            status = (await found(store, "BentoDeployment") or {}).get("status")
            return condition(status or {"conditions": []}, "Available").get("reason") == "BentoNotReady"

        await until(waits)
        await backend.news.put(brought(asked, models=None))

        async def asks_for_models() -> bool:
            return [one.name for one in backend.plans["BentoRequest/iris"].prefetched] == [TAG, MODEL]

        await until(asks_for_models)
        await backend.news.put(brought(asked))

        async def is_deployed() -> bool:
            return "BentoDeployment/iris" in backend.plans

        await until(is_deployed)
        made = await found(store, "Bento")
        components = backend.plans["BentoDeployment/iris"].components

    assert made is not None
    assert made["metadata"]["ownerReferences"][0]["uid"] == asked["metadata"]["uid"]
    assert [str(one.name) for one in components] == ["api-server", "iris_clf"]


async def test_a_bento_survives_a_restart_and_goes_with_its_request(tmp_path: Path) -> None:
    (tmp_path / "plans").mkdir()
    async with running(tmp_path) as (store, backend):
        asked = await create(store, request())
        await backend.news.put(brought(asked))

        async def is_made() -> bool:
            return await found(store, "Bento") is not None

        await until(is_made)
    async with running(tmp_path) as (store, backend):
        await backend.news.put(brought(asked, ModelState.PENDING, facts=None, models=None))

        async def is_told() -> bool:
            status = (await found(store, "BentoRequest") or {})["status"]
            return bool(condition(status, "BentoAvailable")["status"] == "Unknown")

        await until(is_told)
        assert await found(store, "Bento") is not None
        await store.delete(KINDS["BentoRequest"], "models", "iris")

        async def is_gone() -> bool:
            return await found(store, "Bento") is None

        await until(is_gone)


async def test_a_bento_that_somebody_wrote_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "plans").mkdir()
    async with running(tmp_path) as (store, backend):
        await create(store, bento(image="registry.lan/mine:1"))
        asked = await create(store, request())
        await backend.news.put(brought(asked))

        async def is_told() -> bool:
            status = (await found(store, "BentoRequest") or {}).get("status")
            return condition(status or {"conditions": []}, "BentoAvailable").get("status") == "True"

        await until(is_told)
        mine = await found(store, "Bento")

    assert mine is not None
    assert mine["spec"]["image"] == "registry.lan/mine:1"


async def test_a_deployment_by_its_tag_brings_its_request(tmp_path: Path) -> None:
    (tmp_path / "plans").mkdir()
    async with running(tmp_path) as (store, backend):
        asked = await create(store, deployment(version="v1alpha2", bento_tag=TAG))

        async def is_asked() -> bool:
            return any(name.startswith("BentoRequest/") for name in backend.plans)

        await until(is_asked)
        made = await found(store, "BentoRequest", asked["spec"]["bento"])

    assert made is not None
    assert made["spec"] == {"bentoTag": TAG}
