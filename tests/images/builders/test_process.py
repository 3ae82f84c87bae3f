"""Programs are followed line by line and leave nothing behind."""

import asyncio
import os
import select

import pytest

from fairlead.images.builders.process import Program
from fairlead.images.failures import NoBuilder

ENV = {"PATH": os.environ["PATH"]}


def test_lines_of_both_streams_come_in_their_order() -> None:
    lines: list[str] = []

    code = asyncio.run(Program(env=ENV).run(["sh", "-c", "echo one; echo two >&2; printf three; exit 7"], lines.append))

    assert (code, lines) == (7, ["one", "two", "three"])


def test_secrets_passwords_in_urls_and_colours_are_not_shown() -> None:
    program = Program(env=ENV, secrets=("hush-hush",))
    lines: list[str] = []

    said = r"printf '\033[31mred\033[0m hush-hush https://me:word@index.example/simple\n'"
    asyncio.run(program.run(["sh", "-c", said], lines.append))

    assert lines == ["red *** https://***@index.example/simple"]


def test_a_line_that_redraws_itself_counts_once_and_an_endless_one_is_cut() -> None:
    lines: list[str] = []

    asyncio.run(
        Program(env=ENV).run(["sh", "-c", r"printf '1%%\r50%%\rdone\r\n'; head -c 40000 /dev/zero"], lines.append)
    )

    assert lines[0] == "done"
    assert max(map(len, lines)) <= 16 * 1024


def test_a_program_that_is_not_there_is_named() -> None:
    with pytest.raises(NoBuilder, match="no-such-builder"):
        asyncio.run(Program(env=ENV).run(["no-such-builder"], print))


@pytest.mark.parametrize("trap", ["", "trap '' TERM; "], ids=["asked", "made"])
def test_cancelling_ends_the_program_and_its_children(trap: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fairlead.images.builders.process._GRACE_S", 0.1)
    pids: list[int] = []
    begun = asyncio.Event()

    def heard(line: str) -> None:
        pids.append(int(line))
        if len(pids) == 2:
            begun.set()

    async def scene() -> None:
        script = f"{trap}sleep 600 & echo $!; echo $$; wait; wait"
        task = asyncio.create_task(Program(env=ENV).run(["sh", "-c", script], heard))
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(scene())

    assert [pid for pid in pids if not _has_ended(pid)] == []


def _has_ended(pid: int) -> bool:
    """Whether it has died, or is about to by the signal it was sent: signals take their time to be delivered."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([descriptor], [], [], 10.0)[0])
    finally:
        os.close(descriptor)
