"""What clients hear while something happens to a deployment."""

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from support.deployment_places import FakePlace
from support.deployments import NEW_MANIFEST, mark_uploaded, v2_body
from support.registry_server import Http, RegistryServer

BUILDER = {"is_bento_image_builder": "true", "bento_repository": "iris", "bento": "v1", "bento_request": "iris--v-1"}
SELECTOR = "selector=yatai.ai/bento-repository=iris,yatai.ai/bento=v1"


@pytest.fixture(scope="module")
def place(server: RegistryServer) -> FakePlace:
    """A place with a deployment, its pod and the pod of its builder."""
    found = FakePlace()
    server.registry.clusters.places.by_name["default"] = found
    server.http.ok("POST", "/api/v1/bento_repositories", {"name": "iris", "description": ""})
    body = {"version": "v1", "manifest": NEW_MANIFEST, "build_at": "2026-01-01 00:00:00.000000"}
    made = server.http.ok("POST", "/api/v1/bento_repositories/iris/bentos", body)
    server.run(mark_uploaded(server.registry, made["uid"]))
    server.http.ok("POST", "/api/v2/deployments", v2_body())
    server.run(found.add_pod("default", "iris-dep-0", bento_deployment="iris-dep"))
    server.run(found.add_pod("default", "builder-0", **BUILDER))
    found.logs["default", "iris-dep-0"] = [b"ready\n", b"serving\n"]
    found.logs["default", "builder-0"] = [b"one\n", b"two\n", b"three\n"]
    return found


@contextmanager
def _listening(http: Http, path: str, **headers: str) -> Iterator[ClientConnection]:
    known = {"X-YATAI-API-TOKEN": http.token, "X-Bentoml-Version": http.version, **headers}
    url = http.url.replace("http://", "ws://") + path
    with connect(url, additional_headers={name: value for name, value in known.items() if value}, proxy=None) as socket:
        yield socket


def _next(socket: ClientConnection) -> Any:
    return json.loads(socket.recv(timeout=20))


def test_a_waiting_client_finds_the_builder_and_what_it_says(http: Http, place: FakePlace) -> None:
    assert place is not None
    path = f"/ws/v1/clusters/default/pods?organization_name=default&namespace=default&{SELECTOR}"
    with _listening(http, path) as socket:
        message = _next(socket)
    assert (message["type"], message["message"]) == ("success", "")
    (pod,) = [each for each in message["payload"] if each["labels"]["yatai.ai/is-bento-image-builder"] == "true"]
    assert (pod["name"], pod["pod_status"]["status"], pod["status"]["phase"]) == ("builder-0", "Running", "Running")

    with _listening(
        http, "/ws/v1/clusters/default/tail?namespace=default&pod_name=builder-0&timestamps=false"
    ) as socket:
        asked = {"id": "7", "container_name": "builder", "follow": True, "tail_lines": 2}
        socket.send(json.dumps({"type": "heartbeat"}))
        socket.send(json.dumps({"type": "data", "payload": asked}))
        lines, end = _next(socket), _next(socket)
    assert (lines["payload"]["req_id"], lines["payload"]["type"]) == ("7", "replace")
    assert [base64.b64decode(item) for item in lines["payload"]["items"]] == [b"two\n", b"three\n"]
    assert end == {"type": "success", "message": "EOF", "payload": None}


def test_a_page_gets_lines_as_they_are(http: Http, place: FakePlace) -> None:
    assert place is not None
    path = (
        "/ws/v1/clusters/default/namespaces/default/deployments/iris-dep/tail?pod_name=iris-dep-0&container_name=main"
    )
    with _listening(http.saying(""), path) as socket:
        socket.send(json.dumps({"type": "data", "payload": {"id": "1"}}))
        assert _next(socket)["payload"]["items"] == ["ready", "serving"]


