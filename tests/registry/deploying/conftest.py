"""A registry with a cluster, a fake place and three bentos."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from support.deployments import OLD_MANIFEST, Scene, scene


@pytest.fixture
async def at(migrated_file: Path, tmp_path: Path) -> AsyncIterator[Scene]:
    path = tmp_path / "registry.db"
    shutil.copyfile(migrated_file, path)
    async with scene(tmp_path, database=f"sqlite:///{path}") as found:
        await found.add_bento("iris:v1")
        await found.add_bento("iris:v2")
        await found.add_bento("old:v1", OLD_MANIFEST)
        yield found
