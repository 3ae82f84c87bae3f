import asyncio
import os
from pathlib import Path

import pytest

from fairlead.backends.local.logs import LogFile, LogLine, LogPump, prune_logs, read_log

pytestmark = pytest.mark.anyio
NOON = 1_700_000_000.25


async def _lines(path: Path, **options: object) -> list[LogLine]:
    return [line async for line in read_log(path, **options)]  # type: ignore[arg-type]  # options by name


async def test_each_line_carries_the_time_it_arrived(tmp_path: Path) -> None:
    path = tmp_path / "ns" / "replica.log"
    log = LogFile(path)
    log.write(b"hello", now=NOON)
    log.write(b"from beside", now=NOON, source="transformer")
    log.close()

    assert path.read_bytes() == (
        b"2023-11-14T22:13:20.250000Z hello\n2023-11-14T22:13:20.250000Z [transformer] from beside\n"
    )
    assert (await _lines(path))[0].timestamp() == NOON
    assert path.stat().st_mode & 0o777 == 0o600


async def test_a_full_file_is_rotated_and_the_oldest_dropped(tmp_path: Path) -> None:
    path = tmp_path / "replica.log"
    log = LogFile(path, max_bytes=100, keep=3)
    for number in range(20):
        log.write(b"line %02d" % number, now=NOON)
    log.close()

    assert sorted(file.name for file in tmp_path.iterdir()) == ["replica.log", "replica.log.1", "replica.log.2"]
    texts = [line.text for line in await _lines(path)]
    assert texts == [b"line %02d" % number for number in range(20 - len(texts), 20)]
    assert all(file.stat().st_size <= 100 for file in tmp_path.iterdir())


async def test_the_last_lines_and_the_recent_lines(tmp_path: Path) -> None:
    path = tmp_path / "replica.log"
    log = LogFile(path)
    for number in range(10):
        log.write(b"%d" % number, now=NOON + number)
    log.close()

    assert [line.text for line in await _lines(path, tail_lines=2)] == [b"8", b"9"]
    assert [line.text for line in await _lines(path, since=NOON + 7)] == [b"7", b"8", b"9"]
    assert await _lines(path, tail_lines=0) == []


async def test_following_sees_new_lines_across_a_rotation_and_ends_with_the_replica(tmp_path: Path) -> None:
    path = tmp_path / "replica.log"
    log = LogFile(path, max_bytes=90, keep=5)
    log.write(b"0", now=NOON)
    log.flush()
    finished = asyncio.Event()
    seen = []
    async for line in read_log(path, follow=True, is_finished=finished.is_set, poll_s=0.0):
        seen.append(line.text)
        if len(seen) < 10:
            log.write(b"%d" % len(seen), now=NOON)
            log.flush()
        else:
            finished.set()

    assert seen == [b"%d" % number for number in range(10)]
    log.close()


async def test_a_log_that_does_not_exist_has_no_lines(tmp_path: Path) -> None:
    assert await _lines(tmp_path / "none.log") == []


async def test_a_pump_splits_what_arrives_into_lines(tmp_path: Path) -> None:
    path = tmp_path / "replica.log"
    log = LogFile(path)
    pump = LogPump(log, clock=lambda: NOON)
    os.write(pump.writing, b"one\r\ntwo\nValueError: no\n\nhalf")
    pump.started()
    await pump.finished
    log.close()

    assert [line.text for line in await _lines(path)] == [b"one", b"two", b"ValueError: no", b"", b"half"]
    assert pump.words.last == "half"
    pump.close()


async def test_a_line_without_end_is_cut(tmp_path: Path) -> None:
    path = tmp_path / "replica.log"
    log = LogFile(path)
    pump = LogPump(log, clock=lambda: NOON)
    writing = asyncio.create_task(asyncio.to_thread(_write_all, pump.writing, b"x" * 100_000))
    await writing
    pump.started()
    await pump.finished
    log.close()

    lines = [line.text for line in await _lines(path)]
    assert b"".join(lines) == b"x" * 100_000
    assert max(map(len, lines)) == 16 * 1024
    pump.close()


async def test_closing_a_pump_keeps_what_has_arrived_although_somebody_still_writes(tmp_path: Path) -> None:
    path = tmp_path / "replica.log"
    log = LogFile(path)
    pump = LogPump(log, clock=lambda: NOON)
    grandchild = os.dup(pump.writing)
    os.write(grandchild, b"last words\n")
    pump.close()
    os.close(grandchild)
    log.close()

    assert [line.text for line in await _lines(path)] == [b"last words"]


async def test_a_full_disk_costs_lines_and_says_how_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "replica.log"
    log = LogFile(path)
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", _no_space)
        log.write(b"lost", now=NOON)
        log.flush()
    log.write(b"kept", now=NOON)
    log.close()

    assert [line.text for line in await _lines(path)] == [b"fairlead: 1 lines were lost: no space for them", b"kept"]


async def test_logs_of_replicas_that_are_gone_are_pruned_oldest_first(tmp_path: Path) -> None:
    (tmp_path / "ns").mkdir()
    for age, name in enumerate(["alive", "new", "old"]):
        for suffix in (".log", ".log.1"):
            path = tmp_path / "ns" / f"{name}{suffix}"
            path.write_text("x")
            os.utime(path, (1000 - age, 1000 - age))
    (tmp_path / "control.log").write_text("ours")
    prune_logs(tmp_path, living={"alive"}, keep=1)

    left = sorted(path.name for path in (tmp_path / "ns").iterdir())
    assert left == ["alive.log", "alive.log.1", "new.log", "new.log.1"]
    assert (tmp_path / "control.log").exists()


def _write_all(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


def _no_space(descriptor: int, data: bytes) -> int:
    raise OSError(28, "No space left on device")
