"""Clients that note when each request was sent, how long its answer took, what it said, and whatever went wrong."""

import http.client
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import urlsplit

ROW = json.dumps({"instances": [[5.1, 3.5, 1.4, 0.2]]}).encode()
_JSON = {"Content-Type": "application/json"}
_PATIENCE_S = 60.0


class Sample(NamedTuple):
    """One request. `at_s` counts from the clients' start; `said` is the first prediction; `failure` is empty when the
    answer was a prediction."""

    service: str
    at_s: float
    took_ms: float
    said: int
    failure: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Crowd:
    """So many connections to one service, each with a pause between an answer and the next request."""

    service: str
    path: str
    connections: int
    pause_s: float = 0.0


class Clients:
    """Starts its connections together and keeps what they note."""

    def __init__(self, url: str, crowds: list[Crowd]) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "", parts.port
        self._over = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=(crowd,)) for crowd in crowds for _ in range(crowd.connections)
        ]
        self._barrier = threading.Barrier(len(self._threads) + 1)
        self.samples: list[Sample] = []
        """Appending is atomic, so nobody waits for anybody."""
        self.began = 0.0

    def start(self) -> None:
        """Send the first requests, on connections that are made already."""
        for thread in self._threads:
            thread.start()
        self.began = time.perf_counter()
        self._barrier.wait()
        self.began = time.perf_counter()

    def now_s(self) -> float:
        """Seconds since the start."""
        return time.perf_counter() - self.began

    def stop(self) -> None:
        """Let every request be answered."""
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _run(self, crowd: Crowd) -> None:
        connection = self._connect()
        self._barrier.wait()
        while not self._over.is_set():
            sent = time.perf_counter()
            said, failure = _ask(connection, crowd.path)
            took_ms = (time.perf_counter() - sent) * 1000
            self.samples.append(Sample(crowd.service, max(0.0, sent - self.began), took_ms, said, failure))
            if failure:
                connection.close()
                connection = self._connect()
            self._over.wait(crowd.pause_s)
        connection.close()

    def _connect(self) -> http.client.HTTPConnection:
        connection = http.client.HTTPConnection(self._host, self._port, timeout=_PATIENCE_S)
        connection.connect()
        return connection


@contextmanager
def asking(url: str, *crowds: Crowd) -> Iterator[Clients]:
    """Ask while the block runs."""
    clients = Clients(url, list(crowds))
    clients.start()
    try:
        yield clients
    finally:
        clients.stop()


def predict_path(service: str) -> str:
    """Where a service of the default namespace answers KServe's first protocol, whatever the Host header says."""
    return f"/serving/default/{service}/v1/models/{service}:predict"


def _ask(connection: http.client.HTTPConnection, path: str) -> tuple[int, str]:
    try:
        connection.request("POST", path, ROW, _JSON)
        answer = connection.getresponse()
        body = answer.read()
    except (OSError, http.client.HTTPException) as error:
        return -1, f"{type(error).__name__}: {error}"
    if answer.status != 200:
        return -1, f"{answer.status} {body[:300].decode(errors='replace')}"
    return int(json.loads(body)["predictions"][0]), ""
