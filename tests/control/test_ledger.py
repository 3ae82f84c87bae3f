"""Group commit: what is read is on disk, and a commit that fails takes everything that builds on it along."""

from collections.abc import Sequence
from pathlib import Path

import anyio
import pytest

from fairlead.control.db import Database, ObjectKey
from fairlead.control.ledger import Ledger
from fairlead.errors import Retryable

pytestmark = pytest.mark.anyio


class Recorder(Database):
    """A database that counts its commits and fails when told."""

    commits: int
    is_full: bool

    async def write(
        self,
        puts: Sequence[tuple[ObjectKey, bytes]],
        deletes: Sequence[ObjectKey],
        numbers: Sequence[tuple[str, int]] = (),
    ) -> None:
        if self.is_full:
            raise Retryable("state.db: cannot write: database or disk is full")
        self.commits += 1
        await super().write(puts, deletes, numbers)


async def opened(path: Path) -> tuple[Ledger, Recorder]:
    database = await Recorder.open(path)
    database.commits, database.is_full = 0, False
    ledger = Ledger(database)
    await ledger.open()
    return ledger, database


def stage(ledger: Ledger, name: str, **fields: str) -> ObjectKey:
    key = ObjectKey("", "configmaps", "default", name)
    ledger.stage(key, {"metadata": {"uid": name}, **fields})
    return key


async def test_concurrent_writes_share_a_commit(tmp_path: Path) -> None:
    ledger, database = await opened(tmp_path / "state.db")

    async def write(name: str) -> None:
        stage(ledger, name)
        await ledger.settled()

    async with anyio.create_task_group() as tasks:
        for number in range(200):
            tasks.start_soon(write, str(number))

    assert len(ledger.committed("", "configmaps")) == 200
    assert database.commits < 10
    await ledger.close()


async def test_readers_do_not_see_what_is_not_on_disk_but_the_next_change_does(tmp_path: Path) -> None:
    ledger, _ = await opened(tmp_path / "state.db")

    key = stage(ledger, "a")

    assert ledger.current(key) is not None
    assert not ledger.committed("", "configmaps")
    await ledger.settled()
    assert ledger.committed("", "configmaps")
    await ledger.close()


async def test_a_failed_commit_is_told_to_everybody_and_leaves_the_state_before_it(tmp_path: Path) -> None:
    ledger, database = await opened(tmp_path / "state.db")
    key = stage(ledger, "a", text="before")
    await ledger.settled()
    database.is_full = True
    failures = []

    async def write(text: str) -> None:
        stage(ledger, "a", text=text)
        try:
            await ledger.settled()
        except Retryable as error:
            failures.append(str(error))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(write, "one")
        tasks.start_soon(write, "two")

    assert failures == ["state.db: cannot write: database or disk is full"] * 2
    record = ledger.current(key)
    assert record is not None
    assert b"before" in record.body
    database.is_full = False
    stage(ledger, "a", text="after")
    await ledger.settled()
    await ledger.close()


async def test_revisions_are_never_handed_out_twice_even_when_the_object_was_not_kept(tmp_path: Path) -> None:
    ledger, _ = await opened(tmp_path / "state.db")
    ledger.stage(ObjectKey("", "pods", "default", "p"), {"metadata": {"uid": "p"}}, is_volatile=True)
    await ledger.settled()
    seen = ledger.revision
    await ledger.close()

    ledger, _ = await opened(tmp_path / "state.db")

    assert ledger.revision >= seen
    assert not ledger.committed("", "pods")
    await ledger.close()
