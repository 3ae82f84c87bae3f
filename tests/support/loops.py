"""The event loops a server must work on: asyncio's own, and uvloop, which production uses."""

from typing import Any

BOTH_LOOPS: list[Any] = [("asyncio", {"use_uvloop": False}), ("asyncio", {"use_uvloop": True})]
LOOP_NAMES = ["asyncio", "uvloop"]
