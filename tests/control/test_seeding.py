"""Seeds with a real store."""

from pathlib import Path
from typing import Any

import pytest

from fairlead.control.api.kinds import CONFIG_MAP
from fairlead.control.seeding import seed
from fairlead.control.store import NAMESPACE, Store
from fairlead.control.world import StoredWorld
from fairlead.dialects.base import Document
from fairlead.dialects.seldon import SeldonDialect

pytestmark = pytest.mark.anyio


class WithSettings(SeldonDialect):
    def seeds(self) -> list[Document]:
        metadata = {"name": "settings", "namespace": "elsewhere"}
        return [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"colour": "green"}}]


async def seeded(store: Store) -> dict[str, Any]:
    await seed(store, [WithSettings()], StoredWorld(store, [CONFIG_MAP]))
    return await store.get(CONFIG_MAP, "elsewhere", "settings")


async def test_what_is_missing_is_made_with_its_namespace(tmp_path: Path) -> None:
    store = await Store.open(tmp_path / "state.db")
    try:
        assert (await seeded(store))["data"] == {"colour": "green"}
        assert (await store.get(NAMESPACE, "", "elsewhere"))["status"] == {"phase": "Active"}
    finally:
        await store.close()


async def test_what_somebody_changed_stays_so_through_a_restart(tmp_path: Path) -> None:
    store = await Store.open(tmp_path / "state.db")
    await seeded(store)
    changed = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings", "namespace": "elsewhere"}}
    await store.update(CONFIG_MAP, {**changed, "data": {"colour": "red"}})
    await store.close()

    store = await Store.open(tmp_path / "state.db")
    try:
        assert (await seeded(store))["data"] == {"colour": "red"}
    finally:
        await store.close()
