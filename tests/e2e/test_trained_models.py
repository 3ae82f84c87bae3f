"""One server that several models share, on a whole installation: TrainedModels that come, change, fail, make room for
each other and go, and are still there after everything that can happen to a server."""

import json
import os
import signal
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from fairlead.protocols.protos import message
from support.archives import tar_bytes
from support.formats import needed, save_lightgbm
from support.grpc_channels import channel_to
from support.inference_services import apply, ask, isvc
from support.instance import Answer, Installation, installation, start, stop, until
from support.kubectl import Kubectl
from support.models import train_iris_sklearn
from support.web_files import FileServer, Served, file_server

pytestmark = pytest.mark.slow

PATH = "/apis/serving.kserve.io/v1alpha1/namespaces/default/trainedmodels"
SETTINGS = "/api/v1/namespaces/knative-serving/configmaps/config-autoscaler"
QUICK = {"autoscaling.knative.dev/window": "6s"}
ROW = {"inputs": [{"name": "x", "shape": [1, 4], "datatype": "FP64", "data": [6.8, 2.8, 4.8, 1.4]}]}
TIGHT = {"requests": {"memory": "256Mi"}, "limits": {"memory": "256Mi"}}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with installation(tmp_path_factory.mktemp("shelf") / "home") as started:
        data = {"data": {"scale-to-zero-grace-period": "6s"}}
        started.api(SETTINGS, "PATCH", data, "application/merge-patch+json")
        yield started


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FileServer]:
    """Models of two formats, and something that is none."""
    folder = tmp_path_factory.mktemp("models")
    train_iris_sklearn(folder)
    archive = tar_bytes({"model.joblib": (folder / "model.joblib").read_bytes()})
    with file_server() as server:
        server.files = {
            "/iris.tar.gz": Served(archive),
            "/again.tar.gz": Served(archive, etag='"v2"'),
            "/broken.tar.gz": Served(tar_bytes({"model.joblib": b"not a model"})),
        }
        yield server


def shelf(running: Installation, name: str, *, annotations: Mapping[str, str] | None = None, **fields: Any) -> None:
    """A server without a model of its own, at one replica unless `fields` say otherwise."""
    scale = {key: fields.pop(key) for key in ("minReplicas",) if key in fields}
    model = {"modelFormat": {"name": "sklearn"}, "protocolVersion": "v2", **fields}
    model.setdefault("runtime", "kserve-sklearnserver")
    apply(running, [isvc(name, {"minReplicas": 1, **scale, "model": model}, annotations=annotations)])


def trained(name: str, parent: str, uri: str, *, framework: str = "sklearn", memory: str = "64Mi") -> dict[str, Any]:
    return {
        "apiVersion": "serving.kserve.io/v1alpha1",
        "kind": "TrainedModel",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "inferenceService": parent,
            "model": {"storageUri": uri, "framework": framework, "memory": memory},
        },
    }


def put(running: Installation, *documents: Mapping[str, Any]) -> None:
    for document in documents:
        running.api(PATH, "POST", document)


def condition(running: Installation, name: str, kind: str = "Ready") -> dict[str, str]:
    status = running.api(f"{PATH}/{name}").get("status") or {}
    return next((one for one in status.get("conditions") or () if one["type"] == kind), {})


def wait_for(running: Installation, *names: str, status: str = "True") -> None:
    def are_so() -> bool:
        return all(condition(running, name).get("status") == status for name in names)

    until(are_so, what=f"{names} Ready {status}")


def infer(running: Installation, parent: str, name: str) -> Answer:
    return ask(running, parent, f"/v2/models/{name}/infer", ROW)


def answers(running: Installation, parent: str, name: str) -> bool:
    return infer(running, parent, name).status == 200


def test_models_of_two_formats_answer_by_their_names(running: Installation, web: FileServer, tmp_path: Path) -> None:
    needed("lightgbm", "lightgbm")
    booster = (save_lightgbm(tmp_path, name="model.bst") / "model.bst").read_bytes()
    web.files["/booster.tar.gz"] = Served(tar_bytes({"model.bst": booster}))
    shelf(running, "two")
    assert infer(running, "two", "flowers").status == 404
    put(
        running,
        trained("flowers", "two", f"{web.url}/iris.tar.gz"),
        trained("boosted", "two", f"{web.url}/booster.tar.gz", framework="lightgbm"),
    )
    wait_for(running, "flowers", "boosted")

    for name in ("flowers", "boosted"):
        assert infer(running, "two", name).json()["model_name"] == name
        instances = {"instances": [[6.8, 2.8, 4.8, 1.4]]}
        assert ask(running, "two", f"/v1/models/{name}:predict", instances).status == 200
    assert ask(running, "two", "/v2/models").json()["models"] == ["boosted", "flowers"]
    asked = message("inference.ModelReadyRequest")(name="flowers").SerializeToString()
    with channel_to(json.loads((running.home / "instance.json").read_text())["grpcPort"]) as channel:
        method = channel.unary_unary("/inference.GRPCInferenceService/ModelReady")
        told = method(asked, metadata=(("inferenceservice", "two"), ("namespace", "default")), timeout=20)
    assert message("inference.ModelReadyResponse").FromString(told).ready
    status = running.api(f"{PATH}/flowers")["status"]
    assert status["url"].endswith("/v2/models/flowers/infer")


