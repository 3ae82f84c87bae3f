"""kill -9 at any moment: every write that was acknowledged is there afterwards."""

import asyncio
import signal
import sys
from pathlib import Path

import pytest

from fairlead.control.api.kinds import CONFIG_MAP
from support.objects import opened_store

pytestmark = pytest.mark.anyio

WRITER = """
import asyncio, os, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from support.objects import config_map
from fairlead.control.api.kinds import CONFIG_MAP
from fairlead.control.store import Store

async def write(store, lane):
    number = 0
    while True:
        name = f"{lane}-{number}"
        await store.create(CONFIG_MAP, config_map(name))
        os.write(1, f"created {name}\\n".encode())
        if number % 3 == 0:
            await store.delete(CONFIG_MAP, "default", name)
            os.write(1, f"deleted {name}\\n".encode())
        number += 1

async def main():
    store = await Store.open(Path(sys.argv[1]))
    await asyncio.gather(*(write(store, lane) for lane in "abcd"))

asyncio.run(main())
"""


@pytest.mark.slow
@pytest.mark.parametrize("acknowledged", [1, 40, 333])
async def test_a_killed_control_process_loses_no_acknowledged_write(tmp_path: Path, acknowledged: int) -> None:
    tests = Path(__file__).parents[1]
    writer = await asyncio.create_subprocess_exec(
        sys.executable, "-c", WRITER, tmp_path / "state.db", tests, stdout=asyncio.subprocess.PIPE
    )
    assert writer.stdout is not None
    lines = [await writer.stdout.readline() for _ in range(acknowledged)]
    writer.send_signal(signal.SIGKILL)
    lines += (await writer.stdout.read()).splitlines(keepends=True)
    await writer.wait()

    said = [line.decode().split() for line in lines if line.endswith(b"\n")]
    deleted = {name for verb, name in said if verb == "deleted"}
    created = {name for verb, name in said if verb == "created"}
    async with opened_store(tmp_path) as store:
        found = {item["metadata"]["name"] for item in (await store.list(CONFIG_MAP)).items}

    first_of_three = {name for name in created if int(name[2:]) % 3 == 0}
    assert created - first_of_three <= found
    assert not deleted & found
