"""The image as a cluster runs it: no root, nothing written but to volumes, the containers of a pod together."""

import json
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from fairlead.cli.app import run
from support.docker_engine import docker, docker_daemon
from support.image import BASE, IMAGE, ROOT, Pod, build_image, missing, pod_of
from support.instance import until
from support.models import train_iris_sklearn
from support.package_index import package_index
from support.pods import engine_predictor, node
from support.registry import Registry, registry

pytestmark = [pytest.mark.slow(15), pytest.mark.timeout(900)]

__all__ = ["package_index"]

ROW = [5.1, 3.5, 1.4, 0.2]
ROWS = {"data": {"ndarray": [ROW]}}
CLASSIFIER = {
    "implementation": "SKLEARN_SERVER",
    "modelUri": "file:///mnt/source",
    "parameters": [{"name": "method", "type": "STRING", "value": "predict"}],
}
DOUBLER = "class Doubler:\n    def transform_input(self, X, names, meta=None):\n        return X * 2\n"


@pytest.fixture(scope="module")
def engine() -> Iterator[str]:
    if why := missing():
        pytest.skip(why)
    with docker_daemon("--bridge=none") as address:
        build_image(address)
        yield address


@pytest.fixture
def pod(engine: str) -> Iterator[Pod]:
    with pod_of(engine) as made:
        yield made


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = _volume(tmp_path / "source")
    train_iris_sklearn(folder)
    return folder


@pytest.fixture
def place(engine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Registry]:
    """A registry that images are pushed to by the daemon of these tests."""
    monkeypatch.setenv("DOCKER_HOST", engine)
    with registry(tmp_path / "registry") as served:
        yield served


def _volume(folder: Path) -> Path:
    """An empty volume of a pod: whoever its containers run as may write there."""
    folder.mkdir()
    folder.chmod(0o777)
    return folder


def _until_ready(pod: Pod, name: str, url: str, headers: dict[str, str] | None = None) -> None:
    until(lambda: pod.ask(url, headers=headers)[0] == 200, what=f"{url}: {pod.log(name)}")


def _inspected(engine: str, what: str) -> object:
    return json.loads(docker(engine, "image", "inspect", "--format", f"{{{{json .Config.{what}}}}}", IMAGE))


def test_it_runs_as_a_user_of_its_own_and_says_what_it_is(engine: str) -> None:
    assert _inspected(engine, "User") == "8888:8888"
    labels = _inspected(engine, "Labels")
    assert isinstance(labels, dict)
    assert labels["org.opencontainers.image.title"] == "Fairlead"
    assert labels["org.opencontainers.image.revision"] == "tested"


def test_nothing_that_builds_is_in_it(engine: str) -> None:
    looked = "for each in gcc cc make uv git; do command -v $each; done; ls /opt/fairlead/bin | grep -x pip; ls /src"
    flags = (
        "run",
        "--rm",
        "--network=none",
        "--entrypoint=/bin/sh",
        IMAGE,
        "-c",
        f"{{ {looked}; }} 2>/dev/null || true",
    )

    assert docker(engine, *flags) == ""


@pytest.mark.parametrize(
    "command",
    ["engine", "model-server", "agent", "router", "storage-initializer", "serve", "apply", "up"],
)
def test_every_duty_starts_without_a_place_to_write(pod: Pod, command: str) -> None:
    code, said = pod.run_to_end(command, "--help")

    assert code == 0, said
    assert f"fairlead {command}" in said


