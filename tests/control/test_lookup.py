import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from fairlead.control.api.kinds import CLAIM, CONFIG_MAP, SECRET, SERVICE_ACCOUNT
from fairlead.control.lookup import StoreLookup
from fairlead.control.store import Store
from fairlead.errors import Forbidden

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

KINDS = {kind.plural: kind for kind in (SECRET, CONFIG_MAP, SERVICE_ACCOUNT, CLAIM)}


@asynccontextmanager
async def looking(folder: Path, *, roots: tuple[Path, ...] = ()) -> AsyncIterator[StoreLookup]:
    store = await Store.open(folder / "state.db")
    try:
        yield StoreLookup(store=store, kinds=KINDS, claims=folder / "claims", allowed_roots=roots)
    finally:
        await store.close()


def document(kind: str, name: str, *, annotations: dict[str, str] | None = None, **content: Any) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "default", "annotations": annotations or {}}
    return {"apiVersion": "v1", "kind": kind, "metadata": metadata, **content}


async def test_a_secret_comes_decoded_with_its_annotations(tmp_path: Path) -> None:
    async with looking(tmp_path) as lookup:
        data = {"token": base64.b64encode(b"\x00secret").decode()}
        await lookup.store.create(SECRET, document("Secret", "s", annotations={"a": "b"}, data=data))

        found = await lookup.secret("default", "s")

        assert found is not None
        assert (found.values, found.annotations) == ({"token": b"\x00secret"}, {"a": "b"})


async def test_what_is_not_there_is_none(tmp_path: Path) -> None:
    async with looking(tmp_path) as lookup:
        assert await lookup.secret("default", "s") is None
        assert await lookup.config_map("default", "c") is None
        assert await lookup.service_account_secrets("default", "a") is None
        assert await lookup.claim_folder("default", "p") is None


async def test_another_namespace_cannot_name_a_secret(tmp_path: Path) -> None:
    async with looking(tmp_path) as lookup:
        await lookup.store.create(SECRET, document("Secret", "s", data={}))

        assert await lookup.secret("fairlead-system", "s") is None


async def test_a_service_account_lists_its_secrets(tmp_path: Path) -> None:
    async with looking(tmp_path) as lookup:
        await lookup.store.create(SERVICE_ACCOUNT, document("ServiceAccount", "a", secrets=[{"name": "s"}]))

        assert await lookup.service_account_secrets("default", "a") == ("s",)


async def test_a_claim_is_a_folder_of_the_home_unless_it_names_one(tmp_path: Path) -> None:
    async with looking(tmp_path) as lookup:
        await lookup.store.create(CLAIM, document("PersistentVolumeClaim", "p", spec={}))
        named = document("PersistentVolumeClaim", "q", annotations={"fairlead.dev/path": "/srv/models"}, spec={})
        await lookup.store.create(CLAIM, named)

        assert await lookup.claim_folder("default", "p") == tmp_path / "claims" / "default" / "p"
        assert (tmp_path / "claims" / "default" / "p").is_dir()
        assert await lookup.claim_folder("default", "q") == Path("/srv/models")


async def test_a_claim_may_not_name_a_folder_outside_the_allowed_roots(tmp_path: Path) -> None:
    async with looking(tmp_path, roots=(tmp_path / "models",)) as lookup:
        for name, path in (("in", tmp_path / "models" / "x"), ("out", tmp_path / "models" / ".." / "etc")):
            named = document("PersistentVolumeClaim", name, annotations={"fairlead.dev/path": str(path)}, spec={})
            await lookup.store.create(CLAIM, named)

        assert await lookup.claim_folder("default", "in") == tmp_path / "models" / "x"
        with pytest.raises(Forbidden, match=r"storage\.allowed_roots"):
            await lookup.claim_folder("default", "out")
