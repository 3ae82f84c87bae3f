import asyncio
import os
from pathlib import Path

import pytest

from fairlead.backends.local.container_runner import Engine

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("is_cancelled", [True, False])
async def test_a_command_nobody_waits_for_any_more_is_ended(tmp_path: Path, is_cancelled: bool) -> None:
    told = tmp_path / "pid"
    os.mkfifo(told)
    patience = 30.0 if is_cancelled else 0.5
    calling = asyncio.create_task(Engine("sh").call("-c", f"echo $$ > {told}; exec sleep 60", timeout_s=patience))
    pid = int(await asyncio.to_thread(told.read_text))

    if is_cancelled:
        calling.cancel()
        with pytest.raises(asyncio.CancelledError):
            await calling
    else:
        assert await calling == (124, "sh -c did not answer within 0.5 seconds")

    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
