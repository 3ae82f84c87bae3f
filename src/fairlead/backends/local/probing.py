"""Asks a program whether it serves yet: a TCP connection, then any HTTP answer that is no server error, or success at
the path where it tells. And whether it still lives, where it tells that too."""

import asyncio
from contextlib import suppress

_FIRST_WAIT_S = 0.02
_LONGEST_WAIT_S = 0.5
_ANY = "/health/ping"
_LIVES_EVERY_S, _LIVES_WITHIN_S, _LIVES_MISSED = 10.0, 20.0, 6
"""Yatai's: asked every ten seconds, with twenty for the answer, and given up after six without one."""


async def until_answers(address: str, *, is_http: bool, ready_path: str = "", timeout_s: float = 2.0) -> None:
    """Return when `address` (`host:port`) serves. Goes on for ever; the caller bounds it."""
    wait_s = _FIRST_WAIT_S
    while not await answers(address, is_http=is_http, ready_path=ready_path, timeout_s=timeout_s):
        await asyncio.sleep(wait_s)
        wait_s = min(_LONGEST_WAIT_S, wait_s * 1.5)


async def until_silent(
    address: str,
    path: str,
    *,
    every_s: float = _LIVES_EVERY_S,
    within_s: float = _LIVES_WITHIN_S,
    missed: int = _LIVES_MISSED,
) -> None:
    """Return when a program that served has not told with success that it lives, so often in a row."""
    silent = 0
    while silent < missed:
        await asyncio.sleep(every_s)
        lives = await answers(address, is_http=True, ready_path=path, timeout_s=within_s)
        silent = 0 if lives else silent + 1


async def answers(address: str, *, is_http: bool, timeout_s: float, ready_path: str = "") -> bool:
    """Whether somebody serves there now.

    A listening socket alone proves little: a server may listen before its model is loaded, and the kernel accepts
    for it. So HTTP is asked for `/health/ping`; a status under 500 counts, whatever the path means to the program,
    and so does a peer that speaks but not HTTP. Silence does not. Of a `ready_path` only success counts.
    """
    host, _, port = address.rpartition(":")
    try:
        async with asyncio.timeout(timeout_s):
            reader, writer = await asyncio.open_connection(host, int(port))
            try:
                if not is_http:
                    return True
                path = ready_path or _ANY
                writer.write(f"GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n".encode())
                line = await reader.readline()
                return _is_success(line) if ready_path else _is_serving(line)
            finally:
                writer.close()
                with suppress(OSError):
                    await writer.wait_closed()
    except (OSError, TimeoutError, ValueError):
        return False


def _is_serving(line: bytes) -> bool:
    if not line.startswith(b"HTTP/1."):
        return bool(line)
    code = line[9:12]
    return code.isdigit() and int(code) < 500


def _is_success(line: bytes) -> bool:
    return line.startswith(b"HTTP/1.") and line[9:10] == b"2"
