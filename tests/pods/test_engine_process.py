"""The orchestrator as the process it is in a pod: Seldon's arguments and variables, real nodes at real ports."""

import http.server
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from bench.ports import free_ports

from support.instance import call
from support.pods import Container, container, engine_predictor, node, post, until_ready

pytestmark = pytest.mark.slow

ROW = {"data": {"ndarray": [[5.1, 3.5, 1.4, 0.2]]}}
DOUBLER = """
class Doubler:
    def predict(self, X, names, meta=None):
        return X * 2
    def transform_input(self, X, names, meta=None):
        return X + 1
"""


@contextmanager
def engine(
    folder: Path, predictor: dict[str, Any], *arguments: str, env: dict[str, str] | None = None
) -> Iterator[tuple[Container, str, int]]:
    """A ready orchestrator: its process, its URL and its gRPC port."""
    http_port, grpc_port = free_ports(2)
    flags = ("--sdep", "iris", "--namespace", "models", "--predictor", "default", "--http_port", str(http_port))
    more = ("--grpc_port", str(grpc_port), "--full_health_checks=false", "--server_type", "rpc")
    told = {**engine_predictor({"name": "default", **predictor}), **(env or {})}
    with container(folder, "engine", *flags, *more, *arguments, env=told) as one:
        until_ready(one, f"http://127.0.0.1:{http_port}/ready")
        yield one, f"http://127.0.0.1:{http_port}", grpc_port


def sklearn_node(http_port: int, grpc_port: int) -> dict[str, Any]:
    parameters = [{"name": "method", "type": "STRING", "value": "predict"}]
    return node("classifier", http_port, grpc_port, implementation="SKLEARN_SERVER", modelUri="s3://a/b") | {
        "parameters": parameters
    }


def test_a_fused_model_answers_as_predictor_and_as_node(iris: Path, tmp_path: Path) -> None:
    http_port, grpc_port, metrics_port = free_ports(3)
    env = {"PREDICTIVE_UNIT_METRICS_SERVICE_PORT": str(metrics_port)}
    graph = {"graph": sklearn_node(http_port, grpc_port)}

    with engine(tmp_path, graph, "--in-process", f"classifier={iris}", env=env) as (one, url, _):
        whole = post(f"{url}/api/v1.0/predictions", ROW)
        alone = post(f"http://127.0.0.1:{http_port}/predict", ROW)
        on_the_other = post(f"http://127.0.0.1:{grpc_port}/predict", ROW)

        assert (whole.status, whole.json()["data"]["ndarray"]) == (200, [0])
        assert alone.json()["data"] == whole.json()["data"] == on_the_other.json()["data"]
        assert call(f"http://127.0.0.1:{http_port}/health/status").status == 200
        assert call(f"http://127.0.0.1:{metrics_port}/prometheus").status == 200
        assert b'predictor_name="default"' in call(f"{url}/prometheus").body
        assert one.stop() == 0


def test_a_graph_across_containers_passes_from_node_to_node(tmp_path: Path, iris: Path) -> None:
    (tmp_path / "Doubler.py").write_text(DOUBLER)
    first, inner, inner_grpc, metrics = free_ports(4)
    serve = ("serve", "Doubler", "--http-port", str(first), "--metrics-port", str(metrics))
    graph = node("doubler", first, type="TRANSFORMER", children=[sklearn_node(inner, inner_grpc)])

    own = {"PREDICTIVE_UNIT_ID": "doubler", "PREDICTIVE_UNIT_IMAGE": "team/doubler:1"}
    with (
        in_folder(tmp_path),
        container(tmp_path, *serve, env=own),
        engine(tmp_path, {"graph": graph}, "--in-process", f"classifier={iris}") as (_, url, _grpc),
    ):
        answer = post(f"{url}/api/v1.0/predictions", ROW)

    assert answer.status == 200, answer.body
    assert answer.json()["meta"]["requestPath"] == {
        "doubler": "team/doubler:1",
        "classifier": "seldonio/sklearnserver:1.18.2",
    }


