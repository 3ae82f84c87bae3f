"""A whole Fairlead for a test: `fairlead up` in a home of its own on ports of its own, stopped with all it started."""

import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

# What runtimes set for themselves in the process that loads them, which may be the tests' own.
_NOT_OURS = frozenset(("HF_HUB_OFFLINE", "HF_HUB_DISABLE_TELEMETRY", "TOKENIZERS_PARALLELISM"))
FAIRLEAD = Path(sys.executable).parent / "fairlead"
SDEPS = "/apis/machinelearning.seldon.io/v1/namespaces/{namespace}/seldondeployments"


def _surroundings() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in _NOT_OURS}


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


def call(url: str, method: str = "GET", body: bytes | None = None, headers: Mapping[str, str] | None = None) -> Answer:
    """One request on a connection of its own."""
    parts = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)
    try:
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        connection.request(method, path, body=body, headers=dict(headers or {}))
        answer = connection.getresponse()
        return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
    finally:
        connection.close()


def until(check: Callable[[], bool], *, timeout_s: float = 60, what: str = "") -> None:
    """Wait for something that happens in another process, looking often."""
    deadline = time.monotonic() + timeout_s
    ready = threading.Event()
    while not check():
        if time.monotonic() > deadline:
            raise AssertionError(f"{what or check} did not happen within {timeout_s} s")
        ready.wait(0.02)