@pytest.mark.anyio
async def test_kubectl_lists_them(running: Installation, web: FileServer, tmp_path: Path) -> None:
    shelf(running, "listed")
    put(running, trained("seen", "listed", f"{web.url}/iris.tar.gz"))
    wait_for(running, "seen")

    listed = await Kubectl(kubeconfig=running.home / "kubeconfig", cache=tmp_path).run("get", "tm", "seen")

    head, line = listed.splitlines()
    assert head.split() == ["NAME", "URL", "READY", "AGE"]
    assert line.split()[2] == "True"


def test_one_that_changes_or_goes_leaves_the_others_alone(running: Installation, web: FileServer) -> None:
    shelf(running, "changing")
    put(
        running,
        trained("stays", "changing", f"{web.url}/iris.tar.gz"),
        trained("moves", "changing", f"{web.url}/broken.tar.gz"),
        trained("goes", "changing", f"{web.url}/iris.tar.gz"),
    )
    wait_for(running, "stays", "goes")
    wait_for(running, "moves", status="False")
    assert "model.joblib" in condition(running, "moves")["message"]
    (before,) = running.worker_pids("changing")

    spec = {"spec": {"model": {"storageUri": f"{web.url}/again.tar.gz"}}}
    running.api(f"{PATH}/moves", "PATCH", spec, "application/merge-patch+json")
    wait_for(running, "moves")
    running.api(f"{PATH}/goes", "DELETE")

    until(lambda: infer(running, "changing", "goes").status == 404, what="goes gone")
    assert answers(running, "changing", "stays")
    assert answers(running, "changing", "moves")
    assert running.worker_pids("changing") == [before]


def test_one_that_is_nowhere_says_so_and_comes_when_it_is_there(running: Installation, web: FileServer) -> None:
    shelf(running, "late")
    put(running, trained("missing", "late", f"{web.url}/missing.tar.gz"))
    wait_for(running, "missing", status="False")
    assert "404" in condition(running, "missing")["message"]

    web.files["/missing.tar.gz"] = web.files["/iris.tar.gz"]

    wait_for(running, "missing")
    assert answers(running, "late", "missing")


def test_models_beyond_the_memory_limit_wait_for_room(running: Installation, web: FileServer) -> None:
    shelf(running, "tight", resources=TIGHT)
    put(running, trained("first", "tight", f"{web.url}/iris.tar.gz", memory="200Mi"))
    wait_for(running, "first")
    put(running, trained("second", "tight", f"{web.url}/iris.tar.gz", memory="100Mi"))

    wait_for(running, "second", status="False")
    assert condition(running, "second", "MemoryResourceAvailable")["status"] == "False"
    assert infer(running, "tight", "second").status == 404
    running.api(f"{PATH}/first", "DELETE")
    wait_for(running, "second")
    assert answers(running, "tight", "second")


def test_models_make_room_for_each_other_where_they_may(running: Installation, web: FileServer) -> None:
    shelf(running, "room", annotations={"fairlead.dev/evict-models": "true"}, resources=TIGHT)
    names = ("room-a", "room-b", "room-c")
    put(running, *(trained(name, "room", f"{web.url}/iris.tar.gz", memory="120Mi") for name in names))
    wait_for(running, *names)

    for name in (*names, *names):
        assert answers(running, "room", name), name
    wait_for(running, *names)


def test_a_client_may_unload_and_load_them_by_the_repository(running: Installation, web: FileServer) -> None:
    shelf(running, "stocked")
    put(running, trained("stock", "stocked", f"{web.url}/iris.tar.gz"))
    wait_for(running, "stock")
    repository = "/v2/repository/models/stock"

    assert ask(running, "stocked", f"{repository}/unload", {}).status == 200
    assert infer(running, "stocked", "stock").status == 503
    (index,) = [one for one in ask(running, "stocked", "/v2/repository/index", {}).json() if one["name"] == "stock"]
    assert (index["state"], index["reason"]) == ("UNAVAILABLE", "unloaded")
    wait_for(running, "stock", status="False")
    assert condition(running, "stock")["reason"] == "Unloaded"

    assert ask(running, "stocked", f"{repository}/load", {}).status == 200
    assert answers(running, "stocked", "stock")
    wait_for(running, "stock")


def test_a_server_comes_back_from_zero_with_its_models(running: Installation, web: FileServer) -> None:
    shelf(running, "sleeper", annotations=QUICK, minReplicas=0)
    put(running, trained("dream", "sleeper", f"{web.url}/iris.tar.gz"))
    wait_for(running, "dream")
    until(lambda: not running.pods("sleeper"), what="zero")

    assert condition(running, "dream")["status"] == "True"
    assert answers(running, "sleeper", "dream")


def test_models_outlive_their_server_and_the_installation(tmp_path: Path, web: FileServer) -> None:
    home = tmp_path / "home"
    running = start(home)
    try:
        shelf(running, "tough")
        put(running, trained("kept", "tough", f"{web.url}/iris.tar.gz"))
        wait_for(running, "kept")
        (pid,) = running.worker_pids("tough")
        os.kill(pid, signal.SIGKILL)
        until(lambda: running.worker_pids("tough") not in ([pid], []), what="another process")
        until(lambda: answers(running, "tough", "kept"), what="an answer")
    finally:
        stop(running)

    running = start(home)
    try:
        until(lambda: answers(running, "tough", "kept"), what="an answer after a restart")
        wait_for(running, "kept")
    finally:
        stop(running)
