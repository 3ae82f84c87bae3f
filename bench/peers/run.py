"""The same model and row on the servers people use today, each in an environment of its own.

`make bench-peers` builds the environments under `.peers/` and prints the same table as `make bench`, floor
included, so that both runs can be compared by ratio.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.load import IRIS_ROW, Served
from bench.ports import free_port
from bench.servers import start

HERE = Path(__file__).parent
ENVIRONMENTS = Path(".peers")
_V2 = json.dumps({"inputs": [{"name": "x", "shape": [1, 4], "datatype": "FP64", "data": [5.1, 3.5, 1.4, 0.2]}],
                  "outputs": [{"name": "predict_proba"}]}).encode()  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """How to start one server on a port and what to send it."""

    name: str
    argv: Callable[[str, int, Path], list[str]]
    path: str
    body: bytes = IRIS_ROW


def _loopback(environment: str, *argv: str) -> list[str]:
    return [f"{environment}/bin/python", str(HERE / "loopback.py"), *argv]


def mlserver_argv(environment: str, port: int, folder: Path, *, grpc_port: int = 0) -> list[str]:
    """How MLServer is started, with the settings it finds in `folder`."""
    settings = {"host": "127.0.0.1", "http_port": port, "grpc_port": grpc_port or free_port(),
                "metrics_port": free_port(), "parallel_workers": 0, "debug": False}  # fmt: skip
    model = {"name": "iris", "implementation": "mlserver_sklearn.SKLearnModel", "max_batch_size": 32,
             "max_batch_time": 0.001, "parameters": {"uri": os.environ["IRIS_MODEL"]}}  # fmt: skip
    (folder / "settings.json").write_text(json.dumps(settings))
    (folder / "model-settings.json").write_text(json.dumps(model))
    return [f"{environment}/bin/mlserver", "start", str(folder)]


PEERS = (
    Peer(
        name="seldon-core",
        argv=lambda env, port, _: _loopback(
            env, "seldon_core.microservice:main", "seldon_iris", "--http-port", str(port), "--grpc-workers", "0",
            "--metrics-port", str(free_port()),
        ),
        path="/predict",
    ),
    Peer(name="mlserver", argv=mlserver_argv, path="/v2/models/iris/infer", body=_V2),
    Peer(
        name="kserve",
        argv=lambda env, port, _: _loopback(env, str(HERE / "kserve_iris.py")),
        path="/v1/models/iris:predict",
        body=b'{"instances":[[5.1,3.5,1.4,0.2]]}',
    ),
    Peer(
        name="mosec",
        argv=lambda env, port, _: [
            f"{env}/bin/python", str(HERE / "mosec_iris.py"), "--address", "127.0.0.1", "--port", str(port)
        ],
        path="/inference",
    ),
    Peer(
        name="bentoml",
        argv=lambda env, port, _: [
            f"{env}/bin/bentoml", "serve", "bentoml_iris:Iris", "--host", "127.0.0.1", "--port", str(port),
            "--working-dir", str(HERE),
        ],
        path="/predict",
        body=b'{"rows":[[5.1,3.5,1.4,0.2]]}',
    ),
)  # fmt: skip


def build(name: str, packages: list[str]) -> Path:
    """The environment of a peer, made once."""
    environment = ENVIRONMENTS / name
    done = environment / "fairlead-bench-ready"
    if done.exists() and done.read_text() == " ".join(packages):
        return environment.absolute()
    uv = shutil.which("uv") or str(Path(".bootstrap/bin/uv").absolute())
    env = {"UV_SYSTEM_CERTS": "true", **os.environ}
    subprocess.run([uv, "venv", "-q", "--clear", "--python", sys.executable, str(environment)], check=True, env=env)
    python = str(environment / "bin" / "python")
    subprocess.run([uv, "pip", "install", "-q", "--python", python, *packages], check=True, env=env)
    done.write_text(" ".join(packages))
    return environment.absolute()


def requirements() -> dict[str, list[str]]:
    """Packages by peer."""
    lines = (HERE / "requirements.txt").read_text().splitlines()
    pairs = (line.partition(":") for line in lines if line and not line.startswith("#"))
    return {name: packages.split() for name, _, packages in pairs}


@contextmanager
def running(peer: Peer, environment: Path, folder: Path, *, core: int) -> Iterator[Served]:
    """Start one peer, and stop it with all its processes."""
    port = free_port()
    folder.mkdir()
    env = {
        "PEER_PORT": str(port),
        "PYTHONPATH": str(HERE),
        "PATH": f"{environment}/bin:{os.environ['PATH']}",
        "BENTOML_DO_NOT_TRACK": "True",
        "HOME": str(folder),
    }
    server = start(peer.argv(str(environment), port, folder), env=env, core=core, cwd=folder)
    try:
        url = f"http://127.0.0.1:{port}{peer.path}"
        server.wait_for(url, body=peer.body, timeout_s=120)
        yield Served(name=peer.name, url=url, pids=server.pids(), body=peer.body)
    finally:
        server.stop()