@dataclass(slots=True)
class Installation:
    """A running Fairlead."""

    home: Path
    url: str
    control_url: str
    pid: int
    env: dict[str, str] = field(default_factory=dict)

    def run(self, *arguments: str, stdin: str | None = None, check: bool = True) -> "subprocess.CompletedProcess[str]":
        """A `fairlead` command against it."""
        done = subprocess.run(
            [str(FAIRLEAD), *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=100,
            env={**_surroundings(), **self.env, "FAIRLEAD_HOME": str(self.home)},
        )
        if check and done.returncode:
            raise AssertionError(f"fairlead {' '.join(arguments)}: {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done

    def api(self, path: str, method: str = "GET", document: Any = None, content_type: str = "application/json") -> Any:
        """A request to the API; raises on refusal."""
        answer = self.api_answer(path, method, document, content_type)
        if answer.status >= 300:
            raise AssertionError(f"{method} {path}: {answer.status} {answer.body.decode()}")
        return answer.json()

    def api_answer(
        self, path: str, method: str = "GET", document: Any = None, content_type: str = "application/json"
    ) -> Answer:
        """A request to the API, refused or not."""
        body = None if document is None else json.dumps(document).encode()
        return call(self.control_url + path, method, body, {"Content-Type": content_type})

    def apply(self, document: Mapping[str, Any]) -> None:
        """Create a SeldonDeployment or replace its spec."""
        name, namespace = document["metadata"]["name"], document["metadata"].get("namespace", "default")
        path = SDEPS.format(namespace=namespace)
        if self.api_answer(f"{path}/{name}").status == 404:
            self.api(path, "POST", document)
        else:
            self.api(f"{path}/{name}", "PATCH", document, "application/merge-patch+json")

    def scale(self, name: str, replicas: int, *, namespace: str = "default") -> None:
        """Set `spec.replicas`."""
        path = f"{SDEPS.format(namespace=namespace)}/{name}/scale"
        self.api(path, "PATCH", {"spec": {"replicas": replicas}}, "application/merge-patch+json")

    def delete(self, name: str, *, namespace: str = "default") -> None:
        """Delete a SeldonDeployment."""
        self.api(f"{SDEPS.format(namespace=namespace)}/{name}", "DELETE")

    def get(self, name: str, *, namespace: str = "default") -> dict[str, Any]:
        """A SeldonDeployment as stored."""
        found: dict[str, Any] = self.api(f"{SDEPS.format(namespace=namespace)}/{name}")
        return found

    def status(self, name: str, *, namespace: str = "default") -> dict[str, Any]:
        """Its status; empty while there is none."""
        return self.get(name, namespace=namespace).get("status") or {}

    def wait_for(
        self, name: str, state: str = "Available", *, namespace: str = "default", timeout_s: float = 60
    ) -> None:
        """Until the SeldonDeployment's newest manifest is in that state; a failure nobody asked for says why."""

        def reached() -> bool:
            found = self.get(name, namespace=namespace)
            status = found.get("status") or {}
            if state != "Failed" and status.get("state") == "Failed":
                raise AssertionError(f"{name} has failed: {status.get('description')}")
            is_current = status.get("observedGeneration", 0) in (0, found["metadata"]["generation"])
            return bool(status.get("state") == state and is_current)

        until(reached, timeout_s=timeout_s, what=f"{name} {state}")

    def pods(self, name: str, *, namespace: str = "default") -> list[dict[str, Any]]:
        """The pods of a SeldonDeployment."""
        found = self.api(f"/api/v1/namespaces/{namespace}/pods")["items"]
        return [pod for pod in found if pod["metadata"]["labels"].get("fairlead.dev/service") == name]

    def predict(self, name: str, document: Any, *, namespace: str = "default", path: str = "predictions") -> Answer:
        """A Seldon request through the gateway."""
        url = f"{self.url}/seldon/{namespace}/{name}/api/v1.0/{path}"
        return call(url, "POST", json.dumps(document).encode(), {"Content-Type": "application/json"})

    def descendants(self) -> dict[int, str]:
        """Every process of it with its command line."""
        return {pid: _command(pid) for pid in _tree(self.pid)}

    def process(self, words: str) -> int:
        """The pid of the one process whose command line holds these words."""
        (found,) = [pid for pid, command in self.descendants().items() if words in command]
        return found

    def worker_pids(self, name: str, *, namespace: str = "default") -> list[int]:
        """The process of each replica."""
        found = [
            pod["metadata"]["annotations"].get("fairlead.dev/pid", "0") for pod in self.pods(name, namespace=namespace)
        ]
        return [int(pid) for pid in found if int(pid)]


def _tree(pid: int) -> list[int]:
    found = [pid]
    for parent in found:
        for task in Path(f"/proc/{parent}/task").glob("*/children"):
            with contextlib.suppress(OSError):
                found += [int(child) for child in task.read_text().split()]
    return found


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""


def lives(pid: int) -> bool:
    """Whether a process exists and is not a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@contextlib.contextmanager
def installation(home: Path, *, config: str = "", env: Mapping[str, str] | None = None) -> Iterator[Installation]:
    """Start one, give it, and stop it; what is left of it after that fails the test."""
    home.mkdir(parents=True, exist_ok=True)
    if config:
        (home / "config.toml").write_text(config)
    started = start(home, env=env)
    try:
        yield started
    finally:
        stop(started)


def start(home: Path, *, env: Mapping[str, str] | None = None) -> Installation:
    """`fairlead up --detach` on free ports."""
    argv = [str(FAIRLEAD), "up", "--home", str(home), "--port", "0", "--grpc-port", "0", "--control-port", "0"]
    done = subprocess.run(
        [*argv, "--detach", "-o", "json"],
        capture_output=True,
        text=True,
        timeout=90,
        env={**_surroundings(), **(env or {})},
    )
    if done.returncode:
        raise AssertionError(f"fairlead up: {done.returncode}\n{done.stdout}\n{done.stderr}")
    found = json.loads(done.stdout)
    return Installation(
        home=home, url=found["url"], control_url=found["controlUrl"], pid=found["pid"], env=dict(env or {})
    )


def stop(running: Installation) -> None:
    """Ask it to stop and see that nothing of it is left."""
    processes = list(running.descendants())
    with contextlib.suppress(ProcessLookupError):
        os.kill(running.pid, signal.SIGTERM)
    try:
        until(lambda: not any(lives(pid) for pid in processes), timeout_s=40, what="the end of every process")
    finally:
        for pid in processes:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