def test_a_model_is_fetched_and_served_by_a_fused_orchestrator(pod: Pod, source: Path, tmp_path: Path) -> None:
    models = _volume(tmp_path / "models")
    code, said = pod.run_to_end(
        "file:///mnt/source", "/mnt/models", mounts={source: "/mnt/source:ro", models: "/mnt/models"}
    )
    assert code == 0, said

    told = engine_predictor({"name": "default", "graph": node("classifier", 9000, 9500, **CLASSIFIER)})
    flags = (
        "--sdep",
        "iris",
        "--namespace",
        "team",
        "--predictor",
        "default",
        "--in-process",
        "classifier=/mnt/models",
    )
    name = pod.run("engine", *flags, env=told, mounts={models: "/mnt/models:ro"})
    _until_ready(pod, name, "http://127.0.0.1:8000/ready")

    status, text = pod.ask("http://127.0.0.1:8000/api/v1.0/predictions", ROWS)
    assert (status, json.loads(text)["data"]["ndarray"]) == (200, [0]), text
    assert pod.ask("http://127.0.0.1:9000/predict", ROWS)[0] == 200
    assert pod.ask("http://127.0.0.1:5001/api/v1.0/predictions", ROWS)[0] == 200
    assert pod.stop(name, within_s=20) == 0


def test_a_node_in_a_container_of_its_own_is_asked_by_the_orchestrator(pod: Pod, source: Path, tmp_path: Path) -> None:
    code = _volume(tmp_path / "code")
    (code / "Doubler.py").write_text(DOUBLER)
    own = {"PREDICTIVE_UNIT_ID": "doubler", "PREDICTIVE_UNIT_IMAGE": "team/doubler:1", "PYTHONPATH": "/code"}
    ports = ("--http-port", "9000", "--grpc-port", "9500")
    pod.run("serve", "Doubler", *ports, env=own, mounts={code: "/code:ro"})
    classifier = pod.run(
        *("serve", "/mnt/models", "--format=sklearn", "--http-port=9001", "--grpc-port=9501", "--metrics-port=6001"),
        env={"PREDICTIVE_UNIT_ID": "classifier"},
        mounts={source: "/mnt/models:ro"},
    )
    graph = node("doubler", 9000, 9500, type="TRANSFORMER", children=[node("classifier", 9001, 9501, **CLASSIFIER)])
    name = pod.run(
        "--sdep", "iris", "--predictor", "default", env=engine_predictor({"name": "default", "graph": graph})
    )
    _until_ready(pod, name, "http://127.0.0.1:8000/ready")

    status, text = pod.ask("http://127.0.0.1:8000/api/v1.0/predictions", ROWS)
    assert (status, json.loads(text)["meta"]["requestPath"]["doubler"]) == (200, "team/doubler:1"), text
    pod.stop(classifier, within_s=20)
    assert pod.ask("http://127.0.0.1:8000/ready")[0] == 503


def test_the_sidecar_and_the_router_lead_to_a_model_server(pod: Pod, source: Path) -> None:
    server = ("--model_name=iris", "--model_dir=/mnt/models", "--http_port=8080")
    first = pod.run(*server, mounts={source: "/mnt/models:ro"})
    probe = {"SERVING_READINESS_PROBE": '{"httpGet": {"path": "/v2/health/ready", "port": 8080}}'}
    agent = pod.run("--enable-batcher", "--max-latency=50", "--component-port", "8080", env=probe)
    step = {"serviceName": "iris", "serviceUrl": "http://127.0.0.1:9081/v1/models/iris:predict"}
    graph = {"nodes": {"root": {"routerType": "Sequence", "steps": [step]}}}
    router = pod.run("--graph-json", json.dumps(graph), "--port", "8090")
    _until_ready(pod, first, "http://127.0.0.1:8080/v2/health/ready")
    _until_ready(pod, agent, "http://127.0.0.1:9081/", {"K-Network-Probe": "queue"})
    _until_ready(pod, router, "http://127.0.0.1:8090/readyz")

    status, text = pod.ask("http://127.0.0.1:8090/", {"instances": [ROW]})

    assert (status, json.loads(text)["predictions"]) == (200, [0]), text
    assert [pod.stop(name, within_s=20) for name in (router, agent, first)] == [0, 0, 0]


def test_a_download_that_finds_nothing_ends_with_one(pod: Pod, tmp_path: Path) -> None:
    code, said = pod.run_to_end("/mnt/pvc/model", "/mnt/models", mounts={_volume(tmp_path / "models"): "/mnt/models"})

    assert code == 1
    assert "Local path /mnt/pvc/model does not exist" in said


