"""Free TCP ports on the loopback, for programs that have to be told theirs before they start."""

import socket
from collections import deque

LOOPBACK = "127.0.0.1"


class Ports:
    """Gives ports nobody listens on. A port given out is not given again for a long while: its program may not
    have bound it yet. Somebody else may still take it first; then the program fails and is started with another."""

    def __init__(self, *, remembered: int = 2000) -> None:
        self._recent: deque[int] = deque(maxlen=remembered)

    def take(self) -> int:
        """One port."""
        while True:
            with socket.socket() as probe:
                probe.bind((LOOPBACK, 0))
                port: int = probe.getsockname()[1]
            if port not in self._recent:
                self._recent.append(port)
                return port