def test_it_is_ready_only_while_its_nodes_take_connections(tmp_path: Path) -> None:
    http_port, nobody, grpc_port = free_ports(3)
    told = engine_predictor({"name": "default", "graph": node("missing", nobody)})
    flags = ("--sdep", "iris", "--http_port", str(http_port), "--grpc_port", str(grpc_port))

    with container(tmp_path, "engine", *flags, env=told) as one:
        until_ready(one, f"http://127.0.0.1:{http_port}/live")
        ready = call(f"http://127.0.0.1:{http_port}/ready")
        asked = post(f"http://127.0.0.1:{http_port}/api/v1.0/predictions", ROW)

    assert (ready.status, ready.body) == (503, b"")
    assert asked.status == 500
    assert f"dial tcp 127.0.0.1:{nobody}: connect: connection refused" in asked.json()["status"]["info"]


def test_a_busy_node_keeps_its_pod_ready_and_a_sick_one_does_not(tmp_path: Path) -> None:
    with node_that_says(500) as port:
        with engine(tmp_path, {"graph": node("sick", port)}) as (_, url, _grpc):
            assert call(f"{url}/ready").status == 200

        http_port, grpc_port = free_ports(2)
        told = engine_predictor({"name": "default", "graph": node("sick", port)})
        flags = ("--sdep", "iris", "--http_port", str(http_port), "--grpc_port", str(grpc_port))
        with container(tmp_path, "engine", *flags, "--full_health_checks", env=told) as one:
            until_ready(one, f"http://127.0.0.1:{http_port}/live")
            assert call(f"http://127.0.0.1:{http_port}/ready").status == 503


def test_annotations_with_an_equals_sign_are_read_and_limit_calls(tmp_path: Path) -> None:
    podinfo = tmp_path / "annotations"
    podinfo.write_text('note="a=b, c=\\"d\\""\nseldon.io/rest-timeout="100"\n')
    with node_that_says(200, after_s=5) as port:
        graph = {"graph": node("slow", port)}
        with engine(tmp_path, graph, "--podinfo", str(podinfo)) as (_, url, _grpc):
            started = time.monotonic()
            answer = post(f"{url}/api/v1.0/predictions", ROW)

    assert time.monotonic() - started < 4
    assert "Client.Timeout exceeded while awaiting headers" in answer.json()["status"]["info"]


def test_payloads_go_to_the_default_endpoint_of_its_environment(tmp_path: Path) -> None:
    seen: list[dict[str, str]] = []
    with node_that_says(200) as port, node_that_says(200, seen=seen) as sink:
        env = {"REQUEST_LOGGER_DEFAULT_ENDPOINT": f"http://127.0.0.1:{sink}"}
        graph = {"graph": node("model", port, logger={"mode": "request"})}
        with engine(tmp_path, graph, env=env) as (one, url, _grpc):
            post(f"{url}/api/v1.0/predictions", ROW)
            one.stop()

    assert seen[0]["Ce-Type"] == "io.seldon.serving.inference.request"
    assert (seen[0]["Ce-Inferenceservicename"], seen[0]["Ce-Namespace"]) == ("iris", "models")


def test_what_is_under_way_is_answered_after_sigterm(tmp_path: Path) -> None:
    begun = threading.Event()
    with (
        node_that_says(200, after_s=0.5, begun=begun) as port,
        engine(tmp_path, {"graph": node("slow", port)}) as (one, url, _grpc),
    ):
        answers: list[int] = []
        asking = threading.Thread(target=lambda: answers.append(post(f"{url}/api/v1.0/predictions", ROW).status))
        asking.start()
        assert begun.wait(10)
        code = one.stop()
        asking.join(10)

    assert (answers, code) == ([200], 0)


@contextmanager
def in_folder(folder: Path) -> Iterator[None]:
    monkeypatch = pytest.MonkeyPatch()
    monkeypatch.chdir(folder)
    try:
        yield
    finally:
        monkeypatch.undo()


@contextmanager
def node_that_says(
    status: int,
    *,
    after_s: float = 0.0,
    seen: list[dict[str, str]] | None = None,
    begun: threading.Event | None = None,
) -> Iterator[int]:
    """A node that answers predictions with this status, after a while."""
    released = threading.Event()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if seen is not None:
                seen.append(dict(self.headers.items()))
            if self.command == "POST" and after_s:
                if begun is not None:
                    begun.set()
                released.wait(after_s)
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps(ROW).encode())

        def do_GET(self) -> None:
            self.do_POST()

        def log_message(self, *_: Any) -> None:
            """Nothing on the test's output."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        released.set()
        server.shutdown()
        server.server_close()
        thread.join()
