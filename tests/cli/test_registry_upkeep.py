"""`fairlead registry backup`, `restore`, `check`, `collect` and `migrate`, beside a registry that is open."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from fairlead.cli.app import run
from fairlead.registry.service import Registry, RegistryConfig
from fairlead.registry.values import Kind, NewVersion
from support.registries import add_caller

pytestmark = pytest.mark.slow
Command = Callable[..., tuple[int, str]]


async def _content() -> AsyncIterator[bytes]:
    yield b"content"


async def _push(folder: Path) -> None:
    async with Registry.open(RegistryConfig.of_home(folder / "registry")) as registry:
        caller = await add_caller(registry)
        await registry.repositories.create(caller, Kind.MODEL, "iris")
        new = NewVersion(version="v1", build_at=1.0, manifest="{}")
        made = await registry.versions.create(caller, Kind.MODEL, "iris", new)
        await registry.uploads.receive(caller, made, _content())


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home whose registry has one model."""
    asyncio.run(_push(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def registry(home: Path, capsys: pytest.CaptureFixture[str]) -> Command:
    def command(*words: str | Path, at: Path = home) -> tuple[int, str]:
        code = run(["registry", *(str(word) for word in words), "--home", str(at)])
        said = capsys.readouterr()
        return code, (said.out + said.err).strip()

    return command


def test_a_backup_becomes_another_registry(registry: Command, tmp_path: Path) -> None:
    assert registry("backup", tmp_path / "backup")[0] == 0
    restored = registry("restore", tmp_path / "backup", at=tmp_path / "other")
    again = registry("restore", tmp_path / "backup", at=tmp_path / "other")

    assert restored[0] == 0
    assert "1 blobs" in restored[1]
    assert registry("check", at=tmp_path / "other") == (0, "everything is there")
    assert again[0] == 1
    assert "is not empty" in again[1]


def test_a_check_fails_for_what_is_damaged(registry: Command, home: Path) -> None:
    (stored,) = [path for path in (home / "registry" / "blobs").rglob("*") if path.is_file()]
    stored.write_bytes(b"CONTENT")

    quick, full = registry("check", "--quick"), registry("check")

    assert quick == (0, "everything is there")
    assert full[0] == 1
    assert "model iris:v1" in full[1]


def test_collecting_leaves_what_is_used(registry: Command) -> None:
    assert registry("collect") == (0, "removed 0 abandoned uploads and 0 blobs")
    assert registry("check")[0] == 0


def test_the_schema_goes_back_and_forth(registry: Command) -> None:
    back, forth = registry("migrate", "--to", "base"), registry("migrate")

    assert back[1].endswith("schema none, was 0001")
    assert forth[1].endswith("schema 0001, was none")
    assert registry("migrate")[1].endswith("schema 0001")


def test_what_is_no_backup_is_refused(registry: Command, tmp_path: Path) -> None:
    code, said = registry("restore", tmp_path, at=tmp_path / "other")

    assert code == 1
    assert "not a backup" in said
