"""Asks a program whether it serves yet: a TCP connection, then any HTTP answer that is no server error."""

import asyncio
from contextlib import suppress

_FIRST_WAIT_S = 0.02
_LONGEST_WAIT_S = 0.5


async def until_answers(address: str, *, is_http: bool, timeout_s: float = 2.0) -> None:
    """Return when `address` (`host:port`) serves. Goes on for ever; the caller bounds it."""
    wait_s = _FIRST_WAIT_S
    while not await answers(address, is_http=is_http, timeout_s=timeout_s):
        await asyncio.sleep(wait_s)
        wait_s = min(_LONGEST_WAIT_S, wait_s * 1.5)


async def answers(address: str, *, is_http: bool, timeout_s: float) -> bool:
    """Whether somebody serves there now.

    A listening socket alone proves little: a server may listen before its model is loaded, and the kernel accepts
    for it. So HTTP is asked for `/health/ping`; a status under 500 counts, whatever the path means to the program,
    and so does a peer that speaks but not HTTP. Silence does not.
    """
    host, _, port = address.rpartition(":")
    try:
        async with asyncio.timeout(timeout_s):
            reader, writer = await asyncio.open_connection(host, int(port))
            try:
                if not is_http:
                    return True
                writer.write(f"GET /health/ping HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n".encode())
                return _is_serving(await reader.readline())
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
