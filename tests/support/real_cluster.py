"""A whole cluster that somebody has started and installed Fairlead in, for tests that look at pods and not at a double.

`python -m tools.cluster` makes one, `fairlead install` makes it ours. What a test makes lies in a namespace of its own,
and goes with it. Services are called by their cluster's addresses, so the machine of the test must be a node.
"""

import json
import os
import socket
import subprocess
import threading
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from fairlead.cli.kubeconfig import read
from support.kubectl import find_kubectl
from support.real_servers import WHOLE

IMAGE = "FAIRLEAD_TEST_IMAGE"
"""The image that the cluster's pods have at hand."""
PATIENCE_S = 150.0
_BETWEEN_S = 0.5
_FIXTURE = Path(__file__).parents[1] / "fixtures" / "pod_of_somebody.py"

Json = dict[str, Any]
T = TypeVar("T")


def lacks() -> str:
    """Why nothing can be tried; empty when it can."""
    if os.environ.get(WHOLE) and os.environ.get(IMAGE):
        return ""
    return f"not run: no cluster; python -m tools.cluster makes one ({WHOLE}, {IMAGE})"


class Refused(Exception):
    """What kubectl says of a command that the cluster refuses."""


def host() -> str:
    """This machine's address that pods reach: the API server's."""
    return str(urlsplit(read(Path(os.environ[WHOLE])).server).hostname)


def kubectl(*words: str, given: object = None) -> str:
    """What a command prints."""
    done = subprocess.run(
        [find_kubectl(), "--kubeconfig", os.environ[WHOLE], *words],
        input=None if given is None else json.dumps(given),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise Refused(done.stderr.strip())
    return done.stdout


def until(is_so: Callable[[], T], *, within_s: float = PATIENCE_S) -> T:
    """What `is_so` gives once it is true."""
    deadline, pause = time.monotonic() + within_s, threading.Event()
    while not (found := is_so()):
        assert time.monotonic() < deadline, f"not so after {within_s:.0f} s: {found!r}"
        pause.wait(_BETWEEN_S)
    return found


@dataclass(frozen=True)
class Namespace:
    """A namespace of a test."""

    name: str

    def apply(self, *docs: Json) -> None:
        """As `kubectl apply -f` does."""
        kubectl("apply", "-n", self.name, "-f", "-", given={"apiVersion": "v1", "kind": "List", "items": docs})

    def command(self, *words: str) -> str:
        """Any other command here."""
        return kubectl(*words, "-n", self.name)

    def find(self, kind: str, name: str) -> Json:
        """An object; empty when there is none."""
        found = self.command("get", kind, name, "-o", "json", "--ignore-not-found")
        return json.loads(found) if found else {}

    def names(self, kind: str) -> list[str]:
        """Of all objects of a kind."""
        return [one["metadata"]["name"] for one in json.loads(self.command("get", kind, "-o", "json"))["items"]]

    def status(self, kind: str, name: str) -> Json:
        """What an object tells."""
        found: Json = self.find(kind, name).get("status") or {}
        return found

    def ready(self, *names: str, kind: str = "isvc") -> None:
        """Wait until all of them are."""
        for name in names:
            self.until_condition(kind, name, "Ready", "True")

    def until_condition(self, kind: str, name: str, condition: str, status: str) -> Json:
        """Wait for a condition of the present generation; gives it."""

        def so() -> Json:
            doc = self.find(kind, name)
            told = doc.get("status") or {}
            is_current = told.get("observedGeneration") == (doc.get("metadata") or {}).get("generation")
            found = {one["type"]: one for one in told.get("conditions") or ()}.get(condition) or {}
            return found if is_current and found.get("status") == status else {}

        return until(so)

    def url(self, service: str) -> str:
        """Where a Service listens."""
        return f"http://{self.find('service', service)['spec']['clusterIP']}"

    def post(self, service: str, path: str, body: object) -> Any:
        """The answer to a request through a Service, once it listens: a node learns of new pods a moment later."""
        url = self.url(service)
        until(lambda: _listens(url), within_s=30)
        return post(url + path, body)

    def get(self, service: str) -> Any:
        """What a Service tells who asks nothing."""
        with urllib.request.urlopen(self.url(service), timeout=30) as answer:
            return json.load(answer)


def _listens(url: str) -> bool:
    try:
        socket.create_connection((urlsplit(url).hostname, 80), timeout=5).close()
    except OSError:
        return False
    return True


def post(url: str, body: object) -> Any:
    """JSON for JSON."""
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


@contextmanager
def namespace() -> Iterator[Namespace]:
    """A new one, with somebody's container in a ConfigMap; deleted at the end, which nobody waits for."""
    made = Namespace(f"fairlead-test-{uuid.uuid4().hex[:8]}")
    kubectl("create", "namespace", made.name)
    try:
        made.command("create", "configmap", "somebody", f"--from-file={_FIXTURE}")
        yield made
    finally:
        kubectl("delete", "namespace", made.name, "--wait=false")


def somebody(role: str, *flags: str, name: str = "kserve-container", port: int = 8080) -> Json:
    """A pod with a container of somebody's: of `tests/fixtures/pod_of_somebody.py`."""
    container = {
        "name": name,
        "image": os.environ[IMAGE],
        "imagePullPolicy": "IfNotPresent",
        "command": ["python3", f"/code/{_FIXTURE.name}", role],
        "args": list(flags),
        "ports": [{"containerPort": port, "protocol": "TCP"}],
        "resources": small(),
        "volumeMounts": [{"name": "code", "mountPath": "/code"}],
    }
    return {"containers": [container], "volumes": [{"name": "code", "configMap": {"name": "somebody"}}]}


def small() -> Json:
    """Resources that many pods of a small node can have."""
    return {"requests": {"cpu": "1m", "memory": "16Mi"}, "limits": {"cpu": "2", "memory": "1Gi"}}


def asking(url: str, body: object, while_so: Callable[[], bool]) -> Sequence[str]:
    """Ask again and again while something is so; what went wrong."""
    failures = []
    while while_so():
        try:
            post(url, body)
        except OSError as problem:
            failures.append(repr(problem))
    return failures


@contextmanager
def kubectl_proxy(folder: Path) -> Iterator[Path]:
    """A kubeconfig for clients that cannot send a token: kubectl sends it for them."""
    argv = [str(find_kubectl()), "--kubeconfig", os.environ[WHOLE], "proxy", "--port=0"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            where = process.stdout.readline().split()[-1]
            path = folder / "kubeconfig"
            named = {
                "clusters": [{"name": "k", "cluster": {"server": f"http://{where}"}}],
                "users": [{"name": "k", "user": {}}],
                "contexts": [{"name": "k", "context": {"cluster": "k", "user": "k"}}],
            }
            path.write_text(json.dumps({"apiVersion": "v1", "kind": "Config", "current-context": "k", **named}))
            yield path
        finally:
            process.terminate()
