"""Real clients while things go wrong: a server that is killed in the middle, and a disk that is full."""

import select
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from support.bentoml_clients import Bentoml, Made, logging_in, made, tree
from support.registry_server import Http, RegistryProcess, registry_process

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
Clients = Callable[[str], Bentoml]
# Larger than all buffers between a client and the disk, and than what the small disk takes.
_LARGE_BYTES = 24 << 20
_ENOUGH_BYTES = 4 << 20
_BLOCK = 512


class Cable:
    """A port that hands everything on to a registry, and cuts the connection when it was told enough."""

    def __init__(self, url: str, *, enough: int, then: Callable[[], None]) -> None:
        self._to = urlsplit(url)
        self._enough = enough
        self._then = then
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._told = 0
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._hand_on, args=(client,), daemon=True).start()

    def _hand_on(self, client: socket.socket) -> None:
        try:
            with client, socket.create_connection((self._to.hostname, self._to.port)) as server:
                other = {client: server, server: client}
                while True:
                    for ready in select.select([client, server], [], [])[0]:
                        data = ready.recv(65536)
                        if not data:
                            return
                        other[ready].sendall(data)
                        if ready is client:
                            self._count(len(data))
        except OSError:
            return

    def _count(self, size: int) -> None:
        before, self._told = self._told, self._told + size
        if before < self._enough <= self._told:
            self._then()


@contextmanager
def cable(url: str, *, enough: int, then: Callable[[], None]) -> Iterator[str]:
    """The address of a `Cable`."""
    opened = Cable(url, enough=enough, then=then)
    try:
        yield opened.url
    finally:
        opened.close()


def large_model(client: Bentoml, makings: Made, home: Path) -> str:
    """A model that is not sent in one piece; its tag."""
    source = makings.home / "models" / makings.model.replace(":", "/")
    tag = "large:v1"
    folder = home / "models" / "large" / "v1"
    folder.mkdir(parents=True)
    text = (source / "model.yaml").read_text()
    name, _, version = makings.model.partition(":")
    (folder / "model.yaml").write_text(text.replace(f"name: {name}", "name: large").replace(version, "v1"))
    (folder / "saved_model.pkl").write_bytes(bytes(range(256)) * (_LARGE_BYTES // 256))
    return tag


def upload_state(http: Http) -> tuple[str, str]:
    shown = http.ok("GET", "/api/v1/model_repositories/large/models/v1")
    return shown["upload_status"], shown["upload_finished_reason"]


@pytest.mark.parametrize("version", ["1.4.39", "1.1.11"])
def test_a_push_to_a_server_that_is_killed_leaves_nothing_and_works_again(
    processes: Clients, tmp_path: Path, version: str
) -> None:
    home = tmp_path / "fairlead"
    with registry_process(home) as first:
        port = urlsplit(first.url).port or 0
        client = logging_in(processes, first.url, first.token)(version).elsewhere(tmp_path / "home")
        tag = large_model(client, made(version), client.home)
        with cable(first.url, enough=_ENOUGH_BYTES, then=first.kill) as url:
            (client.home / ".yatai.yaml").write_text(_login_at(client, first.url, url))
            cut = client("models", "push", tag)
            (client.home / ".yatai.yaml").write_text(_login_at(client, url, first.url))

    with registry_process(home, port=port) as second:
        after = upload_state(second.http)[0]
        refused = second.http("GET", "/api/v1/model_repositories/large/models/v1/download")
        pushed = client("models", "push", tag)
        other = client.elsewhere(tmp_path / "other")
        pulled = other("models", "pull", tag)

    assert cut.code == 1, cut.out
    assert after in ("pending", "uploading", "failed")
    assert refused.status_code == 404
    assert (pushed.code, pulled.code) == (0, 0), pushed.out + pulled.out
    assert tree(other.home, tag, kind="models") == tree(client.home, tag, kind="models")


def _login_at(client: Bentoml, before: str, after: str) -> str:
    return (client.home / ".yatai.yaml").read_text().replace(before, after)


@pytest.mark.parametrize("version", ["1.4.39", "1.1.11"])
def test_a_full_disk_fails_the_push_and_nothing_else(processes: Clients, tmp_path: Path, version: str) -> None:
    limit = ("sh", "-c", f'ulimit -f {_LARGE_BYTES // 2 // _BLOCK}; exec "$@"', "sh")
    with registry_process(tmp_path / "fairlead", wrapper=limit) as registry:
        client = logging_in(processes, registry.url, registry.token)(version).elsewhere(tmp_path / "home")
        makings = made(version)
        tag = large_model(client, makings, client.home)

        failed = client("models", "push", tag)
        state = upload_state(registry.http)
        small = client.at(processes(version).home)("models", "push", makings.model)

    assert failed.code == 1, failed.out
    assert (state[0], "File too large" in state[1]) == ("failed", True), state
    assert small.code == 0, small.out


def test_the_registry_stops_in_order(tmp_path: Path) -> None:
    with registry_process(tmp_path) as registry:
        assert registry.http.ok("GET", "/api/v1/auth/current")["name"] == "admin"
        stopped = _stopped(registry)

    assert stopped == 0


def _stopped(registry: RegistryProcess) -> int:
    registry.process.terminate()
    return registry.process.wait(20)