def test_a_model_is_made_into_an_image_that_a_pod_pulls_and_serves(
    engine: str, place: Registry, pod: Pod, source: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image = f"{place.host}/acme/iris:1"
    words = ("build", str(source), "--name", "iris", "-t", image, "--push", "--fairlead-image", IMAGE)
    assert run([*words, "--builder", "docker"]) == 0
    first = capsys.readouterr()
    assert run([*words, "--builder", "docker"]) == 0
    second = capsys.readouterr()
    docker(engine, "rmi", image)

    name = pod.run(image=image)
    _until_ready(pod, name, "http://127.0.0.1:8080/v2/health/ready")
    status, text = pod.ask("http://127.0.0.1:8080/v1/models/iris:predict", {"instances": [ROW]})

    assert (status, json.loads(text)["predictions"]) == (200, [0]), text
    assert first.out == second.out
    assert "is there already" in second.err


def test_a_class_is_made_into_an_image_that_stands_where_seldons_would(engine: str, pod: Pod, tmp_path: Path) -> None:
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "Doubler.py").write_text(DOUBLER)
    words = ("build", str(tmp_path / "code"), "-t", "acme/doubler:1", "--fairlead-image", IMAGE, "--builder", "docker")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DOCKER_HOST", engine)
        assert run(words) == 0

    name = pod.run(image="acme/doubler:1")
    _until_ready(pod, name, "http://127.0.0.1:9000/health/status")
    status, text = pod.ask("http://127.0.0.1:9000/transform-input", {"data": {"ndarray": [[1, 2]]}})

    assert (status, json.loads(text)["data"]["ndarray"]) == (200, [[2, 4]]), text


@pytest.mark.slow(40)
@pytest.mark.usefixtures("package_index")
def test_a_bento_is_made_into_an_image_by_its_own_dockerfile(
    engine: str, place: Registry, pod: Pod, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image, base = f"{place.host}/acme/sums:1", _base_for_bentos(engine, tmp_path / "base")
    with tarfile.open(ROOT / "tests/fixtures/bentos/tiny/exported/sums_new.bento") as archive:
        archive.extractall(tmp_path / "bento", filter="data")
    words = ("build", str(tmp_path / "bento"), "-t", image, "--push", "--base", base, "--network", "host")
    assert run([*words, "--builder", "docker"]) == 0, capsys.readouterr().err
    docker(engine, "rmi", image)

    name = docker(engine, "run", "--detach", "--network=none", image)
    try:
        asked = "import urllib.request as u; r = u.Request('http://127.0.0.1:3000/add', b'{\"number\": 5}', "
        asked += "{'Content-Type': 'application/json'}); print(u.urlopen(r).read().decode())"
        until(lambda: _said(engine, name, asked) == "15", what=f"{image}: {docker(engine, 'logs', name)}", timeout_s=60)
    finally:
        docker(engine, "rm", "--force", name)


def _base_for_bentos(engine: str, folder: Path) -> str:
    """A base in which a bento's Dockerfile finds uv, and every package of the system that it asks for."""
    uv = shutil.which("uv")
    assert uv is not None
    folder.mkdir()
    shutil.copy(uv, folder / "uv")
    (folder / "apt-get").write_text("#!/bin/sh\n")
    (folder / "apt-get").chmod(0o755)
    text = f"FROM {BASE}\nCOPY uv apt-get /usr/local/bin/\nENV UV_SYSTEM_CERTS=true\n"
    (folder / "Dockerfile").write_text(text)
    docker(engine, "build", "--quiet", "--tag", "fairlead-test/bento-base:1", str(folder))
    return "fairlead-test/bento-base:1"


def _said(engine: str, name: str, program: str) -> str:
    try:
        return docker(engine, "exec", name, "python3", "-c", program)
    except subprocess.CalledProcessError:
        return ""
