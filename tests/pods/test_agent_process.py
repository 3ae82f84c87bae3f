"""The sidecar as the process it is in a pod, before a real server."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from bench.ports import free_ports

from support.cloud_event_sink import cloud_event_sink
from support.instance import call, until
from support.pods import Container, container, post, until_ready
from support.predictors import predicting

pytestmark = pytest.mark.slow

PROBED = {"K-Network-Probe": "queue"}
ROW = [5.1, 3.5, 1.4, 0.2]


@contextmanager
def agent(
    folder: Path, component: str, *flags: str, env: dict[str, str] | None = None
) -> Iterator[tuple[Container, str]]:
    """A running sidecar and its URL."""
    (port,) = free_ports(1)
    component_port = component.rpartition(":")[2]
    with container(folder, "agent", *flags, "--component-port", component_port, f"--port={port}", env=env) as one:
        until_ready(one, f"http://127.0.0.1:{port}/", PROBED)
        yield one, f"http://127.0.0.1:{port}"


def test_requests_go_on_as_they_are(tmp_path: Path) -> None:
    seen: list[dict[str, str]] = []
    with predicting(lambda rows: rows * 2, seen=seen) as server, agent(tmp_path, server) as (one, url):
        answer = post(f"{url}/v1/models/any:predict", {"instances": [[1.0]]}, {"X-Mine": "yes"})
        probed = call(f"{url}/", headers=PROBED)
        assert one.stop() == 0

    assert answer.json() == {"predictions": [[2.0]]}
    assert {name.lower(): value for name, value in seen[0].items()}["x-mine"] == "yes"
    assert (probed.status, probed.body) == (200, b"queue")


def test_payloads_are_logged_as_kserve_s_events(tmp_path: Path) -> None:
    with predicting(lambda rows: rows * 2) as server, cloud_event_sink() as sink:
        flags = ("--log-url", sink.url, "--source-uri", "iris-pod", "--log-mode", "all")
        more = (
            "--inference-service",
            "iris",
            "--namespace",
            "team",
            "--endpoint",
            "canary",
            "--component",
            "predictor",
        )
        annotated = ("--metadata-headers", "X-Mine", "--metadata-annotations", "team=a,stage=b")
        with agent(tmp_path, server, *flags, *more, *annotated) as (_, url):
            post(f"{url}/v1/models/iris:predict", {"instances": [[1.0]]}, {"Ce-Id": "7", "X-Mine": "yes"})
            call(f"{url}/", headers=PROBED)
            asked, answered = sorted(sink.wait(2), key=lambda event: event.headers["ce-type"])

    assert asked.headers["ce-type"] == "org.kubeflow.serving.inference.request"
    assert (asked.headers["ce-id"], answered.headers["ce-id"]) == ("7", "7")
    named = ("ce-source", "ce-inferenceservicename", "ce-namespace", "ce-endpoint", "ce-component")
    assert [asked.headers[name] for name in named] == ["iris-pod", "iris", "team", "canary", "predictor"]
    assert json.loads(asked.headers["ce-annotations"]) == {"team": "a", "stage": "b"}
    assert json.loads(answered.data) == {"predictions": [[2.0]]}
    assert len(sink.events) == 2  # probes are nobody's payload


def test_requests_are_gathered_until_there_are_enough(tmp_path: Path) -> None:
    seen: list[dict[str, str]] = []
    with predicting(lambda rows: rows * 2, seen=seen) as server:
        flags = ("--enable-batcher", "--max-batchsize", "2", "--max-latency", "60000")
        with agent(tmp_path, server, *flags) as (_, url):
            answers: list[object] = []

            def ask(value: float) -> None:
                answers.append(post(f"{url}/v1/models/iris:predict", {"instances": [[value]]}).json())

            threads = [threading.Thread(target=ask, args=(value,)) for value in (1.0, 2.0)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(30)

    assert len(seen) == 1
    assert sorted(answer["predictions"] for answer in answers) == [[[2.0]], [[4.0]]]  # type: ignore[index]
    assert len({answer["batchId"] for answer in answers}) == 1  # type: ignore[index]


def test_a_server_that_is_not_ready_is_told_from_one_that_is(tmp_path: Path) -> None:
    port, nobody = free_ports(2)
    env = {"SERVING_READINESS_PROBE": json.dumps({"httpGet": {"path": "/ready", "port": nobody}})}
    with container(tmp_path, "agent", f"--port={port}", f"--component-port={nobody}", env=env) as one:

        def answers() -> bool:
            assert one.process.poll() is None, one.log
            try:
                return call(f"http://127.0.0.1:{port}/", headers=PROBED).status == 503
            except OSError:
                return False

        until(answers)


@pytest.mark.parametrize("flag", ["--max-batchsize=0", "--max-latency=-1"])
def test_a_batch_of_nothing_ends_the_agent(tmp_path: Path, flag: str) -> None:
    with container(tmp_path, "agent", "--enable-batcher", flag) as one:
        assert one.process.wait(30) == 1
        assert f"{flag.partition('=')[0]} '" in one.log


def test_the_puller_brings_models_into_a_server_and_takes_them_away(tmp_path: Path, iris: Path) -> None:
    config, models = tmp_path / "config", tmp_path / "models"
    config.mkdir()
    models.mkdir()
    http, grpc = free_ports(2)
    entry = {"modelName": "first", "modelSpec": {"storageUri": f"file://{iris}", "framework": "sklearn"}}
    lost = {"modelName": "lost", "modelSpec": {"storageUri": f"file://{tmp_path}/nowhere", "framework": "sklearn"}}
    (config / "models.json").write_text(json.dumps([entry, lost]))
    server_flags = ("--format=sklearn", f"--model_dir={models}", f"--http_port={http}", f"--grpc_port={grpc}")
    pulling = ("--enable-puller", "--config-dir", str(config), "--model-dir", str(models))

    with container(tmp_path, "model-server", *server_flags) as server:
        until_ready(server, f"http://127.0.0.1:{http}/v2/health/ready")
        with agent(tmp_path, f":{http}", *pulling) as (one, url):
            answer = post(f"{url}/v1/models/first:predict", {"instances": [ROW]})
            assert (answer.status, answer.json()) == (200, {"predictions": [0]})
            assert "model lost: Local path" in one.log
            assert [path.name.partition(".")[0] for path in (models / "first").glob("SUCCESS.*")] == ["SUCCESS"]

            (config / "models.json").write_text("[]")
            until(lambda: post(f"{url}/v1/models/first:predict", {"instances": [ROW]}).status == 404)
            assert not (models / "first").exists()
