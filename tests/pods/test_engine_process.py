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

from fairlead.protocols import protos
from support.certificates import make_certificate
from support.grpc_channels import channel_to
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


def test_a_v2_node_apart_answers_as_one_in_the_process(tmp_path: Path, iris: Path) -> None:
    tensor = {"inputs": [{"name": "x", "shape": [1, 4], "datatype": "FP64", "data": [5.1, 3.5, 1.4, 0.2]}]}
    http_port, grpc_port, metrics = free_ports(3)
    env = {
        "PREDICTIVE_UNIT_ID": "classifier",
        "PREDICTIVE_UNIT_HTTP_SERVICE_PORT": str(http_port),
        "PREDICTIVE_UNIT_GRPC_SERVICE_PORT": str(grpc_port),
        "PREDICTIVE_UNIT_METRICS_SERVICE_PORT": str(metrics),
        "MLSERVER_MODEL_IMPLEMENTATION": "mlserver_sklearn.SKLearnModel",
    }
    graph = {"graph": node("classifier", http_port, grpc_port, implementation="SKLEARN_SERVER", modelUri="s3://a/b")}
    answers = []
    with container(tmp_path, "serve", str(iris), "--format=sklearn", env=env) as one:
        until_ready(one, f"http://127.0.0.1:{http_port}/v2/health/ready")
        with engine(tmp_path, graph, "--protocol", "v2") as (_, url, _grpc):
            answers.append(post(f"{url}/v2/models/classifier/infer", tensor).json())
    with engine(tmp_path, graph, "--protocol", "v2", "--in-process", f"classifier={iris}") as (_, url, _grpc):
        answers.append(post(f"{url}/v2/models/classifier/infer", tensor).json())

    assert [one["outputs"] for one in answers] == [answers[0]["outputs"]] * 2
    assert answers[0]["outputs"][0]["name"] == "predict"


def test_grpc_callers_are_answered_and_tls_is_the_secret_s(tmp_path: Path, iris: Path) -> None:
    """The certificate is for the orchestrator's ports; nodes are asked in clear, as upstream."""
    certificate, key = make_certificate(tmp_path)
    http_port, grpc_port, own_http, own_grpc = free_ports(4)
    told = engine_predictor({"name": "default", "graph": sklearn_node(own_http, own_grpc)})
    flags = ("--sdep", "iris", "--http_port", str(http_port), "--grpc_port", str(grpc_port))
    names = {"SELDON_CERT_FILE_NAME": certificate.name, "SELDON_CERT_KEY_FILE_NAME": key.name}
    env = {**told, "SELDON_CERT_MOUNT_PATH": f"{tmp_path}/", **names}

    with container(tmp_path, "engine", *flags, "--in-process", f"classifier={iris}", env=env) as one:
        until_ready(one, f"http://127.0.0.1:{own_http}/health/status")
        with channel_to(grpc_port, certificate=certificate.read_bytes()) as channel:
            whole = _predict(channel, "Seldon")
        with channel_to(own_grpc) as channel:
            alone = _predict(channel, "Model")

    assert whole.data.ndarray[0] == alone.data.ndarray[0] == 0


def _predict(channel: Any, service: str) -> Any:
    kind = protos.message("seldon.protos.SeldonMessage")
    message = kind()
    message.data.ndarray.add_list().extend([5.1, 3.5, 1.4, 0.2])
    answer = channel.unary_unary(f"/seldon.protos.{service}/Predict")(message.SerializeToString(), timeout=10)
    return kind.FromString(answer)


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
