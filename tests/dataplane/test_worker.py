"""A worker's life in a process of its own."""

import http.client
import json
import signal
import socket
import tempfile
from pathlib import Path
from typing import Any

import grpc
import pytest

from fairlead.dataplane.spec import Drain, Failed, Loading, Ready, TcpSocket, UnixSocket, WorkerSpec
from fairlead.plan.model import Chain, Unit, UnitName
from support.grpc_channels import channel_to
from support.serving import call, unit, worker_spec
from support.workers import python_unit, running_worker, started_worker

pytestmark = pytest.mark.slow

HERE = TcpSocket("127.0.0.1", 0)
NOOP = Unit(name=UnitName("m"), runtime="builtin", variant="simple_model")
ROW = b'{"data":{"ndarray":[[1,2]]}}'
JSON = {"Content-Type": "application/json"}

# What a cold start must not pay for, and a process that runs models has no use for.
FORBIDDEN = (
    "fairlead.control", "fairlead.cli", "fairlead.backends", "fairlead.web", "fairlead.dialects", "fairlead.storage",
    "sqlalchemy", "alembic", "pydantic", "starlette", "uvicorn", "jinja2", "aiohttp", "obstore", "cyclopts", "rich",
    "prometheus_client", "opentelemetry", "google.protobuf", "argon2", "sklearn", "pandas", "xgboost",
)  # fmt: skip


def spec_of(*units: Unit, **fields: Any) -> WorkerSpec:
    root = Chain(steps=tuple(call(one.name) for one in units)) if len(units) > 1 else call(units[0].name)
    return worker_spec(list(units), root, http=HERE, **fields)


def written(folder: Path, name: str, body: str) -> Unit:
    (folder / f"{name}.py").write_text(body)
    return python_unit(folder, name)


def test_a_worker_says_what_it_loads_answers_and_drains() -> None:
    with started_worker(spec_of(NOOP)) as worker:
        assert worker.hear() == Loading(unit="m")
        ready = worker.hear()
        assert isinstance(ready, Ready)
        worker.port = ready.http_port
        assert worker.request("GET", "/ready").status == 200
        answer = worker.request("POST", "/api/v1.0/predictions", ROW, JSON)
        assert json.loads(answer.body)["data"]["names"] == ["class0", "class1", "class2"]

        worker.say(Drain(grace_s=5))

        assert worker.process.wait(10) == 0


def test_an_open_watch_of_its_health_does_not_hold_a_drain() -> None:
    with running_worker(NOOP) as worker, channel_to(worker.port) as channel:
        watch = channel.unary_stream("/grpc.health.v1.Health/Watch")(b"", timeout=30)
        assert next(watch) == b"\x08\x01"

        worker.say(Drain(grace_s=60))

        assert worker.process.wait(20) == 0
        assert next(watch) == b"\x08\x02"
        assert watch.code() is grpc.StatusCode.UNAVAILABLE


def test_a_worker_leaves_when_its_supervisor_is_gone() -> None:
    with running_worker(NOOP) as worker:
        worker.channel.close()

        assert worker.process.wait(10) == 0


def test_a_worker_leaves_on_sigterm() -> None:
    with running_worker(NOOP) as worker:
        worker.process.send_signal(signal.SIGTERM)

        assert worker.process.wait(10) == 0


def test_a_worker_that_is_loading_leaves_at_once(tmp_path: Path) -> None:
    slow = written(tmp_path, "Slow", "import threading\nclass Slow:\n    def load(self): threading.Event().wait(60)\n")
    with started_worker(spec_of(slow)) as worker:
        assert worker.hear() == Loading(unit="classifier")

        worker.channel.close()

        assert worker.process.wait(10) == 0


