"""Ending a connection so that its last answer arrives."""

import asyncio


def hang_up(transport: asyncio.Transport) -> None:
    """Send what is due and end. The client hangs up first where it can: closing with its bytes unread would reset the
    connection and could take the answer with it."""
    if not transport.can_write_eof():
        transport.close()
        return
    try:
        transport.write_eof()
    except OSError:  # it has reset the connection, and the event loop has not seen that yet
        transport.abort()
