"""A whole Fairlead in a home of its own, and the calls that a benchmark makes on its API and its data port."""

import contextlib
import http.client
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from bench.servers import descendants

DEPLOYMENTS = "/apis/machinelearning.seldon.io/v1/namespaces/default/seldondeployments"
_FAIRLEAD = [sys.executable, "-m", "fairlead.cli.app"]


class Client:
    """One connection that is kept."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)

    def call(self, method: str, path: str, document: Any = None, *, content_type: str = "application/json") -> int:
        """The status of the answer, whose body is dropped."""
        return self._ask(method, path, document, content_type)[0]

    def read(self, path: str) -> Any:
        """The JSON at a path."""
        status, body = self._ask("GET", path, None, "")
        if status != 200:
            raise SystemExit(f"bench: GET {path}: {status} {body[:300]!r}")
        return json.loads(body)

    def must(self, method: str, path: str, document: Any, *, content_type: str = "application/json") -> None:
        """A call that may not be refused."""
        status, body = self._ask(method, path, document, content_type)
        if status >= 300:
            raise SystemExit(f"bench: {method} {path}: {status} {body[:300]!r}")

    def close(self) -> None:
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ask(self, method: str, path: str, document: Any, content_type: str) -> tuple[int, bytes]:
        body = None if document is None else json.dumps(document)
        for is_last in (False, True):
            try:
                self._connection.request(
                    method, path, body=body, headers={"Content-Type": content_type} if body else {}
                )
                answer = self._connection.getresponse()
                return answer.status, answer.read()
            except (ConnectionError, http.client.RemoteDisconnected):
                # The server closes a connection that was quiet for some seconds.
                self._connection.close()
                if is_last:
                    raise
        raise AssertionError("the second attempt answers or raises")


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """A Fairlead that runs."""

    url: str
    control_url: str
    pid: int

    def pss_by_process(self) -> dict[str, float]:
        """KiB of memory by what the process is, shared pages divided among those that share them."""
        found: dict[str, float] = {}
        for pid in descendants(self.pid):
            with contextlib.suppress(OSError):
                name = _name(pid)
                found[name] = found.get(name, 0.0) + _pss_kib(pid)
        return found


@contextlib.contextmanager
def installation(home: Path, *, config: str = "") -> Iterator[Installation]:
    """Start one on free ports, and stop it afterwards. `config` is its `config.toml`."""
    if config:
        home.mkdir(parents=True, exist_ok=True)
        (home / "config.toml").write_text(config)
    options = ["--home", str(home), "--port", "0", "--grpc-port", "0", "--control-port", "0"]
    said = subprocess.run(
        [*_FAIRLEAD, "up", "--detach", "-o", "json", *options], check=True, capture_output=True, text=True
    )
    running = json.loads(said.stdout)
    try:
        yield Installation(url=running["url"], control_url=running["controlUrl"], pid=running["pid"])
    finally:
        subprocess.run([*_FAIRLEAD, "down", "--home", str(home)], check=False, capture_output=True)


def sklearn_deployment(name: str, model: Path, *, replicas: int) -> dict[str, Any]:
    """A manifest with one scikit-learn model."""
    graph = {"name": "classifier", "implementation": "SKLEARN_SERVER", "modelUri": model.as_uri()}
    return {
        "apiVersion": "machinelearning.seldon.io/v1",
        "kind": "SeldonDeployment",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"replicas": replicas, "predictors": [{"name": "default", "graph": graph}]},
    }


def _name(pid: int) -> str:
    words = Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
    module = words[words.index("-m") + 1] if "-m" in words else Path(words[0]).name
    return module.rpartition(".")[2]


def _pss_kib(pid: int) -> float:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith("Pss:"))
