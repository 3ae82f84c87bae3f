"""What dialects see of the store."""

from pathlib import Path

import pytest

from fairlead.control.api.kinds import CONFIG_MAP, SECRET
from fairlead.control.store import Store
from fairlead.control.world import StoredWorld

pytestmark = pytest.mark.anyio


async def test_objects_are_found_by_kind_and_never_secrets(tmp_path: Path) -> None:
    store = await Store.open(tmp_path / "state.db")
    try:
        for kind in (SECRET, CONFIG_MAP):
            metadata = {"name": "one", "namespace": "default"}
            await store.create(kind, {"apiVersion": "v1", "kind": kind.kind, "metadata": metadata})
        world = StoredWorld(store, [SECRET, CONFIG_MAP])

        found = world.get("ConfigMap", "default", "one")
        assert found is not None
        assert found["metadata"]["name"] == "one"
        assert [one["metadata"]["name"] for one in world.list("ConfigMap", "default")] == ["one"]
        assert world.list("ConfigMap", "other") == []
        assert world.get("ConfigMap", "default", "two") is None
        assert world.get("Secret", "default", "one") is None
        assert world.list("Secret") == ()
    finally:
        await store.close()