def test_a_request_under_way_is_answered_while_it_drains(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    body = f"""
import os
class Waits:
    def predict(self, X, names):
        os.mkfifo({str(gate)!r})
        open({str(gate)!r}).close()
        return X
"""
    with running_worker(written(tmp_path, "Waits", body)) as worker:
        connection = http.client.HTTPConnection("127.0.0.1", worker.port, timeout=30)
        connection.request("POST", "/predict", ROW, JSON)
        while not gate.exists():
            assert worker.request("GET", "/live").status == 200

        worker.say(Drain(grace_s=20))
        gate.open("w").close()

        answer = connection.getresponse()
        assert (answer.status, json.loads(answer.read())["data"]["ndarray"]) == (200, [[1, 2]])
        connection.close()
        assert worker.process.wait(10) == 0


def test_health_stays_live_while_a_model_works(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    body = f"""
import os
class Works:
    def predict(self, X, names):
        os.mkfifo({str(gate)!r})
        open({str(gate)!r}).close()
        return X
"""
    with running_worker(written(tmp_path, "Works", body)) as worker:
        connection = http.client.HTTPConnection("127.0.0.1", worker.port, timeout=30)
        connection.request("POST", "/predict", ROW, JSON)
        while not gate.exists():
            assert worker.request("GET", "/ready").status == 200
        gate.open("w").close()

        assert connection.getresponse().read()
        connection.close()


def test_a_unit_that_fails_to_load_is_named_with_its_cause(tmp_path: Path) -> None:
    broken = written(tmp_path, "Broken", "class Broken:\n    def load(self): raise RuntimeError('no weights')\n")
    with started_worker(spec_of(broken)) as worker:
        word = worker.last_word()

        assert isinstance(word, Failed)
        assert (word.unit, word.reason) == ("classifier", "LoadError")
        assert "no weights" in word.message
        assert "Broken.py" in word.detail
        assert "fairlead" not in word.detail  # the way to it is ours
        assert worker.process.wait(10) == 1


def test_a_model_too_large_for_its_limit_is_out_of_memory(tmp_path: Path) -> None:
    body = "import numpy as np\nclass Large:\n    def load(self): self.x = np.ones(200_000_000)\n"
    with started_worker(spec_of(written(tmp_path, "Large", body), memory_limit_bytes=256 * 1024 * 1024)) as worker:
        word = worker.last_word()

        assert isinstance(word, Failed)
        assert (word.unit, word.reason) == ("classifier", "OutOfMemory")


def test_running_out_of_memory_while_serving_fails_one_request(tmp_path: Path) -> None:
    body = """
import numpy as np
class Hungry:
    def predict(self, X, names):
        return np.ones(int(X[0][0]))[:1]
"""
    limit = 256 * 1024 * 1024
    with running_worker(written(tmp_path, "Hungry", body), memory_limit_bytes=limit) as worker:
        small, large = b'{"data":{"ndarray":[[1]]}}', b'{"data":{"ndarray":[[1000000000]]}}'

        statuses = [worker.request("POST", "/predict", body, JSON).status for body in (small, large, small)]

        assert statuses == [200, 500, 200]


def test_a_port_that_is_taken_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        spec = worker_spec([NOOP], call("m"), http=TcpSocket("127.0.0.1", port))
        with started_worker(spec) as worker:
            word = worker.last_word()

            assert isinstance(word, Failed)
            assert str(port) in word.message
            assert worker.process.wait(10) == 1


def test_a_worker_is_ready_when_its_remote_units_answer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        spec = worker_spec([unit("m")], call("m"), http=HERE, addresses={"m": f"127.0.0.1:{port}"})
        with started_worker(spec) as worker:
            listener.settimeout(30)
            first, _ = listener.accept()
            first.close()  # it accepts connections and answers nothing: not ready
            second, _ = listener.accept()
            with second:
                assert second.recv(1000).startswith(b"GET /health/status ")
                second.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

                assert isinstance(worker.last_word(), Ready)


def test_metrics_have_a_port_of_their_own(tmp_path: Path) -> None:
    metered = written(
        tmp_path,
        "Metered",
        "class Metered:\n"
        "    def predict(self, X, names): return X\n"
        '    def metrics(self): return [{"type": "COUNTER", "key": "seen", "value": 1}]\n',
    )
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/metrics.sock"
        with running_worker(metered, single_unit=True, metrics=UnixSocket(path)) as worker:
            worker.request("POST", "/predict", ROW, JSON)

            with socket.socket(socket.AF_UNIX) as client:
                client.connect(path)
                client.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                with client.makefile("rb") as answer:
                    text = answer.read()
            assert b'seen_total{deployment_name="dep"' in text
            assert b"seldon_api_executor" not in text


def test_a_started_worker_has_imported_nothing_it_does_not_need(tmp_path: Path) -> None:
    body = """
import sys
class Lists:
    def predict(self, X, names):
        return {"modules": sorted(sys.modules)}
"""
    with running_worker(written(tmp_path, "Lists", body)) as worker:
        answer = json.loads(worker.request("POST", "/predict", ROW, JSON).body)

    found = [
        name
        for name in answer["jsonData"]["modules"]
        for forbidden in FORBIDDEN
        if name == forbidden or name.startswith(f"{forbidden}.")
    ]
    assert found == []