def test_pods_of_a_deployment_are_told_again_when_they_change(
    http: Http, server: RegistryServer, place: FakePlace
) -> None:
    with _listening(http, "/ws/v2/deployments/iris-dep/pods?organization_name=default&cluster=default") as socket:
        assert [pod["name"] for pod in _next(socket)["payload"]] == ["builder-0", "iris-dep-0"]
        server.run(place.add_pod("default", "iris-dep-1", False, bento_deployment="iris-dep"))
        second = _next(socket)["payload"]
        server.run(place.delete("Pod", "default", "iris-dep-1"))
        assert len(_next(socket)["payload"]) == 2
    assert [(pod["name"], pod["pod_status"]["status"]) for pod in second][1:] == [
        ("iris-dep-0", "Running"),
        ("iris-dep-1", "Pending"),
    ]


def test_events_are_told_of_the_deployment_and_its_pods(http: Http, server: RegistryServer, place: FakePlace) -> None:
    for name, about in (("e1", "iris-dep"), ("e2", "other"), ("e3", "iris-dep-0")):
        event = {"involvedObject": {"name": about}, "reason": name, "lastTimestamp": name, "type": "Warning"}
        server.run(place.set("Event", "default", name, **event))
    one = "/ws/v1/clusters/default/namespaces/default/deployments/iris-dep/kube_events"
    with _listening(http, one) as socket:
        assert [event["reason"] for event in _next(socket)["payload"]] == ["e1", "e3"]
    with _listening(http, "/ws/v1/clusters/default/kube_events?namespace=default&pod_name=iris-dep-0") as socket:
        assert [event["reason"] for event in _next(socket)["payload"]] == ["e3"]


def test_a_subscriber_hears_of_a_deployment_when_it_changes(http: Http, place: FakePlace) -> None:
    assert place is not None
    uid = http.ok("GET", "/api/v2/deployments/iris-dep?cluster=")["uid"]
    with _listening(http, "/ws/v1/subscription/resource") as socket:
        asked = {"action": "subscribe", "resource_type": "deployment", "resource_uids": [uid]}
        socket.send(json.dumps({"type": "data", "payload": asked}))
        first = _next(socket)["payload"]
        one = "/api/v1/clusters/default/namespaces/default/deployments/iris-dep"
        http.ok("PATCH", one, {"description": "flowers"})
        second = _next(socket)["payload"]
    assert (first["resource_type"], first["payload"]["name"]) == ("deployment", "iris-dep")
    assert second["payload"]["description"] == "flowers"


def test_shells_are_refused_in_a_sentence(http: Http, place: FakePlace) -> None:
    assert place is not None
    with _listening(http, "/ws/v1/clusters/default/terminal?namespace=default&pod_name=iris-dep-0") as socket:
        message = _next(socket)
        with pytest.raises(ConnectionClosed):
            socket.recv(timeout=20)
    assert (message["type"], "shells in replicas are not given here" in message["message"]) == ("error", True)


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/ws/v2/deployments/none/pods", "get deployment none: record not found"),
        ("/ws/v1/clusters/none/pods?namespace=default", "get cluster none: record not found"),
        ("/ws/v1/clusters/default/pods?namespace=default&selector=a!=b", "expected key=value"),
        ("/ws/v1/clusters/default/pods", "namespace is needed"),
    ],
)
def test_what_cannot_be_told_is_an_error_message(http: Http, place: FakePlace, path: str, words: str) -> None:
    assert place is not None
    with _listening(http, path) as socket:
        message = _next(socket)
    assert (message["type"], words in message["message"]) == ("error", True), message


def test_nobody_listens_without_a_token_or_from_another_site(server: RegistryServer, place: FakePlace) -> None:
    assert place is not None
    path = "/ws/v2/deployments/iris-dep/pods"
    with pytest.raises(InvalidStatus) as refused, _listening(Http(server.url), path):
        pass
    assert refused.value.response.status_code == 401
    with pytest.raises(InvalidStatus) as foreign, _listening(server.http, path, Origin="http://elsewhere.example"):
        pass
    assert foreign.value.response.status_code == 403
