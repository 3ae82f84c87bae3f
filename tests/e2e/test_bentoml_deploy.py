"""`bentoml deploy` against a whole Fairlead: pushed, deployed, waited for, asked, changed, stopped and forgotten."""

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import connect

from support.bento_files import EXPORTED, share_environments
from support.bentoml_clients import Bentoml, bentoml
from support.instance import Answer, Installation, call, installation, until
from support.package_index import package_index

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures(package_index.__name__)]


@dataclass(frozen=True, kw_only=True)
class Scene:
    """A Fairlead, and its owner's token."""

    running: Installation
    token: str

    def login(self, client: Bentoml) -> Bentoml:
        said = client.login(self.running.control_url, self.token)
        assert said.code == 0, said.out
        return client

    def api(self, path: str) -> Any:
        answer = call(self.running.control_url + path, headers={"X-YATAI-API-TOKEN": self.token})
        assert answer.status == 200, answer.body
        return answer.json()

    def ask(self, url: str, path: str, document: Any, **headers: str) -> Answer:
        known = {"Content-Type": "application/json", **headers}
        return call(url.rstrip("/") + path, "POST", json.dumps(document).encode(), known)

    def log(self, pod: str) -> str:
        """What a replica has written so far, as a client hears it."""
        url = self.running.control_url.replace("http://", "ws://")
        path = f"/ws/v1/clusters/default/tail?namespace=default&pod_name={pod}&timestamps=false"
        headers = {"X-YATAI-API-TOKEN": self.token, "X-Bentoml-Version": "1.4.39"}
        with connect(url + path, additional_headers=headers, proxy=None) as socket:
            socket.send(json.dumps({"type": "data", "payload": {"id": "1", "container_name": "main", "follow": False}}))
            items = json.loads(socket.recv(timeout=20))["payload"]["items"]
        return b"".join(base64.b64decode(item) for item in items).decode()


@pytest.fixture(scope="module")
def at(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    home = tmp_path_factory.mktemp("home") / "fairlead"
    share_environments(home)
    with installation(home) as running:
        yield Scene(running=running, token=running.run("token", "create").stdout.strip())


def _imported(client: Bentoml, file: str) -> str:
    said = client("import", str(EXPORTED / file))
    assert said.code == 0, said.out
    listed = json.loads(client("list", "-o", "json").out)
    return next(str(each["tag"]) for each in listed if "sums" in each["tag"])


def test_a_new_client_deploys_waits_and_asks(at: Scene, tmp_path: Path) -> None:
    with bentoml("1.4.39", tmp_path / "client") as client:
        tag = _imported(at.login(client), "sums_new.bento")

        said = client("deploy", tag, "-n", "sums", "--env", "GREETING=hello", "--timeout", "200")
        assert said.code == 0, said.out
        assert "is ready" in said.out.replace("\n", " ")

        shown = client("deployment", "get", "sums", "-o", "json").out
        (url,) = json.loads(shown[shown.index("{") :])["endpoint_urls"]
        assert at.ask(url, "/add", {"number": 5}).body == b"15"
        assert at.ask(url, "/variable", {"name": "GREETING"}).body == b"hello"
        pods = at.running.api("/api/v1/namespaces/default/pods")["items"]
        assert {pod["metadata"]["labels"]["yatai.ai/bento-deployment"] for pod in pods} == {"sums"}

        assert "Service Sums initialized" in at.log(pods[0]["metadata"]["name"])
        page = call(f"{at.running.control_url}/deployments/sums", headers={"X-YATAI-API-TOKEN": at.token})
        assert (page.status, url.encode() in page.body) == (200, True)

        said = client("deployment", "update", "sums", "--env", "GREETING=goodbye")
        assert said.code == 0, said.out
        until(lambda: at.ask(url, "/variable", {"name": "GREETING"}).body == b"goodbye", timeout_s=90)
        assert len(at.api("/api/v1/clusters/default/namespaces/default/deployments/sums/revisions")["items"]) == 2

        said = client("deployment", "update", "sums", "--access-authorization", "true")
        assert said.code == 0, said.out
        until(lambda: at.ask(url, "/add", {"number": 5}).status == 401, timeout_s=30)
        assert at.ask(url, "/add", {"number": 5}, Authorization=f"Bearer {at.token}").body == b"15"

        said = client("deployment", "terminate", "sums", "--wait")
        assert said.code == 0, said.out
        assert client("deployment", "delete", "sums").code == 0
        until(lambda: at.ask(url, "/add", {"number": 5}).status == 404, timeout_s=30)


def test_an_old_client_deploys_a_bento_with_a_runner(at: Scene, tmp_path: Path) -> None:
    with bentoml("1.1.11", tmp_path / "client") as client:
        repository, _, version = _imported(at.login(client), "sums_old.bento").partition(":")
        said = client("push", f"{repository}:{version}")
        assert said.code == 0, said.out
        target = {
            "type": "stable",
            "bento_repository": repository,
            "bento": version,
            "config": {"enable_ingress": True},
        }
        (tmp_path / "wanted.json").write_text(json.dumps({"name": "old-sums", "targets": [target]}))

        said = client("deployment", "create", "-f", str(tmp_path / "wanted.json"))
        assert said.code == 0, said.out

        one = "/api/v1/clusters/default/namespaces/default/deployments/old-sums"
        until(lambda: at.api(one)["status"] == "running", timeout_s=200)
        (url,) = at.api(one)["urls"]
        assert at.ask(url, "/add", 5).body == b"15"
        listed = client("deployment", "list")
        assert ("old-sums" in listed.out, "running" in listed.out) == (True, True), listed.out
        assert client("deployment", "terminate", "old-sums").code == 0
        until(lambda: at.api(one)["status"] == "terminated", timeout_s=60)
        assert client("deployment", "delete", "old-sums").code == 0
