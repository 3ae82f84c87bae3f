"""The models of the conformance suites, and where clients reach them: at a worker's own port, and through the gateway
of a whole installation."""

import asyncio
import contextlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from fairlead.backends.local.gateway import GatewayClient
from fairlead.dataplane.spec import Placement, UnixSocket
from fairlead.plan.model import ComponentName, Protocol, Route, Target, Unit, UnitName, UserCode
from fairlead.plan.routing import Endpoint, Pool, RouteTable, Service
from support.instance import Installation, installation
from support.manifests import images, sdep
from support.workers import running_worker

MIRROR = '''
import asyncio

from kserve import InferOutput, InferResponse, Model


class Mirror(Model):
    """Answers with what it is asked. The parameter `hold_s` makes it take that long, `fail` makes it fail."""

    def __init__(self, name="mirror"):
        super().__init__(name)
        self.ready = True

    async def predict(self, payload, headers=None):
        if isinstance(payload, dict):
            return {"predictions": payload["instances"]}
        parameters = payload.parameters or {}
        if "fail" in parameters:
            raise RuntimeError("the mirror broke")
        await asyncio.sleep(float(parameters.get("hold_s", 0)))
        outputs = []
        for one in payload.inputs:
            output = InferOutput(one.name, list(one.shape), one.datatype)
            output.set_data_from_numpy(one.as_numpy(), binary_data=one.datatype == "FP16")
            outputs.append(output)
        return InferResponse(payload.id or "none", self.name, outputs)
'''

_PAIR = """
import numpy as np
import triton_python_backend_utils as pb_utils


class TritonPythonModel:
    def execute(self, requests):
        answers = []
        for request in requests:
            left = pb_utils.get_input_tensor_by_name(request, "left").as_numpy()
            right = pb_utils.get_input_tensor_by_name(request, "right").as_numpy()
            outputs = [
                pb_utils.Tensor("sum", (left + right).astype(np.float32)),
                pb_utils.Tensor("difference", (left - right).astype(np.float32)),
            ]
            answers.append(pb_utils.InferenceResponse(output_tensors=outputs))
        return answers
"""
_PAIR_CONFIG = """
backend: "python"
max_batch_size: 4
input [ { name: "left" data_type: TYPE_FP32 dims: [ 2 ] }, { name: "right" data_type: TYPE_INT32 dims: [ 2 ] } ]
output [ { name: "sum" data_type: TYPE_FP32 dims: [ 2 ] }, { name: "difference" data_type: TYPE_FP32 dims: [ 2 ] } ]
"""


@dataclass(frozen=True, slots=True)
class Place:
    """Where clients reach one deployment: `host:port` and perhaps a path for REST, `host:port` for gRPC, and the
    metadata that lead a call to it."""

    rest: str
    grpc: str
    metadata: dict[str, str] = field(default_factory=dict)


Places = dict[str, Place]


def mirror(folder: Path, name: str = "mirror") -> Unit:
    """A unit that answers with what it is asked."""
    (folder / "mirrors").mkdir(parents=True, exist_ok=True)
    (folder / "mirrors" / "mirroring.py").write_text(MIRROR)
    return Unit(
        name=UnitName(name), runtime="python", code=UserCode(target="mirroring.Mirror", path=str(folder / "mirrors"))
    )


def repository(folder: Path) -> Path:
    """A Triton repository of two models that take `left` and `right`: `pair` and `spare`."""
    for name in ("pair", "spare"):
        version = folder / name / "1"
        version.mkdir(parents=True, exist_ok=True)
        (version / "model.py").write_text(_PAIR)
        (folder / name / "config.pbtxt").write_text(f'name: "{name}"\n{_PAIR_CONFIG}')
    return folder


@contextlib.contextmanager
def workers(folder: Path, protocol: Protocol = Protocol.V2) -> Iterator[Places]:
    """A worker for each model, on ports of their own."""
    pair = Unit(name=UnitName("pair"), runtime="triton")
    placed = Placement(unit="pair", folder=str(repository(folder / "repository")))
    with (
        running_worker(mirror(folder), protocol=protocol, service="mirror") as first,
        running_worker(pair, placement=placed, protocol=protocol, service="pair") as second,
    ):
        found = {"mirror": f"127.0.0.1:{first.port}", "pair": f"127.0.0.1:{second.port}"}
        yield {name: Place(address, address) for name, address in found.items()}


@contextlib.contextmanager
def gateway(folder: Path, protocol: str = "v2") -> Iterator[tuple[Installation, Places]]:
    """The same behind a gateway, each a deployment of its name."""
    code = mirror(folder).code
    assert code is not None
    config = f'[images."acme/mirror"]\nclass = "{code.target}"\npath = {json.dumps(code.path)}\n'
    graph = {"name": "pair", "implementation": "TRITON_SERVER", "modelUri": str(repository(folder / "repository"))}
    with installation(folder / "home", config=config) as running:
        running.apply(
            sdep("mirror", images("main", {"name": "mirror"}, {"mirror": "acme/mirror:1"}), protocol=protocol)
        )
        running.apply(sdep("pair", {"name": "main", "graph": graph, "replicas": 1}, protocol=protocol))
        for name in ("mirror", "pair"):
            running.wait_for(name)
        yield running, {name: through(running, name) for name in ("mirror", "pair")}


def through(running: Installation, name: str, namespace: str = "default") -> Place:
    """The way to a deployment through the gateway: a path for REST, metadata for gRPC."""
    address = running.url.removeprefix("http://")
    found = json.loads((running.home / "instance.json").read_text())
    return Place(
        f"{address}/seldon/{namespace}/{name}",
        f"127.0.0.1:{found['grpcPort']}",
        {"seldon": name, "namespace": namespace},
    )


@contextlib.contextmanager
def fronted(unit: Unit, protocol: Protocol, *, files: Path | None = None) -> Iterator[dict[str, Place]]:
    """One worker at its own port, and behind a gateway of its own: for protocols that no manifest names yet."""
    name = str(unit.name)
    # Not pytest's folder: its paths may be too long for a Unix socket.
    with tempfile.TemporaryDirectory(prefix="gw-") as made:
        folder = Path(made)
        frames = UnixSocket(str(folder / "worker.sock"))
        placed = None if files is None else Placement(unit=name, folder=str(files))
        argv = [sys.executable, "-m", "fairlead.backends.local.gateway", "--port", "0"]
        argv += ["--admin", str(folder / "admin.sock"), "--table", str(folder / "table.json")]
        with (
            running_worker(unit, placement=placed, protocol=protocol, service=name, frames=frames) as worker,
            subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process,
        ):
            try:
                assert process.stdout is not None
                port = process.stdout.readline().strip().rpartition(":")[2]
                asyncio.run(GatewayClient(folder / "admin.sock").publish(_table(name, protocol, frames.path)))
                direct = f"127.0.0.1:{worker.port}"
                yield {
                    "worker": Place(direct, direct),
                    "gateway": Place(f"127.0.0.1:{port}/served/{name}", f"127.0.0.1:{port}"),
                }
            finally:
                process.terminate()


def _table(name: str, protocol: Protocol, frames: str) -> RouteTable:
    route = Route(path_prefix=f"/served/{name}/", targets=(Target(component=ComponentName("main"), weight=100),))
    pool = Pool(endpoints=(Endpoint(replica="r", frames=frames),), protocol=protocol.value)
    pools = (("main", pool),)
    return RouteTable(services=(Service(kind="Test", namespace="ns", name=name, routes=(route,), pools=pools),))
