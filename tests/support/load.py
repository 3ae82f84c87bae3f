"""A steady load from a few threads, each on a keep-alive connection, that remembers every answer."""

import contextlib
import http.client
import json
import threading
import urllib.parse
from collections import Counter
from collections.abc import Iterator
from typing import Any


class Load:
    """Sends the same document again and again until stopped."""

    def __init__(self, url: str, document: Any) -> None:
        self._parts = urllib.parse.urlsplit(url)
        self._body = json.dumps(document).encode()
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self.answers: Counter[int] = Counter()
        self.failures: list[str] = []
        self.bodies: Counter[bytes] = Counter()

    @property
    def count(self) -> int:
        """How many requests were answered so far."""
        return sum(self.answers.values())

    def run(self) -> None:
        """One thread's work."""
        connection: http.client.HTTPConnection | None = None
        while not self._stopping.is_set():
            connection = connection or http.client.HTTPConnection(
                self._parts.hostname or "", self._parts.port, timeout=60
            )
            try:
                connection.request("POST", self._parts.path, self._body, {"Content-Type": "application/json"})
                answer = connection.getresponse()
                body = answer.read()
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                connection = None
                self._failed(f"{type(error).__name__}: {error}")
                continue
            with self._lock:
                self.answers[answer.status] += 1
                self.bodies[body] += 1
        if connection is not None:
            connection.close()

    def stop(self) -> None:
        self._stopping.set()

    def _failed(self, what: str) -> None:
        with self._lock:
            self.failures.append(what)


@contextlib.contextmanager
def load(url: str, document: Any, *, threads: int = 4) -> Iterator[Load]:
    """Load while the block runs."""
    running = Load(url, document)
    workers = [threading.Thread(target=running.run) for _ in range(threads)]
    for worker in workers:
        worker.start()
    try:
        yield running
    finally:
        running.stop()
        for worker in workers:
            worker.join()
