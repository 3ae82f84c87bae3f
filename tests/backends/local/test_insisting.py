"""What is tried until it works: how often, how long between, and what is said meanwhile."""

import errno

import pytest

from fairlead.backends.local.insisting import insist
from fairlead.backends.local.preparing import PreparationFailed
from fairlead.plan.status import Cause

pytestmark = pytest.mark.anyio


async def tried(*failures: Exception) -> tuple[list[str], list[float]]:
    """The reasons that were told and the waits, until an attempt does not fail."""
    left, told, waits = list(failures), list[str](), list[float]()

    async def attempt() -> None:
        if left:
            raise left.pop(0)

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    await insist(attempt, unit="m", failed=lambda cause: told.append(cause.reason), sleep=sleep)
    return told, waits


def away(*, is_reference: bool) -> PreparationFailed:
    cause = Cause(unit="m", reason="StorageUnavailable", message="away")
    return PreparationFailed(cause, may_pass=True, is_reference=is_reference)


async def test_what_works_at_once_says_nothing() -> None:
    assert await tried() == ([], [])


async def test_waits_grow_until_it_works() -> None:
    told, waits = await tried(*(away(is_reference=False) for _ in range(4)))

    assert told == ["StorageUnavailable"] * 4
    assert waits == [1, 2, 4, 8]


async def test_what_is_not_there_yet_is_looked_for_more_often() -> None:
    _, waits = await tried(*(away(is_reference=True) for _ in range(6)))

    assert waits[-1] == 10


async def test_a_full_disk_is_told_and_tried_again() -> None:
    told, waits = await tried(OSError(errno.ENOSPC, "No space left on device"))

    assert (told, waits) == (["DiskError"], [1])
